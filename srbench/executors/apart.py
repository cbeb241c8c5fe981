"""One run in a process of its own, for executors that do runs elsewhere."""

from collections.abc import Callable
from pathlib import Path

from srbench.executors.contract import Outcome, Settings
from srbench.executors.queue import Queue
from srbench.executors.slots import Slot
from srbench.executors.view import View
from srbench.plan import Job
from srbench.progress import News, Said
from srbench.store.layout import RunPaths
from srbench.store.lease import held_by, read_owner
from srbench.train.device import THREADS
from srbench.train.stop import Stop


def run_apart(
    job: Job, results: Path, settings: Settings, stop: Stop, hear: Callable[[object], object]
) -> Outcome:
    """As `run_job`, in a process of its own: when that is lost, its cause is recorded and returned.

    Args:
        job, results, settings: as `run_job` has them; `settings.threads` None: all that torch takes.
        stop: looked at a few times a second; then the process saves and ends.
        hear: given what the run says, as it says it: things that can be pickled, which `View.hear` shows.
    """
    slot = Slot(str(settings.device), settings.threads or THREADS)
    try:
        (outcome,) = Queue([job], results, settings, [slot], stop, _Ear(job, results, hear)).work()
    except _TakenError:
        paths = RunPaths(results / job.spec.id)
        return Outcome(job.spec.id, held_by(paths, read_owner(paths)))
    return outcome


class _TakenError(Exception):
    """Another process works on the run; no error of srbench's, which a queue would take for the run's own."""


class _Ear(View):
    """A view that shows nothing and passes on what is said."""

    def __init__(self, job: Job, results: Path, hear: Callable[[object], object]) -> None:
        super().__init__([job], results, quiet=True)
        self._hear = hear

    def taken(self, job: Job) -> None:
        """Who waits for a process elsewhere would hold a place for nothing.

        Raises:
            _TakenError: always.
        """
        raise _TakenError

    def tell(self, job: Job, news: News) -> None:
        self._hear(news)

    def say(self, job: Job, line: str, level: int) -> None:
        self._hear(Said(level, line))

    def finished(self, job: Job, outcome: Outcome) -> None:
        """What became of it is returned."""
