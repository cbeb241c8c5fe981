"""A plugin that notes which process starts, steps and ends each run: a line an event, in the file NOTES."""

import os
from pathlib import Path

from srbench.api import RunInfo, hookimpl

SOURCE = Path(__file__)


def note(what: str, run: RunInfo) -> None:
    """Add a line, where there is a file to add it to."""
    if "NOTES" in os.environ:
        with Path(os.environ["NOTES"]).open("a") as file:
            file.write(f"{what} {run.id} {os.getpid()}\n")


@hookimpl
def run_started(run: RunInfo) -> None:
    """Its process begins."""
    note("started", run)


@hookimpl
def step_finished(run: RunInfo) -> None:
    """Its process has done a step."""
    note("step", run)


@hookimpl
def run_finished(run: RunInfo) -> None:
    """It is trained and scored."""
    note("finished", run)


@hookimpl
def run_failed(run: RunInfo) -> None:
    """It is not."""
    note("failed", run)
