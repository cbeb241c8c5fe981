"""What this plugin registers: the metric `pyiqa`, which has a name for each of pyiqa's own."""

from collections.abc import Callable

from srbench.api import hookimpl


@hookimpl
def register_metrics(register: Callable[..., None]) -> None:
    """Name it."""
    register(
        "pyiqa", "srbench_pyiqa.metric:pyiqa", better="srbench_pyiqa.metric:better", planes=("rgb",),
        facts="srbench_pyiqa.metric:facts", shows=("name",),
    )  # fmt: skip
