"""What this plugin registers: the metric `stlpips`."""

from collections.abc import Callable
from math import inf

from srbench.api import hookimpl


@hookimpl
def register_metrics(register: Callable[..., None]) -> None:
    """Name it."""
    register(
        "stlpips", "srbench_stlpips.metric:stlpips", better="lower", planes=("rgb",),
        facts="srbench_stlpips.metric:facts", shows=("net",), bounds=(0, inf),
    )  # fmt: skip
