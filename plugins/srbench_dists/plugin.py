"""What this plugin registers: the metric `dists`."""

from collections.abc import Callable

from srbench.api import hookimpl


@hookimpl
def register_metrics(register: Callable[..., None]) -> None:
    """Name it."""
    register(
        "dists", "srbench_dists.metric:dists", better="lower", planes=("rgb",),
        facts="srbench_dists.metric:facts", bounds=(0, 2),
    )  # fmt: skip
