"""queued.json: which job of a batch system a run waits for, or is done by."""

from contextlib import suppress
from dataclasses import asdict, dataclass

from srbench.files import parse_json, read_regular, write_json
from srbench.store.layout import RunPaths


@dataclass(frozen=True)
class Queued:
    """A job that has been handed over and is not over yet, as far as this store was told.

    Args:
        executor: who handed it over, as it is typed.
        job: its id there.
        folder: where that executor keeps what the job says.
        since: when (UTC, ISO 8601).
    """

    executor: str
    job: str
    folder: str
    since: str


def write_queued(paths: RunPaths, queued: Queued) -> None:
    """Say that a job is to do this run.

    Raises:
        StoreError: it cannot be written.
    """
    write_json(paths.queued, asdict(queued))


def read_queued(paths: RunPaths) -> Queued | None:
    """The job that is to do this run; None where there is none, or the file says nothing of use."""
    try:
        found = Queued(**parse_json(read_regular(paths.queued)))
    except (OSError, ValueError, TypeError):
        return None
    return found if all(isinstance(value, str) for value in asdict(found).values()) else None


def remove_queued(paths: RunPaths) -> None:
    """No job is to do this run any more."""
    with suppress(OSError):  # what is left of it is found stale
        paths.queued.unlink(missing_ok=True)
