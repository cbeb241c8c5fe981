"""RunSpec → checkpoints: one loop, read from top to bottom in the order in which it happens."""

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from srbench.checkpoint.format import Checkpoint, folder_name, folders
from srbench.checkpoint.read import read_checkpoint, read_latest
from srbench.components import Model
from srbench.errors import CheckpointError, DivergedError, StoppedError, UsageError
from srbench.images.stochastic import Degradation
from srbench.images.tiles import TileStore
from srbench.plan import Job
from srbench.plan.settings import Budget
from srbench.plugins import host
from srbench.predict import predicted_scales
from srbench.progress import Bar, bar, steps
from srbench.registry import registry
from srbench.spec import RunSpec
from srbench.store.layout import RunPaths
from srbench.store.runs import RunRecord
from srbench.train.device import Engine, autocast_dtype
from srbench.train.journal import Journal, NoJournal
from srbench.train.sampling import samples
from srbench.train.schedule import SCHEDULES
from srbench.train.state import TrainingState
from srbench.train.step import TrainStep
from srbench.train.stop import Stop
from srbench.train.validate import Validated, Validation
from srbench.train.world import ALONE, World

_EVALUATE_EVERY_STEPS = 200
_RUN_AWAY = 1e4
"""A loss this many times that of the first step will not come back, unless it may be below zero."""
_LOOK_EVERY_STEPS = 16
"""On a GPU, reading the loss waits for the device: done this often. On a CPU it is free."""


@dataclass(frozen=True)
class Cadence:
    """How often things happen; none of it changes what is trained.

    Args:
        save_every_s: seconds between checkpoints.
        eval_every: steps between evaluations; None: the first whole number of epochs that is ≥ 200 steps.
        patience: as good as the budget's end: so many evaluations in a row without a best one.
    """

    save_every_s: float = 60.0
    eval_every: int | None = None
    patience: int | None = None


@dataclass
class Progress:
    """The scalars of a run that go through the checkpoint.

    Args:
        sums: loss or term of it → sum since the last evaluation.
        summed: steps in `sums`.
        evaluated: step of the last evaluation.
        first_loss: total loss of the first step.
        best: `{"step", "psnr"}` of the best validation so far, or None.
    """

    sums: dict[str, float]
    summed: int = 0
    evaluated: int = 0
    first_loss: float | None = None
    best: dict[str, Any] | None = None


def train(
    job: Job,
    paths: RunPaths,
    record: RunRecord,
    engine: Engine,
    device: torch.device,
    cadence: Cadence,
    stop: Stop,
    world: World = ALONE,
    *,
    quiet: bool = False,
) -> None:
    """Bring a run to its budget.

    Args:
        job: spec, budget and pictures of a run with something to train.
        paths: the run's files; the caller holds its lock.
        record: what run.json holds so far (of a new run: not written yet).
        engine: already applied to the process.
        device: where.
        cadence: of evaluations and checkpoints.
        stop: looked at after every step and between pictures.
        world: the processes that train it together; the first one alone writes, and decides.
        quiet: no progress bars.

    Raises:
        StoppedError: asked to stop; everything is saved.
        DivergedError: the loss became NaN or ran away; the last good checkpoint is kept.
        UsageError: patience without validation pictures; nothing has been written.
        PictureError, DatasetError: a picture cannot be used; nothing has been written.
        CheckpointError: no sound checkpoint is left, or it does not fit.
        StoreError: the disk is full, or the folder cannot be written or is gone.
        RunLockedError: another process has taken the run over.
    """
    spec, dataset = job.spec, job.dataset
    assert dataset is not None
    assert spec.batch is not None
    assert spec.patch is not None
    assert spec.schedule is not None
    if cadence.patience is not None and not dataset.pictures.val:
        raise UsageError(
            f"--patience waits for a better validation, and dataset {dataset.text!r} has no validation "
            "pictures. Leave it out."
        )
    model: Model = registry().find("model", spec.model.name)
    degradation = registry().find("degradation", spec.degradation.name)
    degrade: Degradation = degradation.make(**spec.degradation.params)
    state = TrainingState(spec, device, fp16=engine.precision == "fp16")
    multiple = model.padded_to(spec.model.params)
    scales = predicted_scales(state.scored, spec.scale, multiple, device, model.title)

    train_pictures = dataset.pictures.train
    held_out = dataset.pictures.val or dataset.pictures.test
    with steps(f"{paths.id}: pictures", len(train_pictures) + len(held_out), stop.check, quiet=quiet) as tick:
        tiles = TileStore(train_pictures, scales, degrade, spec.patch, device, tick)
        validation = Validation(spec, held_out, scales, degrade, multiple, device, tick)
    steps_per_epoch = tiles.slots / spec.batch
    target = budget_steps(job.budget, steps_per_epoch)
    grid = cadence.eval_every or math.ceil(_EVALUATE_EVERY_STEPS / steps_per_epoch) * steps_per_epoch

    journal = (Journal if world.leads else NoJournal)(paths, spec, record)
    if world.leads and job.start is not None and not folders(paths.checkpoints):
        state.begin_from(job.start)
        # From here on nothing is needed of what it began from.
        journal.save_first(state, asdict(Progress({})))
    found = _checkpoint(paths, spec, world)
    progress, step = Progress({}), 0
    if found is not None:
        state.load(found.model, found.state, found.scalars)
        progress, step = Progress(**found.scalars["progress"]), found.step
    elif spec.origin is not None:
        raise CheckpointError(
            f"{paths.id} began from {spec.origin.run or 'a file'} and has no checkpoint of its own. Give "
            "the same command once more."
        )
    world.wait()  # until all have read it: the first one may write another in its place
    journal.cut_back(step, progress.evaluated)
    if journal.is_out_of_patience(cadence.patience, progress.best):
        target = step
    journal.begin(step, progress.evaluated, max(target, step), steps_per_epoch)

    wants_steps = bool(host().implementations("step_finished"))
    train_step = TrainStep(spec, state, device, autocast_dtype(engine), world)
    rate = SCHEDULES[spec.schedule.name](**spec.schedule.params)
    look_every = 1 if device.type == "cpu" or wants_steps else _LOOK_EVERY_STEPS
    sums = LossSums(progress, device)
    changed, note, longest_step_s = found is None, "", 0.0

    def save() -> None:
        nonlocal changed
        journal.settle()
        sums.store(progress)
        if not state.is_finite():
            raise _diverged(paths, spec, step, "a weight is NaN", journal.saved)
        # asdict copies: the sums that go on must not be those of the checkpoint.
        journal.save(step, state, asdict(progress))
        changed = False

    with bar(paths.id, target, step, quiet=quiet) as shown, journal:
        journal.enter("training", step)
        while True:
            if _on_grid(step, grid) and progress.evaluated != step:
                journal.enter("validation", step)
                try:
                    validated = validation(state.scored, stop.check)
                except StoppedError:
                    # Saved as it stands; the resumed run evaluates this step first.
                    save()
                    journal.timing(step)
                    journal.settle()
                    raise _stopped(paths, stop, step, target) from None
                sums.store(progress)
                on = "val" if dataset.pictures.val else "test"
                line = _history_line(step, steps_per_epoch, progress, validated, on)
                journal.history(line)
                journal.timing(step)
                used = (spec.learning_rate or 0.0) * rate(step - 1, steps_per_epoch)
                journal.emit("evaluation_finished", step=step, line=line, learning_rate=used)
                _say(shown, paths.id, line)
                journal.enter("training", step)
                is_best = bool(dataset.pictures.val) and _better(progress, step, validated.psnr[spec.scale])
                progress.sums, progress.summed, progress.evaluated = {}, 0, step
                sums.reset()
                changed = True
                if is_best:
                    save()
                if journal.is_out_of_patience(cadence.patience, progress.best) and step < target:
                    shown.say(
                        f"{paths.id}: {cadence.patience} evaluations without a better one; this is the end."
                    )
                    target = step

            is_over = step >= target or stop.reason is not None
            is_due = changed and (is_over or journal.since_save_s >= cadence.save_every_s)
            ending, saving = world.decide(is_over, is_due)
            if saving:
                save()
            if ending:
                journal.settle()
                break

            began = time.monotonic()
            drawn = samples(spec.seeds.order, spec.seeds.crops, step, spec.batch, tiles.slots)
            mine = world.share(spec.batch)
            batch = tiles.batch(drawn.slot[mine], drawn.random[mine], drawn.turn[mine], drawn.seeds[mine])
            losses = train_step(batch, step, rate(step, steps_per_epoch))
            sums.add({**losses.totals, **losses.terms})
            step, changed = step + 1, True
            longest_step_s = max(longest_step_s, time.monotonic() - began)
            stop.reserve_s = longest_step_s + journal.reserve_s
            journal.notice()

            if step % look_every == 0 or step == 1:
                loss = math.fsum(float(value) for value in losses.totals.values())
                progress.first_loss = loss if progress.first_loss is None else progress.first_loss
                is_bounded = not state.critics and spec.trainer is None and progress.first_loss > 0
                if not math.isfinite(loss) or (is_bounded and loss > _RUN_AWAY * progress.first_loss):
                    journal.settle()
                    raise _diverged(paths, spec, step, f"the loss is {loss:.3g}", journal.saved)
                note = f"loss {loss:.4g}, {journal.images_per_s(step):.0f} img/s"
                if wants_steps:
                    journal.emit("step_finished", step=step, loss=loss)
            # In whole numbers: 35 steps of 3 of 7 patches are 15 epochs, and 14.99… in floating point.
            epoch = step * spec.batch // tiles.slots
            if epoch > (step - 1) * spec.batch // tiles.slots:
                journal.emit("epoch_finished", step=step, epoch=epoch)
            shown.advance(note)

    if progress.evaluated != step:
        journal.last_timing(step)
    if step < target:
        raise _stopped(paths, stop, step, target)


def _checkpoint(paths: RunPaths, spec: RunSpec, world: World) -> Checkpoint | None:
    """What all processes go on from: the newest sound checkpoint that the first one finds."""
    found = read_latest(paths.checkpoints, spec.sha256, paths.id) if world.leads else None
    (step,) = world.decide(found.step if found is not None else -1)
    if world.leads or step < 0:
        return found
    return read_checkpoint(paths.checkpoints / folder_name(step), spec.sha256)


def budget_steps(budget: Budget, steps_per_epoch: float) -> int:
    """A budget in steps; the last step of an epoch budget is the one that completes the epoch."""
    if budget.steps is not None:
        return budget.steps
    return math.ceil((budget.epochs or 0) * steps_per_epoch - 1e-9)


class LossSums:
    """Loss sums since the last evaluation, in float64 on the device: adding does not wait for it.

    Args:
        progress: where a checkpoint left the sums.
        device: of the losses.
    """

    def __init__(self, progress: Progress, device: torch.device) -> None:
        self._names = list(progress.sums)
        self._total = torch.tensor(list(progress.sums.values()), dtype=torch.float64, device=device)
        self._count = progress.summed

    def add(self, losses: Mapping[str, Tensor]) -> None:
        """Add the losses of one step."""
        # By name: sums that come from a checkpoint are in the order of its JSON, not in that of the networks.
        self._names = self._names or list(losses)
        values = torch.stack([losses[name].double() for name in self._names])
        self._total = self._total + values if self._count else values
        self._count += 1

    def store(self, progress: Progress) -> None:
        """Bring the sums into `progress`, for a checkpoint or an evaluation; waits for the device."""
        progress.sums = dict(zip(self._names, self._total.tolist(), strict=True))
        progress.summed = self._count

    def reset(self) -> None:
        """Begin anew."""
        self._names, self._total, self._count = [], self._total[:0], 0


def _on_grid(step: int, grid: float) -> bool:
    """Whether a step is the first at or past a multiple of `grid` steps (a whole number of epochs)."""
    nth = round(step / grid)
    return nth > 0 and step == math.ceil(nth * grid - 1e-9)


def _history_line(
    step: int,
    steps_per_epoch: float,
    progress: Progress,
    validated: Validated,
    on: str | None,
) -> dict[str, Any]:
    """One line of history.jsonl: mean loss since the last one, PSNR and detail by scale and plane."""
    mean = {name: total / progress.summed for name, total in progress.sums.items()}
    curves = {
        name: {
            str(scale): {plane: value if math.isfinite(value) else None for plane, value in planes.items()}
            for scale, planes in curve.items()
        }
        for name, curve in validated._asdict().items()
    }
    epoch = round(step / steps_per_epoch, 6)
    losses = {"loss": {name: value for name, value in mean.items() if "/" not in name}}
    terms = {name: value for name, value in mean.items() if "/" in name}
    if terms:
        losses["terms"] = terms
    return {"step": step, "epoch": epoch, **losses, **curves, "on": on if validated.psnr else None}


def _better(progress: Progress, step: int, psnr: Mapping[Any, float]) -> bool:
    """Take note of the best validation: mean PSNR over planes at the run scale."""
    mean = math.fsum(psnr.values()) / len(psnr)
    if not math.isfinite(mean) or (progress.best is not None and mean <= progress.best["psnr"]):
        return False
    progress.best = {"step": step, "psnr": mean}
    return True


def _say(shown: Bar, run_id: str, line: Mapping[str, Any]) -> None:
    named = {**line["loss"], **line.get("terms", {})}
    loss = ", ".join(f"{name} {value:.4g}" for name, value in named.items())
    where = "test (no val pictures)" if line["on"] == "test" else line["on"]
    curves = f"; PSNR on {where}: {_curve(line['psnr'])} dB; detail {_curve(line['detail'])}"
    curves = curves if line["on"] else ""
    shown.say(f"{run_id}: step {line['step']:,}, epoch {line['epoch']:.1f}: loss {loss}{curves}")


def _curve(scales: Mapping[str, Mapping[str, float | None]]) -> str:
    """`×2 r 30.91 g 31.05; ×4 r 26.50 g 26.56`."""
    return "; ".join(
        f"×{scale} " + " ".join(f"{plane} {'–' if v is None else f'{v:.2f}'}" for plane, v in planes.items())
        for scale, planes in scales.items()
    )


def _stopped(paths: RunPaths, stop: Stop, step: int, target: int) -> StoppedError:
    return StoppedError(
        f"{paths.id} stopped at step {step:,} of {target:,} on {stop.reason}; everything is saved. "
        "Run the same command to go on."
    )


def _diverged(paths: RunPaths, spec: RunSpec, step: int, what: str, saved: int) -> DivergedError:
    rate = spec.learning_rate or 0.0
    kept = f"Last good checkpoint: step {saved:,}." if saved else "No checkpoint had been saved yet."
    return DivergedError(
        f"{paths.id} stopped at step {step:,}: {what.replace('nan', 'NaN')}. {kept} A learning rate of "
        f"{rate:g} is the likely cause; try --lr {rate / 10:g}, or --clip 1."
    )
