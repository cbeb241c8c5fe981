"""What this plugin listens to: where SRBENCH_TENSORBOARD is set, each run leaves a log for TensorBoard."""

import importlib.util
import logging
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from srbench.api import RunInfo, hookimpl

_VARIABLE = "SRBENCH_TENSORBOARD"
_log = logging.getLogger(__name__)


@hookimpl
def run_started(run: RunInfo, evaluated: int) -> None:
    """Open the run's log, or go on with it after the last evaluation that is kept."""
    if folder := _folder(run):
        from srbench_tensorboard.log import start

        start(run, folder, evaluated)


@hookimpl
def evaluation_finished(run: RunInfo, line: Mapping[str, Any], learning_rate: float) -> None:
    """Add losses, PSNR, detail and learning rate."""
    if _folder(run):
        from srbench_tensorboard.log import add

        add(run, line, learning_rate)


@hookimpl
def run_finished(run: RunInfo, summary: Mapping[str, Any]) -> None:
    """Add the scores, and close the log."""
    if folder := _folder(run):
        from srbench_tensorboard.log import finish

        finish(run, folder, summary)


@hookimpl
def run_stopped(run: RunInfo, reason: str) -> None:
    """Say why, and close the log."""
    if _folder(run):
        from srbench_tensorboard.log import end

        end(run, reason)


@hookimpl
def run_failed(run: RunInfo, reason: str) -> None:
    """Say why, and close the log."""
    if _folder(run):
        from srbench_tensorboard.log import end

        end(run, reason)


def _folder(run: RunInfo) -> Path | None:
    """Where the run's log lies; None where none is wanted, or none can be had."""
    asked = os.environ.get(_VARIABLE, "")
    if asked in ("", "0") or not _is_installed():
        return None
    return run.directory / "tensorboard" if asked == "1" else Path(asked).expanduser() / run.id


@cache
def _is_installed() -> bool:
    found = importlib.util.find_spec("tensorboard") is not None
    if not found:
        _log.warning(
            '%s asks for logs, and tensorboard is not installed: pip install "srbench-harness[tensorboard]" '
            "brings it. Runs go on without.", _VARIABLE,
        )  # fmt: skip
    return found
