"""What this plugin registers: the metric `niqe`."""

from collections.abc import Callable
from math import inf

from srbench.api import hookimpl


@hookimpl
def register_metrics(register: Callable[..., None]) -> None:
    """Name it."""
    register(
        "niqe", "srbench_niqe.metric:niqe", better="lower", planes=("y",), facts="srbench_niqe.metric:facts",
        bounds=(0, inf),
    )  # fmt: skip
