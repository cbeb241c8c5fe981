"""What this plugin registers: the losses of single pixels, those that ask for detail, and LPIPS."""

from collections.abc import Callable

from srbench.api import hookimpl


@hookimpl
def register_losses(register: Callable[..., None]) -> None:
    """Name them."""
    both = ("zero at equality", "mean over the batch")
    register("charbonnier", "srbench_losses.pixel:charbonnier", laws=["mean over the batch"])
    register("l1", "srbench_losses.pixel:l1", laws=both)
    register("l2", "srbench_losses.pixel:l2", laws=both)
    register("gradient", "srbench_losses.detail:gradient", laws=both)
    register("ffl", "srbench_losses.detail:ffl", laws=both)
    register("laplacian", "srbench_losses.detail:laplacian", laws=both)
    facts = "srbench.api:lpips_facts"
    register("lpips", "srbench_losses.perceptual:lpips", domain="rgb", facts=facts, laws=both)
