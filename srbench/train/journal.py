"""What a run in training leaves on the disk and tells plugins: checkpoints, history, timings, run.json."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from srbench.checkpoint.format import Checkpoint
from srbench.checkpoint.write import prune, write_checkpoint
from srbench.checkpoint.writer import Writer, copied
from srbench.phases import Phase, enter
from srbench.plugins import host
from srbench.spec import RunSpec
from srbench.store.history import append_line, read_lines, truncate, warn_of_lost
from srbench.store.layout import RunPaths
from srbench.store.lock import check_held
from srbench.store.runs import RunRecord, write_record
from srbench.train.state import TrainingState, weights
from srbench.types import RunInfo

KEEP_CHECKPOINTS = 2
"""How many of the newest are kept, beside the best: one to go on from and one to fall back to."""


class Journal:
    """Writes for one run while it is trained; as a context manager it leaves no write behind.

    Args:
        paths: the run's files; the caller holds its lock.
        spec: the run.
        record: what run.json holds so far (of a new run: not written yet).

    Every method raises StoreError where the disk is full or the folder cannot be written; a checkpoint that
    failed in its thread raises in whichever is called next.
    """

    def __init__(self, paths: RunPaths, spec: RunSpec, record: RunRecord) -> None:
        self.record = record
        self.saved = 0
        self._paths, self._spec_sha256, self._batch = paths, spec.sha256, spec.batch or 1
        self._info = RunInfo(paths.id, paths.directory, spec.data())
        self._writer = Writer()
        self._pending: int | None = None
        self._last_save, self._copy_s = time.monotonic(), 0.0

    def cut_back(self, step: int, evaluated: int) -> None:
        """Drop what history and timings have beyond the checkpoint of `step`: it comes again."""
        truncate(self._paths.history, evaluated)
        warn_of_lost(self._paths.history, evaluated)
        truncate(self._paths.timings, step)

    def begin(self, step: int, evaluated: int, budget: int, steps_per_epoch: float) -> None:
        """Note that the run goes on from `step`, last evaluated at `evaluated`, and with what in view."""
        past = read_lines(self._paths.timings)
        self._clock = _Clock(past[-1]["elapsed_s"] if past else 0.0, step)
        self.saved = step
        provenance = {**self.record.provenance, "steps_per_epoch": steps_per_epoch}
        self.record = replace(
            self.record, status="running", reason=None, step=step, budget=budget, provenance=provenance
        )
        write_record(self._paths, self.record)
        self.emit("run_started", step=step, evaluated=evaluated)
        self.notice()
        self._last_save = time.monotonic()

    def save(self, step: int, state: TrainingState, progress: Mapping[str, Any]) -> None:
        """Copy the state and have it written beside training; what an earlier save wrote is on the disk then.

        Args:
            step: steps trained.
            state: of the run.
            progress: scalars of the loop; nobody may change them later. `best` is kept beside the newest.
        """
        self.settle()
        self.enter("saving", step)
        began = time.monotonic()
        model, model_ready = copied(weights(state.scored))
        tensors, tensors_ready = copied(state.tensors())
        checkpoint = Checkpoint(step, model, tensors, {"progress": progress, **state.scalars()})
        best = progress["best"]["step"] if progress["best"] else None
        self.record = record = replace(self.record, step=step)

        def write() -> None:
            model_ready()
            tensors_ready()
            check_held(self._paths)
            write_checkpoint(self._paths.checkpoints, checkpoint, self._spec_sha256)
            prune(self._paths.checkpoints, KEEP_CHECKPOINTS, best)
            write_record(self._paths, record)
            self.enter("saved", step)

        self._writer.start(write)
        self._copy_s = max(self._copy_s, time.monotonic() - began)
        self._last_save, self._pending = time.monotonic(), step

    def save_first(self, state: TrainingState, progress: Mapping[str, Any]) -> None:
        """The checkpoint of a run that begins from something, on the disk before the run is said to start."""
        self.save(0, state, progress)
        self._writer.wait()

    def settle(self) -> None:
        """Come back when all checkpoints are on the disk."""
        self._writer.wait()
        self.notice()

    def notice(self) -> None:
        """Take note of a checkpoint that is on the disk now, and tell plugins."""
        if self._pending is not None and self._writer.is_done():
            self.saved, self._pending = self._pending, None
            self.emit("checkpoint_saved", step=self.saved)

    def history(self, line: Mapping[str, Any]) -> None:
        """Add an evaluation."""
        append_line(self._paths.history, line)

    def timing(self, step: int) -> None:
        """Add how long it took to come to `step`."""
        append_line(self._paths.timings, self._clock.line(step, self._batch))

    def last_timing(self, step: int) -> None:
        """The same at the end of a sitting, where nothing has been noted of that step yet."""
        if self._clock.step != step:
            self.timing(step)

    def enter(self, phase: Phase, step: int) -> None:
        """Say what the run is busy with from here on."""
        enter(self._paths.id, phase, step)

    def emit(self, event: str, **what: Any) -> None:
        """Tell plugins."""
        host().emit(event, run=self._info, **what)

    def is_out_of_patience(self, patience: int | None, best: Mapping[str, Any] | None) -> bool:
        """Whether so many evaluations on `val` have followed the best."""
        return is_out_of_patience(patience, best, self._paths)

    def images_per_s(self, step: int) -> float:
        """Speed of this sitting."""
        return self._clock.images_per_s(step, self._batch)

    @property
    def since_save_s(self) -> float:
        """Seconds since a checkpoint was taken, or since the sitting began."""
        return time.monotonic() - self._last_save

    @property
    def reserve_s(self) -> float:
        """How long a last checkpoint may take: at the worst a write has just begun, and is waited for."""
        return self._copy_s + 2 * self._writer.longest_s

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)
        if isinstance(error, Exception):
            with suppress(Exception):  # of a write that failed too: the first error is the one to tell
                self.notice()


class NoJournal(Journal):
    """Of a process that trains along with another: that one writes, and this one nothing."""

    def cut_back(self, step: int, evaluated: int) -> None:
        """Nothing."""

    def begin(self, step: int, evaluated: int, budget: int, steps_per_epoch: float) -> None:
        """Start the clock."""
        self._clock = _Clock(0.0, step)

    def save(self, step: int, state: TrainingState, progress: Mapping[str, Any]) -> None:
        """Nothing; the clock of saves goes on."""
        self._last_save = time.monotonic()

    def history(self, line: Mapping[str, Any]) -> None:
        """Nothing."""

    def timing(self, step: int) -> None:
        """Nothing."""

    def last_timing(self, step: int) -> None:
        """Nothing."""

    def enter(self, phase: Phase, step: int) -> None:
        """Nothing."""

    def emit(self, event: str, **what: Any) -> None:
        """Nothing."""

    def is_out_of_patience(self, patience: int | None, best: Mapping[str, Any] | None) -> bool:
        """That is for the first process to say."""
        return False


def is_out_of_patience(patience: int | None, best: Mapping[str, Any] | None, paths: RunPaths) -> bool:
    """Whether the history has so many evaluations on `val` since the best; a resumed run finds the same."""
    if patience is None or best is None:
        return False
    later = [
        line for line in read_lines(paths.history) if line["step"] > best["step"] and line["on"] == "val"
    ]
    return len(later) >= patience


class _Clock:
    """Seconds and speed of this process, on top of the time of earlier ones."""

    def __init__(self, elapsed_s: float, step: int) -> None:
        self._elapsed_s, self.step = elapsed_s, step
        self._began, self._began_step = time.monotonic(), step

    def images_per_s(self, step: int, batch: int) -> float:
        return (step - self._began_step) * batch / max(time.monotonic() - self._began, 1e-9)

    def line(self, step: int, batch: int) -> dict[str, float]:
        speed = self.images_per_s(step, batch)
        self.step = step
        elapsed_s = self._elapsed_s + time.monotonic() - self._began
        return {"step": step, "elapsed_s": round(elapsed_s, 3), "images_per_s": round(speed, 3)}
