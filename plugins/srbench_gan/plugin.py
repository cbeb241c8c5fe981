"""What this plugin registers: the loss `gan`."""

from collections.abc import Callable

from srbench.api import hookimpl


@hookimpl
def register_losses(register: Callable[..., None]) -> None:
    """Name it."""
    register("gan", "srbench_gan.loss:Gan", domain="rgb", scales="last")
