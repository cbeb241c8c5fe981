"""What this plugin registers: seven models, each with its recipes."""

from collections.abc import Callable

from srbench.api import hookimpl
from srbench_classics.recipes import RECIPES

SCALES = (2, 3, 4, 8)

CHANNELS = {
    "srcnn": "y",
    "fsrcnn": "y",
    "espcn": "y",
    "vdsr": "y",
    "edsr": "rgb",
    "srresnet": "rgb",
    "rrdbnet": "rgb",
}
"""Model → what its paper trains on."""


@hookimpl
def register_models(register: Callable[..., None]) -> None:
    """Name them. All are convolutions from end to end, so they take any size and may see tiles."""
    for name, channels in CHANNELS.items():
        register(
            name,
            f"srbench_classics.{name}:build",
            scales=SCALES,
            channels=channels,
            recipes=RECIPES[name],
        )
