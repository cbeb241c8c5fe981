"""What `--determinism exact` costs training against `fast`: seconds a step, as a ratio in one run.

    python benchmarks/determinism_cost.py

Both are srbench's own training step on the main job of the README (LapSRN ×4, three networks, Charbonnier,
batch 16, 64-pixel HR patches, the same precision), on one state in one process; only the engine's mode
changes. They take turns, step block by step block, and each begins every second turn. On a CPU the seconds
are those that the process computes, which other programs of a busy machine lengthen little. On a GPU they are
those of the clock, and `fast` lets cuDNN try its algorithms, which is over before the first turn.
"""

import argparse
import statistics
import time
from dataclasses import replace

import torch

from srbench.datasets import build_dataset
from srbench.images.tiles import TileStore
from srbench.plan import Request, plan
from srbench.plan.settings import Budget
from srbench.predict import predicted_scales
from srbench.registry import registry
from srbench.train.device import Engine, apply_engine, autocast_dtype, choose_engine, pick_device
from srbench.train.sampling import samples
from srbench.train.state import TrainingState
from srbench.train.step import TrainStep


def main() -> None:
    """Print seconds a step of each mode and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--blocks", type=int, default=12, help="turns each mode takes")
    parser.add_argument("--steps", type=int, default=5, help="steps a turn")
    arguments = parser.parse_args()

    device = pick_device(arguments.device)
    exact = choose_engine(device, arguments.precision, "exact")
    modes = {"exact": exact, "fast": replace(exact, determinism="fast")}
    apply_engine(exact)
    spec = plan(Request(models=("lapsrn",), losses=("charbonnier",), budget=Budget(steps=1)))[-1].spec
    degrade = registry().find("degradation", "bicubic").make(round=True)
    state = TrainingState(spec, device)
    scales = predicted_scales(state.networks, spec.scale, 1, device)
    tiles = TileStore(build_dataset("sample").pictures.train, scales, degrade, spec.patch, device)
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    one_step = TrainStep(spec, state, device, autocast_dtype(exact))

    def timed(engine: Engine, first: int) -> float:
        apply_engine(engine)
        began = clock()
        for step in range(first, first + arguments.steps):
            drawn = samples(0, 0, step, spec.batch, tiles.slots)
            losses = one_step(tiles.batch(drawn.slot, drawn.random, drawn.turn), step, 1.0)
            if device.type == "cpu":
                sum(map(float, losses.values()))
        if device.type == "cuda":
            torch.cuda.synchronize()
        return (clock() - began) / arguments.steps

    for engine in modes.values():
        timed(engine, 0)
    ratios, seconds = [], {"exact": [], "fast": []}
    for block in range(arguments.blocks):
        for mode in ("exact", "fast") if block % 2 else ("fast", "exact"):
            seconds[mode].append(timed(modes[mode], block * arguments.steps))
        ratios.append(seconds["exact"][-1] / seconds["fast"][-1])
    machine = f"{exact.device}, {exact.threads} threads, {exact.kernels}, {exact.precision}"
    print(f"{machine}, torch {torch.__version__}")
    for mode, values in seconds.items():
        print(f"{mode:6} {statistics.median(values):.4f} s a step (median of {len(values)} turns)")
    print(
        f"ratio  {statistics.median(ratios):.3f} of the seconds of fast "
        f"(turns from {min(ratios):.3f} to {max(ratios):.3f})"
    )


if __name__ == "__main__":
    main()
