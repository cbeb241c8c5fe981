"""What this plugin registers: the model `spandrel`, which exists through its reader alone."""

from collections.abc import Callable

from srbench.api import hookimpl


@hookimpl
def register_models(register: Callable[..., None]) -> None:
    """Name the model `spandrel`."""
    register(
        "spandrel",
        "srbench_spandrel.model:build",
        trainable=False,
        reader="srbench_spandrel.model:read",
    )
