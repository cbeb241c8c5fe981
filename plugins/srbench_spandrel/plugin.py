"""What this plugin registers: the model `spandrel`, whose network a setting names, or a weights file."""

from collections.abc import Callable

from srbench.api import hookimpl


@hookimpl
def register_models(register: Callable[..., None]) -> None:
    """Name the model `spandrel`."""
    register(
        "spandrel",
        "srbench_spandrel.network:build",
        size_multiple="srbench_spandrel.architectures:size_multiple",
        tileable="srbench_spandrel.architectures:tileable",
        recipes={"default": "srbench_spandrel.architectures:recipe"},
        terms="srbench_spandrel.terms:terms",
        reader="srbench_spandrel.model:read",
    )
