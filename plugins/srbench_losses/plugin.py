"""What this plugin registers: the losses `charbonnier`, `l1` and `l2`."""

from collections.abc import Callable

from srbench.api import hookimpl


@hookimpl
def register_losses(register: Callable[..., None]) -> None:
    """Name the pixel losses."""
    register("charbonnier", "srbench_losses.pixel:charbonnier")
    register("l1", "srbench_losses.pixel:l1")
    register("l2", "srbench_losses.pixel:l2")
