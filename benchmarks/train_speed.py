"""srbench's training loop against a bare PyTorch loop: steps per second, as a ratio in one run.

    python benchmarks/train_speed.py

Both train LapSRN ×4 on one plane, batch 16, 64-pixel HR patches, with the same device, precision, memory
format, determinism and optimizer. The bare loop is given one ready-made batch of tensors and does forward,
Charbonnier loss at both scales, backward and Adam: nothing else. srbench's step also draws and cuts its own
patches, moves the average, adds up losses and looks for a stop. They take turns, step block by step block, so
that a busy machine slows both.
"""

import argparse
import statistics
import time

import torch

from srbench.datasets import build_dataset
from srbench.images.tiles import Batch, TileStore
from srbench.plan import Request, plan
from srbench.plan.settings import Budget
from srbench.predict import predicted_scales
from srbench.registry import registry
from srbench.train.device import apply_engine, autocast_dtype, choose_engine, pick_device
from srbench.train.loop import LossSums, Progress
from srbench.train.sampling import samples
from srbench.train.state import TrainingState, build_networks
from srbench.train.step import TrainStep


def main() -> None:
    """Print seconds a step of each loop and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--blocks", type=int, default=12, help="turns each loop takes")
    parser.add_argument("--steps", type=int, default=10, help="steps a turn")
    arguments = parser.parse_args()

    device = pick_device(arguments.device)
    engine = choose_engine(device, arguments.precision, "exact")
    apply_engine(engine)
    request = Request(models=("lapsrn",), losses=("charbonnier",), channels=("r",), budget=Budget(steps=1))
    spec = plan(request)[-1].spec
    degrade = registry().find("degradation", "bicubic").make(round=True)
    state = TrainingState(spec, device)
    scales = predicted_scales(state.networks, spec.scale, 1, device)
    tiles = TileStore(build_dataset("sample").pictures.train, scales, degrade, spec.patch, device)
    step_of = TrainStep(spec, state, device, autocast_dtype(engine))
    sums = LossSums(Progress({}), device)

    def batch_of(step: int) -> Batch:
        drawn = samples(0, 0, step, spec.batch, tiles.slots)
        return tiles.batch(drawn.slot, drawn.random, drawn.turn, drawn.seeds)

    def ours(step: int) -> None:
        losses = step_of(batch_of(step), step, 1.0).totals
        sums.add(losses)
        if device.type == "cpu":
            float(losses["r"])

    network = build_networks(spec, device)["r"]
    optimizer = torch.optim.Adam(network.parameters(), spec.learning_rate, fused=True)
    ready = batch_of(0)
    lr = ready.lr[:, :1].contiguous(memory_format=torch.channels_last)
    hr = {scale: pixels[:, :1].contiguous() for scale, pixels in ready.hr.items()}
    dtype = autocast_dtype(engine)

    def bare(step: int) -> None:
        with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
            sr = network(lr)
        loss = sum(((sr[scale].float() - hr[scale]).square() + 1e-6).sqrt().mean() for scale in scales)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def timed(one_step, first: int) -> float:
        began = time.perf_counter()
        for step in range(first, first + arguments.steps):
            one_step(step)
        if device.type == "cuda":
            torch.cuda.synchronize()
        return (time.perf_counter() - began) / arguments.steps

    for one_step in (ours, bare):
        timed(one_step, 0)
    ratios, seconds = [], {"srbench": [], "bare": []}
    for block in range(arguments.blocks):
        seconds["bare"].append(timed(bare, block * arguments.steps))
        seconds["srbench"].append(timed(ours, block * arguments.steps))
        ratios.append(seconds["bare"][-1] / seconds["srbench"][-1])
    machine = f"{engine.device}, {engine.threads} threads, {engine.kernels}, {engine.precision}"
    print(f"{machine}, torch {torch.__version__}")
    for name, values in seconds.items():
        print(f"{name:8} {statistics.median(values):.4f} s a step (median of {len(values)} turns)")
    print(
        f"ratio    {statistics.median(ratios):.3f} of the bare loop's steps per second (goal: 0.95 or more)"
    )


if __name__ == "__main__":
    main()
