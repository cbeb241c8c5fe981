"""What this package gives to srbench. It loads no torch, so that listing plugins stays fast."""

from srbench.api import RegisterModel, hookimpl

SRBENCH_API = 1
"""The version of `srbench.api` that this package is written for."""


@hookimpl
def register_models(register: RegisterModel) -> None:
    """Name the model. Convolutions and nothing else: it takes any size, and may see tiles."""
    register(
        "folded",
        "srbench_example_model.network:build",
        scales=(2, 3, 4, 8),
        channels="y",
        recipes={
            "default": "srbench_example_model.recipes:short",
            "long": "srbench_example_model.recipes:long",
        },
    )
