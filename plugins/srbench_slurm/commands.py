"""What Slurm's own commands say and do; without submitit."""

import logging
import shutil
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence

_OVER = frozenset(
    (
        *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY"),
        *("PREEMPTED", "TIMEOUT"),
    )
)
"""States of a job that will not run any more; squeue shows them for some minutes."""
_AT_WORK = frozenset({"RUNNING", "COMPLETING"})
_PATIENCE_S = 60.0

_log = logging.getLogger(__name__)


def is_over(state: str | None) -> bool:
    """Whether a job in this state, or one that Slurm does not know any more (None), is past."""
    return state is None or state in _OVER


def is_at_work(state: str | None) -> bool:
    """Whether its process may exist."""
    return state in _AT_WORK


def states() -> dict[str, str] | None:
    """Id of each of this user's jobs → its state; None where Slurm does not answer."""
    said = _said("squeue", "--me", "--noheader", "--array", "--states=all", "--format=%i|%T")
    if said is None:
        return None
    return dict(line.strip().split("|", 1) for line in said.splitlines() if "|" in line)


def still_queued(jobs: Sequence[str]) -> Collection[str]:
    """Those of the jobs that are not over; all where Slurm cannot be asked, as on another machine."""
    if shutil.which("squeue") is None:
        return jobs
    now = states()
    return jobs if now is None else [job for job in jobs if not is_over(now.get(job))]


def end_of(job: str) -> Mapping[str, str]:
    """What Slurm still knows of how a job ended: some of `JobState`, `Reason`, `ExitCode`.

    The controller knows it for some minutes; after that accounting does, where there is any.
    """
    said = _said("scontrol", "show", "job", job, "--oneliner")
    if said:
        pairs = (word.partition("=") for word in said.split())
        return {name: value for name, _, value in pairs if name in ("JobState", "Reason", "ExitCode")}
    said = _said(
        "sacct", "--noheader", "--allocations", "--parsable2", "--format=State,ExitCode", "--jobs", job
    )
    if said and "|" in said:
        state, code = said.splitlines()[0].split("|", 1)
        return {"JobState": state.split()[0], "ExitCode": code}
    return {}


def cancel_waiting(jobs: Iterable[str]) -> None:
    """Cancel those of the jobs that have not begun."""
    named = list(jobs)
    for first in range(0, len(named), 100):
        _said("scancel", "--state=PENDING", *named[first : first + 100])


def _said(*command: str) -> str | None:
    """What a command prints; None where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.debug("%s: %s", command[0], error)
        return None
    if done.returncode:
        _log.debug("%s: %s", " ".join(command), done.stderr.strip())
        return None
    return done.stdout
