"""What an executor is given, and what it gives back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from srbench.errors import SrbenchError
from srbench.evaluate.scoring import Scoring
from srbench.plan import Job
from srbench.train.device import Determinism
from srbench.train.loop import Cadence
from srbench.train.stop import Stop


@dataclass(frozen=True)
class Settings:
    """How to run jobs; none of it changes what they are. Plain data that can be pickled.

    Args:
        device: where to train and score, as typed (`auto`, `cpu`, `cuda`, `cuda:1`) or as torch has it: it is
            looked up by the machine and process that does the work.
        determinism: `exact` or `fast`, for runs that start now.
        cadence: of evaluations and checkpoints.
        scoring: metrics and rules.
        provenance: what to record of this command.
        quiet: no progress bars.
        allow_missing: score the pictures of a folder that are there.
        processes: how many train a run together.
        threads: CPU threads of a run that starts now; None: all that torch takes.
        lpips_weights: folder to look for published weights of metrics and losses in first.
    """

    device: str | torch.device
    determinism: Determinism
    cadence: Cadence
    scoring: Scoring
    provenance: Mapping[str, Any] = field(default_factory=dict)
    quiet: bool = False
    allow_missing: bool = False
    processes: int = 1
    threads: int | None = None
    lpips_weights: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a job: `done`, `nothing to do`, the error that ended it, or where it waits.

    Args:
        run_id: of its run.
        error: what ended it.
        did_anything: whether anything was left to do.
        queued_as: of an executor that does not wait for its jobs: what the batch system calls this one.
    """

    run_id: str
    error: SrbenchError | None = None
    did_anything: bool = True
    queued_as: str | None = None


class Executor(Protocol):
    """Where runs are done; what the builder of `register_executors` returns."""

    def execute(
        self, jobs: Sequence[Job], results: Path, settings: Settings, stop: Stop
    ) -> Sequence[Outcome]:
        """Do the jobs, each by `run_job` in whatever process on whatever machine.

        One that fails leaves the others alone. One that another process works on is not touched. When
        `stop.reason` is no longer None, what runs is asked to stop, and nothing more is begun.
        Returns what became of each.

        Args:
            jobs: from `plan`, baselines first; frozen, and can be pickled.
            results: the store's folder.
            settings: how.
            stop: whether and why to stop.
        """
        ...


class Workers(Protocol):
    """Who does the jobs of a `Queue`: processes of this machine, or tasks on many."""

    @property
    def has_room(self) -> bool:
        """Whether one more job can be begun now."""
        ...

    def begin(self, job: Job) -> None:
        """Have it done by `run_job`, now or when its turn comes.

        Raises:
            SrbenchError: it cannot be handed over.
        """
        ...

    def ask_to_stop(self, reason: str) -> Sequence[Job]:
        """Have what is at work save and end; called once. Returns the jobs that are not begun any more."""
        ...

    def listen(self) -> Sequence[tuple[Job, Outcome]]:
        """Wait a moment, and tell the view what runs say. Returns the jobs that have ended, and how.

        Where a job's process was lost, that is recorded (`record_loss`).
        """
        ...

    def close(self) -> None:
        """End at once what is still at work."""
        ...
