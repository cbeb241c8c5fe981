"""How long jobs will train: by timings in the store, or by a few steps measured here."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from srbench.errors import SrbenchError, StoppedError
from srbench.files import canonical_json
from srbench.images.png import picture_size
from srbench.images.tiles import TileStore
from srbench.plan import Job
from srbench.predict import predicted_scales
from srbench.progress import steps
from srbench.registry import registry
from srbench.spec import RunSpec
from srbench.store.history import read_lines
from srbench.store.layout import RunPaths
from srbench.store.runs import RunRecord, list_runs, read_record
from srbench.train.device import Determinism, Engine, apply_engine, autocast_dtype, choose_engine
from srbench.train.loop import budget_steps
from srbench.train.sampling import samples
from srbench.train.state import TrainingState
from srbench.train.step import TrainStep
from srbench.types import Picture

_MEASURED_STEPS, _MEASURED_S = 5, 2.0
"""A measurement ends after so many steps, or so many seconds."""
_PICTURE = 512
"""Side of the picture that steps are measured on, where patches are no larger."""


@dataclass(frozen=True)
class Forecast:
    """What is known of a job before it runs.

    Args:
        job: from the plan.
        record: what the store has of it; None: nothing.
        target: the step to come to; 0 for a model that is not trained.
        left_s: seconds of training that are left; None: nobody knows.
        basis: where that comes from, or why it is not known.
    """

    job: Job
    record: RunRecord | None
    target: int
    left_s: float | None = 0.0
    basis: str = ""


def forecast(
    jobs: Sequence[Job],
    results: Path,
    device: torch.device,
    determinism: Determinism = "exact",
    processes: int = 1,
    check: Callable[[], None] = lambda: None,
    *,
    quiet: bool = False,
) -> list[Forecast]:
    """How far each job is, and how long the rest of its training may take.

    Seconds a step are those of the run itself, or of a stored run with the same model, channels, scale,
    losses, batch, patch and degradation on the same kind of device; such timings include validation. Where
    there is none, a few steps are measured, once for all runs that are alike in this.

    Args:
        jobs: from `plan`.
        results: the store.
        device: where they would run.
        determinism: of runs that start now.
        processes: how many would train each run together.
        check: called between measurements; raises to stop.
        quiet: no progress bar.
    """
    known = _stored_speeds(results)
    found: list[Forecast] = []
    with steps("estimating", len(jobs), check, quiet=quiet) as tick:
        for job in jobs:
            record = read_record(RunPaths(results / job.spec.id))
            found.append(_forecast(job, record, results, known, device, determinism, processes))
            tick()
    return found


_Speeds = dict[str, tuple[float, str]]
"""What runs are alike in → seconds a step, and where that is from."""


def _forecast(
    job: Job,
    record: RunRecord | None,
    results: Path,
    known: _Speeds,
    device: torch.device,
    determinism: Determinism,
    processes: int,
) -> Forecast:
    spec = job.spec
    if not spec.trained:
        return Forecast(job, record, 0)
    target = budget_steps(job.budget, _steps_per_epoch(job))
    left = target - (record.step if record else 0)
    if left <= 0:
        return Forecast(job, record, target)
    own = _seconds_a_step(RunPaths(results / spec.id)) if record else None
    if own is not None:
        return Forecast(job, record, target, left * own, "its own timings")
    engine = choose_engine(device, spec.precision or "fp32", determinism, processes)
    alike = _alike(spec.data(), engine.data())
    if alike not in known:
        if processes > 1:
            return Forecast(job, record, target, None, "no run like it was timed with as many processes")
        try:
            known[alike] = (measure(spec, device, engine), "a few measured steps")
        except StoppedError:
            raise
        except (SrbenchError, RuntimeError) as error:
            return Forecast(job, record, target, None, f"a step cannot be tried ({error})")
    seconds, basis = known[alike]
    return Forecast(job, record, target, left * seconds, basis)


def _steps_per_epoch(job: Job) -> float:
    """As training will count them; a picture's size is read from its header."""
    assert job.dataset is not None
    assert job.spec.patch is not None
    assert job.spec.batch is not None
    if job.budget.steps is not None:
        return 1.0  # which a budget in steps does not ask for
    slots = 0
    for picture in job.dataset.pictures.train:
        height, width = (0, 0) if picture.box else picture_size(picture.hr)
        slots += 1 if picture.box else (height // job.spec.patch) * (width // job.spec.patch)
    return slots / job.spec.batch


def _alike(spec: dict[str, Any], engine: dict[str, Any]) -> str:
    """What the time of a step depends on."""
    fields = {key: spec[key] for key in ("model", "channels", "scale", "batch", "patch", "degradation")}
    losses = [(term["name"], term["params"]) for term in spec["loss"] or ()]
    machine = {key: engine.get(key, 1) for key in ("device", "precision", "threads", "kernels", "processes")}
    return canonical_json({**fields, "losses": losses, "machine": machine})


def _stored_speeds(results: Path) -> _Speeds:
    """Those of all timed runs in the store; of several that are alike, the one that trained longest."""
    found: dict[str, tuple[int, float, str]] = {}
    for run in list_runs(results)[0]:
        spec, step = run.record.spec, run.record.step
        seconds = _seconds_a_step(run.paths) if spec.get("loss") and step else None
        if seconds is not None:
            alike = _alike(dict(spec), dict(run.record.engine))
            found[alike] = max(found.get(alike, (0, 0.0, "")), (step, seconds, f"the timings of {run.id}"))
    return {alike: (seconds, basis) for alike, (_, seconds, basis) in found.items()}


def _seconds_a_step(paths: RunPaths) -> float | None:
    lines = read_lines(paths.timings)
    if not lines or not lines[-1]["step"] or "elapsed_s" not in lines[-1]:
        return None
    return float(lines[-1]["elapsed_s"] / lines[-1]["step"])


def measure(spec: RunSpec, device: torch.device, engine: Engine) -> float:
    """Seconds a training step takes here, on noise, after one that warms up.

    Args:
        spec: of a run that is trained.
        device: where.
        engine: how; it is applied to the process.
    """
    assert spec.batch is not None
    assert spec.patch is not None
    apply_engine(engine)
    model = registry().find("model", spec.model.name)
    degrade = registry().find("degradation", spec.degradation.name).make(**spec.degradation.params)
    state = TrainingState(spec, device, fp16=engine.precision == "fp16")
    scales = predicted_scales(state.scored, spec.scale, model.padded_to(spec.model.params), device)
    side = max(_PICTURE, spec.patch)
    noise = np.random.default_rng(0).integers(0, 256, (side - side % spec.scale,) * 2 + (3,), dtype=np.uint8)
    tiles = TileStore([Picture("noise", noise)], scales, degrade, spec.patch, device)
    step = TrainStep(spec, state, device, autocast_dtype(engine))

    def once(number: int) -> None:
        drawn = samples(spec.seeds.order, spec.seeds.crops, number, spec.batch or 1, tiles.slots)
        losses = step(tiles.batch(drawn.slot, drawn.random, drawn.turn, drawn.seeds), number, 1.0)
        for value in losses.totals.values():
            float(value)  # waits for the device

    once(0)
    began = time.monotonic()
    for number in range(1, _MEASURED_STEPS + 1):
        once(number)
        if time.monotonic() - began > _MEASURED_S:
            break
    return (time.monotonic() - began) / number
