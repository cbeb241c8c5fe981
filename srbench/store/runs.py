"""run.json: what a run is, how far it has come and where its parts came from."""

import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from srbench.errors import RunLockedError, StoreError, UsageError, did_you_mean
from srbench.files import parse_json, read_regular, write_json
from srbench.store.layout import SCHEMA, RunPaths, refuse_newer
from srbench.store.lock import is_locked, run_lock

Status = Literal["running", "interrupted", "done", "failed"]

_protocols: dict[str, Any] = {}
"""Hash → a protocol that was read, for others of that hash to be the same object."""


@dataclass(frozen=True)
class RunRecord:
    """The content of run.json.

    Args:
        id: the run's id, which is its directory's name.
        spec: the RunSpec as canonical plain data.
        status: `running` with no process at work is shown as `interrupted`.
        step: the last step that is checkpointed.
        budget: steps asked for so far; 0 for a run that is not trained.
        reason: why it failed, one paragraph; None otherwise.
        engine: what can change bits but not meaning, fixed at the first start.
        provenance: command, distributions and versions, times, the dataset as typed.
    """

    id: str
    spec: Mapping[str, Any]
    status: Status = "running"
    step: int = 0
    budget: int = 0
    reason: str | None = None
    engine: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredRun:
    """A run as found in the store: its record, and its summary once it has been scored."""

    paths: RunPaths
    record: RunRecord
    summary: Mapping[str, Any] | None

    @property
    def id(self) -> str:
        """The run id."""
        return self.record.id

    @property
    def name(self) -> str | None:
        """What the user called it; None for what srbench trained itself."""
        return self.record.provenance.get("name")


def now() -> str:
    """The time, in UTC and whole seconds, as every file of the store has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write_record(paths: RunPaths, record: RunRecord) -> None:
    """Store `record` as run.json, with the time of writing in its provenance.

    Raises:
        StoreError: it cannot be written.
    """
    provenance = {**record.provenance, "updated": now()}
    write_json(paths.run, {"schema": SCHEMA, **asdict(replace(record, provenance=provenance))})


def read_record(paths: RunPaths) -> RunRecord | None:
    """The record of a run, or None where there is no run.json yet.

    Raises:
        StoreError: run.json is damaged, or was written by a newer srbench.
    """
    try:
        stored = parse_json(read_regular(paths.run))
        refuse_newer(paths.run, stored.pop("schema"))
        record = RunRecord(**stored)
        if {type(record.spec), type(record.engine), type(record.provenance)} != {dict}:
            raise TypeError("what should be an object is none")
        if not (isinstance(record.step, int) and isinstance(record.budget, int)):
            raise TypeError("what should be a number is none")
        return record
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(
            f"{paths.run} cannot be read ({error}). Restore it from a copy, or remove it: the srbench run "
            "command that began this run then goes on from its last checkpoint."
        ) from error


def read_summary(paths: RunPaths) -> dict[str, Any] | None:
    """What summary.json holds, or None where the run has not been scored.

    Raises:
        StoreError: the file is damaged, or was written by a newer srbench.
    """
    try:
        summary = dict(parse_json(read_regular(paths.summary)))
        refuse_newer(paths.summary, summary["schema"])
        _share(summary)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(
            f"{paths.summary} cannot be read ({error}). Remove it and run the same command again: "
            "the scores are computed anew from the last checkpoint."
        ) from error
    return summary


def _share(summary: dict[str, Any]) -> None:
    """Keep once in memory what thousands of runs repeat: the words of their scores, and protocols."""
    for line in summary["scores"]:
        for key, value in line.items():
            if type(value) is str:
                line[key] = sys.intern(value)
    protocols = summary["protocols"]
    for key, protocol in protocols.items():
        known = _protocols.setdefault(key, protocol)
        if known == protocol:
            protocols[key] = known


def list_runs(root: Path, ids: Iterable[str] | None = None) -> tuple[list[StoredRun], list[StoreError]]:
    """Every run under `root`, or those of `ids`, sorted by id, and an error for each that cannot be read."""
    runs: list[StoredRun] = []
    errors: list[StoreError] = []
    if not root.is_dir():
        return runs, errors
    for directory in sorted(root.iterdir() if ids is None else (root / one for one in ids)):
        paths = RunPaths(directory)
        if not paths.run.is_file():
            continue
        try:
            record = read_record(paths)
            if record is not None:
                runs.append(StoredRun(paths, record, read_summary(paths)))
        except StoreError as error:
            errors.append(error)
    return runs, errors


def find_run(root: Path, prefix: str) -> StoredRun:
    """The one run whose id starts with `prefix` or is it, or else whose name it is.

    Raises:
        UsageError: none does, or several do; the message lists them.
        StoreError: one does, and cannot be read.
    """
    runs, _ = list_runs(root)
    found = (
        [run for run in runs if run.id == prefix]
        or [run for run in runs if prefix and run.id.startswith(prefix)]
        or [run for run in runs if run.name == prefix]
    )
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(run.id for run in found[:8])
        raise UsageError(f"{prefix!r} could be any of {len(found)} runs: {names}. Give more of the id.")
    for directory in root.glob("*") if prefix else ():
        if not directory.name.startswith(prefix):
            continue
        paths = RunPaths(directory)
        if read_record(paths) is not None:  # one that cannot be read says why itself
            read_summary(paths)
    raise UsageError(
        f"No run in {root} starts with {prefix!r}.{did_you_mean(prefix, [run.id for run in runs])} "
        "srbench runs lists all of them."
    )


def current_status(run: StoredRun) -> Status:
    """The status to show: a run that says `running` while no process holds it was interrupted."""
    if run.record.status == "running" and not is_locked(run.paths):
        return "interrupted"
    return run.record.status


def remove_run(run: StoredRun) -> None:
    """Delete a run and everything in it.

    Where a process on another host held it last and may be dead, waits for a sign of life first.

    Raises:
        StoreError: a process works on it, or its files cannot be deleted.
    """
    try:
        with run_lock(run.paths):  # one look by our clock would not do: another host's may differ
            pass
    except RunLockedError as error:
        raise StoreError(
            f"{run.id} is being worked on and is not removed. Stop that process first."
        ) from error
    try:
        shutil.rmtree(run.paths.directory)
    except OSError as error:
        raise StoreError(f"{run.paths.directory} cannot be removed ({error.strerror}).") from error
