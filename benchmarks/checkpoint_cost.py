"""What saving costs training on the main job: seconds a checkpoint, and the share of training time.

    python benchmarks/checkpoint_cost.py

LapSRN ×4, three networks, Charbonnier loss, the dataset `sample`. Blocks of steps take turns: one with a
checkpoint begun at its start, as the training loop does it (copy, then a thread that writes), and one
without. A block is longer than the write, so the difference holds all that saving takes from training: the
copy, and the cores that the thread uses meanwhile. One checkpoint every --save-every seconds makes it a
share.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from srbench.checkpoint.format import Checkpoint
from srbench.checkpoint.write import prune, write_checkpoint
from srbench.checkpoint.writer import Writer, copied
from srbench.datasets import build_dataset
from srbench.images.tiles import TileStore
from srbench.plan import Request, plan
from srbench.plan.settings import Budget
from srbench.predict import predicted_scales
from srbench.registry import registry
from srbench.train.device import apply_engine, autocast_dtype, choose_engine, pick_device
from srbench.train.journal import KEEP_CHECKPOINTS
from srbench.train.sampling import samples
from srbench.train.state import TrainingState, weights
from srbench.train.step import TrainStep


def main() -> None:
    """Print seconds a checkpoint, on the training thread and in all, and their share of training time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--blocks", type=int, default=10, help="turns with a checkpoint, and as many without")
    parser.add_argument("--steps", type=int, default=6, help="steps a turn; they must outlast the write")
    parser.add_argument("--save-every", type=float, default=60.0)
    parser.add_argument("--results", type=Path, help="the disk to write to; default: the temporary folder")
    arguments = parser.parse_args()

    device = pick_device(arguments.device)
    engine = choose_engine(device, arguments.precision, "exact")
    apply_engine(engine)
    request = Request(models=("lapsrn",), losses=("charbonnier",), budget=Budget(steps=1))
    spec = plan(request)[-1].spec
    degrade = registry().find("degradation", "bicubic").make(round=True)
    state = TrainingState(spec, device)
    scales = predicted_scales(state.networks, spec.scale, 1, device)
    tiles = TileStore(build_dataset("sample").pictures.train, scales, degrade, spec.patch, device)
    step_of = TrainStep(spec, state, device, autocast_dtype(engine))
    done = 0

    def block() -> None:
        nonlocal done
        for _ in range(arguments.steps):
            drawn = samples(0, 0, done, spec.batch, tiles.slots)
            step_of(tiles.batch(drawn.slot, drawn.random, drawn.turn, drawn.seeds), done, 1.0)
            done += 1
        if device.type == "cuda":
            torch.cuda.synchronize()

    def save(root: Path) -> None:
        assert state.is_finite()
        model, model_ready = copied(weights(state.scored))
        rest, rest_ready = copied(state.tensors())
        step = done

        def write() -> None:
            model_ready()
            rest_ready()
            write_checkpoint(root, Checkpoint(step, model, rest, {"progress": {}}), spec.sha256)
            prune(root, KEEP_CHECKPOINTS, None)

        writer.start(write)

    block()
    plain, saving, on_thread = [], [], []
    with tempfile.TemporaryDirectory(dir=arguments.results) as folder, Writer() as writer:
        for _ in range(arguments.blocks):
            began = time.perf_counter()
            block()
            plain.append(time.perf_counter() - began)
            began = time.perf_counter()
            save(Path(folder))
            on_thread.append(time.perf_counter() - began)
            block()
            saving.append(time.perf_counter() - began)
            if not writer.is_done():
                print("a block is shorter than the write: give more --steps")
            writer.wait()
        newest = max(Path(folder).iterdir())
        size = sum(path.stat().st_size for path in newest.iterdir())
    extra = [with_save - without for with_save, without in zip(saving, plain, strict=True)]
    cost = statistics.median(extra)
    machine = f"{engine.device}, {engine.threads} threads, {engine.kernels}, {engine.precision}"
    print(f"{machine}, torch {torch.__version__}; a checkpoint has {size / 1e6:.1f} MB")
    print(f"{arguments.steps} steps          {statistics.median(plain):.3f} s (median of {len(plain)} turns)")
    print(f"the copy         {statistics.median(on_thread):.3f} s on the training thread")
    print(f"the write        {writer.longest_s:.3f} s in the other thread, at the longest")
    print(
        f"a checkpoint     {cost:.3f} s of training time in all (from {min(extra):.3f} to {max(extra):.3f})"
    )
    print(
        f"share            {cost / arguments.save_every:.2%} at one every {arguments.save_every:g} s "
        "(goal: < 1 %)"
    )


if __name__ == "__main__":
    main()
