"""What this plugin registers: the losses of single pixels, and those that ask for detail."""

from collections.abc import Callable

from srbench.api import hookimpl


@hookimpl
def register_losses(register: Callable[..., None]) -> None:
    """Name the losses of single pixels, and those that ask for detail."""
    register("charbonnier", "srbench_losses.pixel:charbonnier")
    register("l1", "srbench_losses.pixel:l1")
    register("l2", "srbench_losses.pixel:l2")
    register("gradient", "srbench_losses.detail:gradient")
    register("ffl", "srbench_losses.detail:ffl")
    register("laplacian", "srbench_losses.detail:laplacian")
