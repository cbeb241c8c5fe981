"""The executor `slurm`: the jobs of a command as job arrays of Slurm."""

import importlib.util
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from srbench.api import Job, Outcome, Settings, Stop, UsageError, View

SIGNAL = "USR1"
"""What Slurm sends ahead of a job's end. srbench takes it as a request to stop; it would die of USR2."""


@dataclass(frozen=True)
class Wishes:
    """What a job asks of Slurm.

    Args:
        sbatch: options of sbatch by name, with `_` for `-`; True: one that takes no value.
        at_once: jobs of an array that run at a time; None: as many as Slurm lets.
    """

    sbatch: dict[str, str | bool]
    at_once: int | None


class Slurm:
    """What `slurm` builds.

    Args:
        partition, account, mem: as sbatch takes them; None: what the cluster has by default.
        time: of one sitting, as sbatch takes it: minutes, `hours:minutes:seconds`, `days-hours`. A run that
            needs more goes on in the next.
        cpus_per_run: CPU cores that a run takes, and its number of threads.
        gpus_per_run: GPUs that a run takes; None: one where `--device` asks for GPUs, else none.
        jobs: runs at once; None: as many as Slurm lets.
        warning_s: how long before the time limit a run is told to save.
        sbatch: more options of sbatch, as on its command line.
        wait: whether the command stays until the runs are done.
    """

    def __init__(
        self,
        partition: str | None = None,
        account: str | None = None,
        time: str = "60",
        mem: str | None = None,
        cpus_per_run: int = 1,
        gpus_per_run: int | None = None,
        jobs: int | None = None,
        warning_s: int = 90,
        sbatch: str = "",
        wait: bool = True,
    ) -> None:
        for name, value, least in (
            ("cpus_per_run", cpus_per_run, 1), ("gpus_per_run", gpus_per_run, 0), ("jobs", jobs, 1),
            ("warning_s", warning_s, 1),
        ):  # fmt: skip
            if value is not None and value < least:
                raise ValueError(f"{name} is at least {least}, not {value}")
        more = _parsed(sbatch)
        if importlib.util.find_spec("submitit") is None:
            raise UsageError(
                "The executor slurm needs submitit, which is not installed: pip install "
                '"srbench-harness[slurm]" brings it. The nodes of the cluster need the same.'
            )
        named = {"partition": partition, "account": account, "time": time, "mem": mem}
        self._asked = {key: value for key, value in named.items() if value is not None} | more
        self._cpus, self._gpus, self._jobs = cpus_per_run, gpus_per_run, jobs
        self._warning_s, self._wait = warning_s, wait

    def execute(
        self, jobs: Sequence[Job], results: Path, settings: Settings, stop: Stop
    ) -> Sequence[Outcome]:
        """As `srbench.api.Executor.execute`.

        Raises:
            UsageError: there is no Slurm here, or it does not take what is asked of it.
        """
        if shutil.which("sbatch") is None:
            raise UsageError(
                "There is no sbatch on the PATH of this machine, which is how runs are handed to Slurm. Give "
                "the command on a login node of the cluster, or take --executor local."
            )
        if not self._wait and stop.max_time_s is not None:
            raise UsageError(
                "--max-time limits the command, which does not stay with wait=false. Limit each job by "
                "time=… instead: a run whose time is up saves, and goes on in its next turn."
            )
        from srbench_slurm.cluster import Cluster
        from srbench_slurm.watch import Watch

        gpus = self._gpus_of(str(settings.device))
        how = replace(settings, device="cuda" if gpus else "cpu", threads=self._cpus)
        with View(jobs, results, quiet=settings.quiet) as view:
            cluster = Cluster(Wishes(self._sbatch(gpus), self._jobs))
            return Watch(jobs, results.absolute(), how, cluster, stop, view).work(wait=self._wait)

    def _gpus_of(self, device: str) -> int:
        """How many GPUs a run takes; the machine of the command may have none, and says nothing of nodes."""
        wanted = self._gpus
        if wanted is None:
            return int(device.startswith("cuda"))
        if wanted and device == "cpu":
            raise UsageError(f"--device cpu has no use for gpus_per_run={wanted}. Leave one of the two out.")
        if not wanted and device.startswith("cuda"):
            raise UsageError(f"--device {device} needs a GPU, and gpus_per_run is 0.")
        return wanted

    def _sbatch(self, gpus: int) -> dict[str, str | bool]:
        mine: dict[str, str | bool] = {
            "job_name": "srbench", "nodes": "1", "ntasks": "1", "cpus_per_task": str(self._cpus),
            "signal": f"{SIGNAL}@{self._warning_s}", "requeue": True,
        }  # fmt: skip
        if gpus:
            mine["gpus_per_node"] = str(gpus)
        return mine | self._asked


_OURS = frozenset(
    ("array", "output", "error", "open-mode", "signal", "requeue", "no-requeue", "nodes", "ntasks", "wrap")
) | {"cpus-per-task", "gpus-per-node"}


def _parsed(typed: str) -> dict[str, Any]:
    """`--qos=high --exclusive` → by name.

    Raises:
        ValueError: it is not of that form, or names what srbench sets itself.
    """
    options: dict[str, Any] = {}
    for word in shlex.split(typed):
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not name:
            raise ValueError(f"sbatch takes options as --name=value or --name, not {word!r}")
        if name in _OURS:
            raise ValueError(f"--{name} is for srbench to set")
        options[name.replace("-", "_")] = value if equals else True
    return options
