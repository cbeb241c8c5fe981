"""What this plugin registers: the model `bicubic`."""

from collections.abc import Callable

from srbench.api import hookimpl


@hookimpl
def register_models(register: Callable[..., None]) -> None:
    """Name the model `bicubic`."""
    register("bicubic", "srbench_baselines.bicubic:build", channels="rgb", trainable=False)
