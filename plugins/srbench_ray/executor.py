"""The executor `ray`: each run a task of a Ray cluster, which is joined, or started on this machine."""

import importlib.util
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path

from srbench.api import Job, Outcome, Queue, Settings, SrbenchError, Stop, UsageError, View


class Ray:
    """What `ray` builds.

    Args:
        address: of a cluster: `host:6379`, `ray://host:10001`, or `auto` for the one that this machine
            belongs to; None: Ray is started on this machine for the time of the command.
        cpus_per_run: CPU cores that a run takes, and its number of threads.
        gpus_per_run: GPUs that a run takes, or a part of one; None: one where the cluster has any.
    """

    def __init__(
        self, address: str | None = None, cpus_per_run: int = 1, gpus_per_run: float | None = None
    ) -> None:
        if cpus_per_run < 1:
            raise ValueError(f"cpus_per_run is at least 1, not {cpus_per_run}")
        if gpus_per_run is not None and (gpus_per_run < 0 or (gpus_per_run > 1 and gpus_per_run % 1)):
            raise ValueError(f"gpus_per_run is a part of one GPU or a whole number, not {gpus_per_run:g}")
        if importlib.util.find_spec("ray") is None:
            raise UsageError(
                'The executor ray needs Ray, which is not installed: pip install "srbench-harness[ray]" '
                "brings it. The nodes of a cluster need the same."
            )
        self._address, self._cpus, self._gpus = address, cpus_per_run, gpus_per_run

    def execute(
        self, jobs: Sequence[Job], results: Path, settings: Settings, stop: Stop
    ) -> Sequence[Outcome]:
        """As `srbench.api.Executor.execute`.

        Raises:
            UsageError: the cluster cannot be joined, or what a run takes is not to be had there.
            SrbenchError: the cluster was lost.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told of what is run here
        from ray.exceptions import RayError

        from srbench_ray.cluster import first_line, joined, resources_of
        from srbench_ray.tasks import Tasks

        results = results.absolute()
        with joined(self._address):
            gpus = resources_of(self._address, self._cpus, self._gpus, str(settings.device))
            how = replace(settings, device="cuda" if gpus else "cpu", threads=self._cpus)
            with _mark(results) as mark, View(jobs, results, quiet=settings.quiet) as view, _silence():
                try:
                    tasks = Tasks(results, how, gpus, mark, stop, view)
                    return Queue(jobs, results, how, tasks, stop, view).work()
                except (RayError, ConnectionError) as error:
                    stop.check()  # a signal to all processes of a job ends Ray too
                    raise SrbenchError(
                        f"The Ray cluster was lost ({first_line(error)}). What the runs had "
                        "saved is there: when the cluster is back, the same command goes on."
                    ) from error


@contextmanager
def _silence() -> Iterator[None]:
    """What Ray prints of its nodes, by the page and to stdout, where results belong, is in its logs too."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        yield


@contextmanager
def _mark(results: Path) -> Iterator[Path]:
    """A file in the store while the block runs, by which a node knows that it sees the same folder."""
    mark = results / f".ray-{uuid.uuid4().hex[:12]}"
    try:
        results.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError as error:
        raise SrbenchError(f"{results} cannot be written ({error}).") from error
    try:
        yield mark
    finally:
        mark.unlink(missing_ok=True)
