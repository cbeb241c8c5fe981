"""What run.json and summary.json of all runs say, in columns: read once, then only where a file changed.

The index is a cache. It lies in the user's cache folder, under a name made of the store's path: a store stays
a folder of runs and nothing else, and one that may only be read has an index too. Removing it costs the time
to read the store again; so does whatever is wrong with it, for its bytes are hashed. Two processes write it
one after the other, whole.
"""

import hashlib
import logging
import os
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from srbench.errors import StoreError
from srbench.files import canonical_json, parse_json, sha256_text, write_atomic
from srbench.images.download import cache_dir
from srbench.store.columns import to_arrow, to_numpy
from srbench.store.layout import RUN, SUMMARY, RunPaths
from srbench.store.runs import RunRecord, StoredRun, current_status, read_record, read_summary
from srbench.types import BASELINE

_log = logging.getLogger(__name__)

_VERSION = 1
"""Of the file. One of another version is read over, as if it were not there."""

_WORTH_KEEPING = 100
"""Runs from which on an index is stored: fewer are read as fast as it is."""

_UNSETTLED_NS = 2 * 10**9
"""A file may change twice within one tick of its clock (2 s on some drives): what is as new is read again."""

_State: TypeAlias = tuple[int, int, int]
"""When a file was written (ns), how large it is, and its number on the disk; zeros where there is none."""

_NONE: _State = (0, 0, 0)


class IndexedRun(NamedTuple):
    """What a list of runs shows of one.

    Args:
        folder: its name, which is the run id unless somebody renamed it.
        id, name, status, step, budget, reason, updated: as in run.json.
        parent, parent_step: what it was forked or initialised from.
        is_baseline: whether others are set against it.
        is_scored: whether its summary has scores.
        unavailable: labels of metrics that could not be computed, as a JSON list.
    """

    folder: str
    id: str
    name: str | None
    status: str
    step: int
    budget: int
    reason: str | None
    updated: str | None
    parent: str | None
    parent_step: int | None
    is_baseline: bool
    is_scored: bool
    unavailable: str


WORDS = ("test", "test_sha256", "run_scale", "scale", "plane", "metric", "better", "protocol")
"""Columns of `Means` that hold a number in place of a word: it counts in `Means.words`."""

_TYPES: Mapping[str, type[np.generic]] = {
    **dict.fromkeys(WORDS, np.int32),
    "step": np.int64,
    "n": np.int32,
    "mean": np.float64,
}


@dataclass(frozen=True)
class Means:
    """A row for each mean of each summary, sorted by run.

    Args:
        run: place of its run in `Index.runs`.
        columns: those of `WORDS`, and `step`, `n` and `mean` (NaN where no picture has a value).
        words: column → what its numbers stand for. That of `protocol` is the protocol's canonical JSON.
    """

    run: NDArray[np.int32]
    columns: dict[str, NDArray[Any]]
    words: dict[str, list[Any]]


@dataclass(frozen=True)
class Index:
    """A store as the index has it.

    Args:
        root: the store.
        runs: all that can be read, sorted by id.
        means: of their summaries.
        errors: one for each run that cannot be read.
    """

    root: Path
    runs: Sequence[IndexedRun]
    means: Means
    errors: Sequence[StoreError]

    def only(self, ids: Collection[str]) -> "Index":
        """The same with those runs alone."""
        kept = [at for at, run in enumerate(self.runs) if run.id in ids]
        now_at = np.full(len(self.runs), -1, dtype=np.int32)
        now_at[kept] = np.arange(len(kept), dtype=np.int32)
        run = now_at[self.means.run]
        columns = {name: column[run >= 0] for name, column in self.means.columns.items()}
        means = Means(run[run >= 0], columns, self.means.words)
        return replace(self, runs=[self.runs[at] for at in kept], means=means)

    def status(self, run: IndexedRun) -> str:
        """The status to show, as `current_status` has it."""
        if run.status != "running":
            return run.status
        record = RunRecord(run.id, {}, "running", run.step, run.budget)
        return current_status(StoredRun(RunPaths(self.root / run.id), record, None))


def read_index(root: Path) -> Index:
    """The store under `root`, of which only what changed since the last time is read.

    What cannot be read is in `errors`, as `list_runs` has it. An index that cannot be written is no fault.
    """
    now_ns = time.time_ns()
    states = dict(_states(root))
    path = _place(root)
    known = _read(path)
    old = {run.folder: at for at, run in enumerate(known.runs)}
    kept = {
        name: old[name] for name, state in states.items() if name in old and known.states[old[name]] == state
    }
    parts = _Parts(known.means.words)
    errors: list[StoreError] = []
    for name in sorted(states.keys() - kept.keys()):
        try:
            parts.add(RunPaths(root / name))
        except StoreError as error:
            errors.append(error)
    runs, means = _merged(known, kept, parts)
    changed = len(parts.runs) + len(old.keys() - states.keys())
    # Writing takes as long as reading a hundredth of the runs does.
    if len(runs) >= _WORTH_KEEPING and changed * 100 > len(runs):
        settled = [_settled(states[run.folder], now_ns) for run in runs]
        _write(path, root, _Known(runs, settled, means))
    return Index(root, runs, means, sorted(errors, key=str))


class _Known(NamedTuple):
    """All that the file holds."""

    runs: Sequence[IndexedRun]
    states: Sequence[tuple[int, ...]]
    means: Means


def _states(root: Path) -> Iterable[tuple[str, tuple[int, ...]]]:
    """Folder with a run.json → the states of that and of summary.json."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(root) as entries:
        for name in sorted(entry.name for entry in entries):
            folder = f"{root}{os.sep}{name}{os.sep}"
            run = _state(folder + RUN)
            if run is not None:
                yield name, (*run, *(_state(folder + SUMMARY) or _NONE))


def _state(path: str) -> _State | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - ten thousand times, where a Path takes as long again
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if S_ISREG(found.st_mode) else None


def _settled(state: tuple[int, ...], now_ns: int) -> tuple[int, ...]:
    """The state to remember: none where a file is so new that it may change without looking changed."""
    newest = max(state[0], state[3])
    return state if 0 < newest < now_ns - _UNSETTLED_NS else (*_NONE, *_NONE)


class _Parts:
    """Runs that are read now, in columns.

    Args:
        words: those that are numbered already.
    """

    def __init__(self, words: dict[str, list[Any]]) -> None:
        self.runs: list[IndexedRun] = []
        self.run: list[int] = []
        self.columns: dict[str, list[Any]] = {name: [] for name in _TYPES}
        self._codes: dict[str, dict[Any, int]] = {
            name: {word: code for code, word in enumerate(words.get(name, ()))} for name in WORDS
        }
        self._protocols: dict[str, tuple[Any, int]] = {}

    @property
    def words(self) -> dict[str, list[Any]]:
        """Column → word of each number."""
        return {name: list(codes) for name, codes in self._codes.items()}

    def add(self, paths: RunPaths) -> None:
        """Read one run; nothing is added where its run.json is gone meanwhile.

        Raises:
            StoreError: run.json or summary.json is damaged.
        """
        record = read_record(paths)
        if record is None:
            return
        summary = read_summary(paths)
        try:
            run = _indexed(paths, record, summary)
            lines = [self._line(line, summary["protocols"]) for line in summary["scores"]] if summary else []
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise StoreError(
                f"{paths.directory} cannot be read ({type(error).__name__}: {error} in {RUN} or {SUMMARY}). "
                f"Remove its {SUMMARY} and run the same command again: the scores are computed anew from the "
                "last checkpoint."
            ) from error
        self.run += [len(self.runs)] * len(lines)
        for name, column in zip(self.columns, zip(*lines, strict=True), strict=False):
            self.columns[name] += column
        self.runs.append(run)

    def _line(self, line: dict[str, Any], protocols: dict[str, Any]) -> tuple[Any, ...]:
        key = line["protocol"]
        seen, code = self._protocols.get(key, (None, 0))
        protocol = protocols[key]
        if seen != protocol or seen is None:  # equal ones share a hash; JSON of each would take seconds
            code = self._code("protocol", canonical_json(protocol))
            self._protocols[key] = (protocol, code)
        words = (self._code(name, line[name]) for name in WORDS[:-1])
        mean = line["mean"]
        return (*words, code, int(line["step"]), int(line["n"]), np.nan if mean is None else float(mean))

    def _code(self, name: str, word: Any) -> int:
        codes = self._codes[name]
        return codes.setdefault(word, len(codes))


def _indexed(paths: RunPaths, record: RunRecord, summary: Mapping[str, Any] | None) -> IndexedRun:
    origin = record.spec.get("origin") or {}
    return IndexedRun(
        paths.id,
        record.id,
        _text(record.provenance.get("name")),
        record.status,
        record.step,
        record.budget,
        _text(record.reason),
        _text(record.provenance.get("updated")),
        _text(origin.get("run")),
        origin.get("step"),
        (record.spec.get("model") or {}).get("name") == BASELINE,
        bool(summary and summary["scores"]),
        canonical_json(sorted(summary["unavailable"]) if summary else []),
    )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _merged(known: _Known, kept: Mapping[str, int], parts: _Parts) -> tuple[Sequence[IndexedRun], Means]:
    """What is kept and what was read, in one, sorted by folder."""
    if not parts.runs and len(kept) == len(known.runs):
        return known.runs, known.means
    runs = [*(known.runs[at] for at in kept.values()), *parts.runs]
    order = sorted(range(len(runs)), key=lambda at: runs[at].folder)
    place = np.empty(len(runs), dtype=np.int32)
    place[order] = np.arange(len(runs), dtype=np.int32)
    now_at = np.full(len(known.runs), -1, dtype=np.int32)
    now_at[list(kept.values())] = place[: len(kept)]
    mine = now_at[known.means.run]
    of_kept = mine >= 0
    of_parts = place[len(kept) + np.array(parts.run, dtype=np.int32)]
    run = np.concatenate([mine[of_kept], of_parts])
    by_run = np.argsort(run, kind="stable")
    columns = {
        name: np.concatenate([known.means.columns[name][of_kept], np.array(parts.columns[name], dtype)])[
            by_run
        ]
        for name, dtype in _TYPES.items()
    }
    return [runs[at] for at in order], Means(run[by_run], columns, parts.words)


# The file: a line of JSON with version, hash and store, then an Arrow stream: means, with all else beside.


def _place(root: Path) -> Path:
    return cache_dir() / "index" / f"{sha256_text(str(root.resolve()))[:16]}.arrow"


def _read(path: Path) -> _Known:
    """What the file holds; nothing where there is none, or it is not to be trusted."""
    try:
        head, _, body = path.read_bytes().partition(b"\n")
        said = parse_json(head)
        if said["version"] == _VERSION and said["sha256"] == hashlib.sha256(body).hexdigest():
            return _decoded(pa.ipc.open_stream(pa.py_buffer(body)).read_all().combine_chunks())
        _log.debug("%s is damaged or of another version; the store is read anew.", path)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        _log.debug("%s cannot be read (%s); the store is read anew.", path, error)
    nothing = _empty()
    return _Known((), (), Means(nothing.pop("run"), nothing, {}))


def _decoded(table: pa.Table) -> _Known:
    beside = {key.decode(): parse_json(text) for key, text in table.schema.metadata.items()}
    columns = (
        {name: to_numpy(table[name].chunk(0)) for name in ("run", *_TYPES)} if table.num_rows else _empty()
    )
    return _Known(
        [IndexedRun._make(run) for run in beside["runs"]],
        [tuple(state) for state in beside["states"]],
        Means(columns.pop("run"), columns, beside["words"]),
    )


def _empty() -> dict[str, NDArray[Any]]:
    return {"run": np.empty(0, np.int32), **{name: np.empty(0, dtype) for name, dtype in _TYPES.items()}}


def _write(path: Path, root: Path, known: _Known) -> None:
    """Store the index; a cache that cannot be written is no fault of the store."""
    columns = {"run": known.means.run, **known.means.columns}
    beside = {"runs": known.runs, "states": known.states, "words": known.means.words}
    table = pa.Table.from_arrays([to_arrow(one) for one in columns.values()], names=list(columns))
    table = table.replace_schema_metadata({key: canonical_json(one) for key, one in beside.items()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table)
    body = sink.getvalue().to_pybytes()
    head = {"version": _VERSION, "sha256": hashlib.sha256(body).hexdigest(), "store": str(root.resolve())}
    try:
        write_atomic(path, canonical_json(head).encode() + b"\n" + body)
        _remove_orphans(path.parent)
    except (StoreError, OSError) as error:
        _log.debug("The index of %s is not kept: %s", root, error)


def _remove_orphans(folder: Path) -> None:
    """Remove what is an index of a store that is gone."""
    for path in folder.glob("*.arrow"):
        with path.open("rb") as file:
            head = file.readline()
        with suppress(ValueError, KeyError, TypeError):
            if not Path(parse_json(head)["store"]).is_dir():
                path.unlink(missing_ok=True)
