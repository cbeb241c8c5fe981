"""Every path name under the results folder; nothing else spells them out."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srbench.errors import StoreError

SCHEMA = 1
"""Version of run.json, summary.json with scores.parquet, and cost.json."""


RUN, SUMMARY = "run.json", "summary.json"
"""Names of the two files that say what a run is and how it scored."""

QUEUED = "queued.json"
"""Name of the file that says which job a run waits for."""


def default_results() -> Path:
    """The store to use when `--results` is not given: `SRBENCH_RESULTS`, else `results/` here."""
    return Path(os.environ.get("SRBENCH_RESULTS", "results"))


def refuse_newer(path: Path, schema: Any) -> None:
    """Refuse a file that a newer srbench wrote: it is neither to be misread nor to be replaced.

    Raises:
        StoreError: its `schema` is above this program's.
    """
    if schema > SCHEMA:
        raise StoreError(f"{path} was written by a newer srbench. Update srbench to read it.")


@dataclass(frozen=True)
class RunPaths:
    """The files of one run, all inside `results/<run-id>/`."""

    directory: Path

    @property
    def id(self) -> str:
        """The run id: the directory's name."""
        return self.directory.name

    @property
    def run(self) -> Path:
        """Specification, engine, status and provenance."""
        return self.directory / RUN

    @property
    def history(self) -> Path:
        """One line an evaluation; a pure function of spec and engine."""
        return self.directory / "history.jsonl"

    @property
    def timings(self) -> Path:
        """Seconds and speed at the steps of `history`."""
        return self.directory / "timings.jsonl"

    @property
    def checkpoints(self) -> Path:
        """One folder a checkpoint."""
        return self.directory / "checkpoints"

    @property
    def scores(self) -> Path:
        """Tidy scores, a row a picture, plane, scale and metric."""
        return self.directory / "scores.parquet"

    @property
    def summary(self) -> Path:
        """Means with intervals; what `table` reads."""
        return self.directory / SUMMARY

    @property
    def cost(self) -> Path:
        """What the model costs, by device; measured for `srbench table --cost`."""
        return self.directory / "cost.json"

    @property
    def images(self) -> Path:
        """SR pictures kept by `--save-images`."""
        return self.directory / "images"

    @property
    def lock(self) -> Path:
        """Held by the process that works on the run."""
        return self.directory / "run.lock"

    @property
    def lock_owner(self) -> Path:
        """Who holds `lock`, by its own word."""
        return self.directory / "run.lock.json"

    @property
    def lock_beat(self) -> Path:
        """The last sign of life of the one in `lock_owner`."""
        return self.directory / "run.lock.beat"

    @property
    def queued(self) -> Path:
        """Which job of a batch system it waits for, or is done by."""
        return self.directory / QUEUED

    @property
    def log(self) -> Path:
        """What the run said, where it was done in a process of its own."""
        return self.directory / "run.log"
