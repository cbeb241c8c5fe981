"""What this plugin registers: the model `lapsrn` and its recipes."""

from collections.abc import Callable

from srbench.api import hookimpl
from srbench_lapsrn.recipe import RECIPES


@hookimpl
def register_models(register: Callable[..., None]) -> None:
    """Name the model `lapsrn`."""
    register(
        "lapsrn",
        "srbench_lapsrn.network:build",
        scales=(2, 4, 8),
        channels="r,g,b",
        recipes=RECIPES,
        reader="srbench_lapsrn.matlab:read",
    )
