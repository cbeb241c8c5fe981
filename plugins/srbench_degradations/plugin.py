"""What this plugin registers: two random degradations."""

from collections.abc import Callable

from srbench.api import hookimpl


@hookimpl
def register_degradations(register: Callable[..., None]) -> None:
    """Name them."""
    register(
        "classical",
        "srbench_degradations.classical:classical",
        stochastic=True,
        margin="srbench_degradations.classical:margin",
    )
    register(
        "realesrgan",
        "srbench_degradations.realesrgan:realesrgan",
        stochastic=True,
        margin="srbench_degradations.realesrgan:margin",
    )
