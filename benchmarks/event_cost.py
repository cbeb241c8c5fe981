"""What events cost training: a step with a plugin that listens to each of them, against one with none.

    python benchmarks/event_cost.py

LapSRN ×4 by the real loop, on the dataset `sample`. Runs without a listener and with one to `step_finished`
take turns; their speed is what timings.jsonl says. On a GPU a listener also waits for the loss at each step.
Beside it, what the calls alone take: of an event that nobody listens to, and of one that somebody does.
"""

import argparse
import statistics
import tempfile
import time
import types
from dataclasses import replace
from pathlib import Path

import torch

from srbench.evaluate.scoring import Scoring, resolve_metrics
from srbench.executors.local import Settings, execute
from srbench.hookspecs import hookimpl
from srbench.plan import Request, plan
from srbench.plan.settings import Budget
from srbench.plugins import Plugin, host
from srbench.store.history import read_lines
from srbench.store.layout import RunPaths
from srbench.train.device import pick_device
from srbench.train.loop import Cadence
from srbench.train.stop import Stop
from srbench.types import RunInfo

_CALLS = 2000


def main() -> None:
    """Print seconds a step without and with a listener, and microseconds a call."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--channels", default="y")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40, help="steps a turn")
    arguments = parser.parse_args()

    device = pick_device(arguments.device)
    request = Request(
        models=("lapsrn",), losses=("charbonnier",), channels=(arguments.channels,),
        budget=Budget(steps=arguments.steps),
    )  # fmt: skip
    job = replace(plan(request)[-1], tests=())
    settings = Settings(
        device, "exact", Cadence(10**6, 10**6), Scoring(*resolve_metrics(["psnr"])), quiet=True
    )
    listener = types.ModuleType("listener")
    listener.step_finished = hookimpl(specname="step_finished")(lambda run, step, loss: None)  # type: ignore[attr-defined]

    def step_s() -> float:
        with tempfile.TemporaryDirectory() as folder:
            (outcome,) = execute([job], Path(folder), settings, Stop())
            if outcome.error is not None:
                raise outcome.error
            line = read_lines(RunPaths(Path(folder) / job.spec.id).timings)[-1]
        return (job.spec.batch or 1) / line["images_per_s"]

    def call_us(event: str) -> float:
        run = RunInfo(job.spec.id, Path(), job.spec.data())
        began = time.perf_counter()
        for step in range(_CALLS):
            host().emit(event, run=run, step=step, loss=0.5)
        return (time.perf_counter() - began) / _CALLS * 1e6

    step_s()
    without, listened, idle, heard = [], [], [], []
    for _ in range(arguments.turns):
        without.append(step_s())
        idle.append(call_us("step_finished"))
        host().add(listener, Plugin("listener", "benchmark", "1"))
        listened.append(step_s())
        heard.append(call_us("step_finished"))
        host().manager.unregister(listener)
    ratios = sorted(one / other for one, other in zip(listened, without, strict=True))
    print(f"{device}, torch {torch.__version__}, channels {arguments.channels}, batch {job.spec.batch}")
    print(f"a step           {statistics.median(without) * 1e3:.2f} ms (median of {len(without)} turns)")
    print(f"with a listener  {statistics.median(listened) * 1e3:.2f} ms")
    print(f"ratio            {statistics.median(ratios):.3f} (from {ratios[0]:.3f} to {ratios[-1]:.3f})")
    share = statistics.median(heard) / 1e6 / statistics.median(without)
    print(f"a call           {statistics.median(heard):.1f} µs where somebody listens, {share:.3%} of a step")
    print(
        f"                 {statistics.median(idle):.1f} µs where nobody does; in the loop there is none then"
    )


if __name__ == "__main__":
    main()
