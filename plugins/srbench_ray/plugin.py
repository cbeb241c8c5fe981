"""What this plugin registers: the executor `ray`."""

from collections.abc import Callable

from srbench.api import hookimpl


@hookimpl
def register_executors(register: Callable[..., None]) -> None:
    """Name the executor `ray`."""
    register("ray", "srbench_ray.executor:Ray")
