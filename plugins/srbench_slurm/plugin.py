"""What this plugin registers: the executor `slurm`."""

from collections.abc import Callable

from srbench.api import hookimpl


@hookimpl
def register_executors(register: Callable[..., None]) -> None:
    """Name the executor `slurm`."""
    register("slurm", "srbench_slurm.executor:Slurm", still_queued="srbench_slurm.commands:still_queued")
