"""What this plugin registers: the loss `vgg`."""

from collections.abc import Callable

from srbench.api import hookimpl


@hookimpl
def register_losses(register: Callable[..., None]) -> None:
    """Name it."""
    register(
        "vgg", "srbench_vgg.loss:vgg", domain="rgb", scales="last", facts="srbench_vgg.loss:facts",
        laws=("zero at equality", "mean over the batch"),
    )  # fmt: skip
