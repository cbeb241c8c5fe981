"""Slurm, as `Watch` needs it: hand over, look, cancel what waits, and what became of a job."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from submitit import SlurmExecutor
from submitit.core.utils import FailedJobError, FailedSubmissionError

from srbench.api import UsageError
from srbench_slurm import commands
from srbench_slurm.executor import SIGNAL, Wishes
from srbench_slurm.task import Task

_MOST_AT_A_TIME = 1000
"""Slurm's own limit on an array, unless somebody has moved it."""
_FOR_EVER = 1 << 30


class Machines(Protocol):
    """Where jobs go."""

    name: str
    """What people call it."""

    def submit(self, tasks: Sequence[Task], folder: Path) -> list[str]:
        """Hand tasks over; returns the id of the job of each.

        Raises:
            UsageError: they are refused.
        """
        ...

    def states(self) -> Mapping[str, str] | None:
        """Job → state, in Slurm's words; None where that cannot be told now."""
        ...

    def cancel_waiting(self, jobs: Iterable[str]) -> None:
        """Cancel those that have not begun."""
        ...

    def end_of(self, job: str) -> Mapping[str, str]:
        """What is known of how a job ended: some of `JobState`, `Reason`, `ExitCode`."""
        ...


class Cluster:
    """The `Machines` of Slurm.

    Args:
        wishes: of each job.
    """

    name = "Slurm"

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        logging.getLogger("submitit").setLevel(logging.WARNING)

    def submit(self, tasks: Sequence[Task], folder: Path) -> list[str]:
        """As `Machines.submit`, in arrays."""
        jobs: list[str] = []
        for first in range(0, len(tasks), _MOST_AT_A_TIME):
            part = tasks[first : first + _MOST_AT_A_TIME]
            executor = SlurmExecutor(folder, max_num_timeout=_FOR_EVER)
            executor.update_parameters(
                wckey=None,
                array_parallelism=self._wishes.at_once or len(part),
                additional_parameters=self._wishes.sbatch,
                stderr_to_stdout=True,
                srun_args=[f"--cpus-per-task={self._wishes.sbatch['cpus_per_task']}"],  # not inherited
                setup=[f"export SUBMITIT_PREEMPT_SIGNAL={SIGNAL}"],
            )
            try:
                jobs += [job.job_id for job in executor.submit_array(part)]
            except (FailedJobError, FailedSubmissionError) as error:
                commands.cancel_waiting(jobs)
                raise UsageError(
                    f"Slurm does not take the jobs ({_words(error)}). Correct --executor slurm:…; sinfo "
                    "shows partitions and their limits."
                ) from error
        return jobs

    def states(self) -> Mapping[str, str] | None:
        """As `Machines.states`."""
        return commands.states()

    def cancel_waiting(self, jobs: Iterable[str]) -> None:
        """As `Machines.cancel_waiting`."""
        commands.cancel_waiting(jobs)

    def end_of(self, job: str) -> Mapping[str, str]:
        """As `Machines.end_of`."""
        return commands.end_of(job)


def _words(error: Exception) -> str:
    """What sbatch said, without submitit's frame."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line.removeprefix("stderr: ") for line in lines if "sbatch: error" in line]
    return "; ".join(line.removeprefix("sbatch: error: ") for line in said) or " ".join(lines)
