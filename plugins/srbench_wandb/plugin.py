"""What this plugin listens to: where SRBENCH_WANDB names a project, each run has a log at W&B."""

import importlib.util
import logging
import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from srbench.api import RunInfo, hookimpl

_VARIABLE = "SRBENCH_WANDB"
_log = logging.getLogger(__name__)


@hookimpl
def run_started(run: RunInfo) -> None:
    """Open the run's log, or go on with it."""
    if project := _project():
        from srbench_wandb.log import start

        start(run, project)


@hookimpl
def evaluation_finished(run: RunInfo, line: Mapping[str, Any], learning_rate: float) -> None:
    """Add losses, PSNR, detail and learning rate."""
    if _project():
        from srbench_wandb.log import add

        add(run, line, learning_rate)


@hookimpl
def run_finished(run: RunInfo, summary: Mapping[str, Any]) -> None:
    """Add the scores, and close the log."""
    if project := _project():
        from srbench_wandb.log import finish

        finish(run, project, summary)


@hookimpl
def run_stopped(run: RunInfo, reason: str) -> None:
    """Say that it will go on, and close the log."""
    if _project():
        from srbench_wandb.log import end

        end(run, "stopped", reason)


@hookimpl
def run_failed(run: RunInfo, reason: str) -> None:
    """Say why, and close the log."""
    if _project():
        from srbench_wandb.log import end

        end(run, "failed", reason)


def _project() -> str | None:
    """The project to log to; None where none is wanted, or wandb is not there."""
    asked = os.environ.get(_VARIABLE, "")
    return asked if asked not in ("", "0") and _is_installed() else None


@cache
def _is_installed() -> bool:
    found = importlib.util.find_spec("wandb") is not None
    if not found:
        _log.warning(
            '%s asks for logs, and wandb is not installed: pip install "srbench-harness[wandb]" brings it. '
            "Runs go on without.", _VARIABLE,
        )  # fmt: skip
    return found
