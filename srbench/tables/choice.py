"""Which rows of a large store a table shows: the best of each block, found in the index alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from srbench.files import parse_json
from srbench.store.index import Index
from srbench.tables.rows import Column, Row, RowKey, check_known, is_named, shared_of, test_labels

_Codes: TypeAlias = NDArray[np.int64]

_RowId: TypeAlias = tuple[str, RowKey, int]
"""Folder, key with the bare name of the test, number."""

WHOLE, TOP = 60, 30
"""Where nothing is asked for: rows up to which a block is shown whole, and how many of the best if not."""

_SMALL = 1 << 23
"""Up to here a table of all numbers is made, which is faster than sorting: 64 MB."""


class Place(NamedTuple):
    """Where a row goes: the number of its block, and whether it is shown or only takes part in tests."""

    block: int
    is_shown: bool


@dataclass
class Choice:
    """The rows to show.

    Args:
        top: of a block that has more rows, how many of the best are shown.
        totals: of each block, how many rows it has.
        leading: of each block that has more, the column that says which are the best; None: all are shown.
        shown: folders of the runs that have rows to show.
        rivals: folders of other runs whose rows come nearest to the best in a column.
        test_names: name and SHA-256 of each test of the store → its label.
    """

    top: int
    totals: list[int] = field(default_factory=list)
    leading: list[Column | None] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)
    rivals: set[str] = field(default_factory=set)
    test_names: dict[tuple[str, str], str] = field(default_factory=dict)
    _places: dict[_RowId, Place] = field(default_factory=dict)

    def place(self, row: Row) -> Place | None:
        """Where `row` goes; None where it is left out."""
        test, sha256, run_scale, scale, shared = row.key
        key = (test.partition("@")[0], sha256, run_scale, scale, shared)
        return self._places.get((row.run.paths.id, key, row.number))


def choose(
    index: Index,
    top: int | None = None,
    metrics: Sequence[str] | None = None,
    tests: Sequence[str] | None = None,
) -> Choice | None:
    """The rows that a table of all runs shows; None where all of them are.

    Of a block with more than `top` rows these are shown: the baseline, the `top` best in the leading column,
    and the best of every other column. Which is best is found among all rows.

    Args:
        index: of the store.
        top: 1 or more; None: `TOP`, of blocks with more than `WHOLE` rows.
        metrics, tests: as in `rows_of`. The first of the metrics shown leads, on luma where it is there.

    Raises:
        UsageError: a metric or test that no run has.
    """
    rows = _Rows(index, metrics, tests)
    blocks = rows.blocks
    totals = np.bincount(blocks[rows.kept], minlength=1)
    whole, top = (WHOLE, TOP) if top is None else (top, top)
    if totals.max() <= whole:
        return None
    choice = Choice(top, test_names=rows.test_names)
    numbers: dict[int, int] = {}
    for block, mine in _grouped(blocks, rows.kept):
        choice.totals.append(len(mine))
        numbers[block] = len(numbers)
        if len(mine) <= whole:
            shown, rivals, leading = set(mine.tolist()), set[int](), None
        else:
            shown, rivals, leading = _best(rows, block, mine, top)
        choice.leading.append(leading)
        for row in shown | rivals:
            folder, key, number = rows.id(row)
            choice._places[folder, key, number] = Place(numbers[block], row in shown)
            (choice.shown if row in shown else choice.rivals).add(folder)
    choice.rivals -= choice.shown
    return choice


def _best(rows: "_Rows", block: int, mine: _Codes, top: int) -> tuple[set[int], set[int], Column]:
    """Of a block: the rows to show, those that come next to them in a column, and the leading column."""
    ordered = {column: rows.ordered(block, code) for column, code in rows.ranking(block)}
    columns = sorted(ordered, key=lambda one: (*one.order[:2], one.plane != "y", one.order[2]))
    chosen: set[int] = set()
    for column in columns:  # where the leading one has too few rows, the next one goes on
        if len(chosen) < top:
            others = [
                row for row in ordered[column].tolist() if not rows.is_baseline[row] and row not in chosen
            ]
            chosen.update(others[: top - len(chosen)])
    chosen.update(
        mine[rows.is_baseline[mine]].tolist(), (int(found[0]) for found in ordered.values() if len(found))
    )
    chosen = chosen or set(mine[:top].tolist())
    hidden = (next((row for row in found.tolist() if row not in chosen), None) for found in ordered.values())
    return chosen, {row for row in hidden if row is not None}, columns[0] if columns else Column("", "")


class _Rows:
    """The rows of all runs, as `rows_of` makes them, in columns."""

    def __init__(self, index: Index, metrics: Sequence[str] | None, tests: Sequence[str] | None) -> None:
        self._index, means = index, index.means
        words, column = means.words, means.columns
        protocols = [shared_of(parse_json(text)) for text in words.get("protocol", ())]
        self._shared = sorted(set(protocols))
        place = {text: at for at, text in enumerate(self._shared)}
        shared = np.array([place[text] for text in protocols], dtype=np.int64)[column["protocol"]]
        names = ("test", "test_sha256", "run_scale", "scale")
        key, _ = _joined(*(column[name] for name in names), shared)
        group, number_of_groups = _joined(means.run, key)
        last = np.full(number_of_groups, -1)
        np.maximum.at(last, group, column["step"])
        now = np.flatnonzero(column["step"] >= last[group])  # a run counts with the last step
        number = _occurrence(_joined(group[now], column["metric"][now], column["plane"][now])[0])
        self._row, count = _joined(group[now], number)
        self._line = {name: one[now] for name, one in column.items()}
        self._column, _ = _joined(self._line["metric"], self._line["plane"])
        first = _first(self._row, count)
        self._number, self._run, self._key = number[first], means.run[now][first], key[now][first]
        self._key_parts = {name: self._line[name][first] for name in names} | {"shared": shared[now][first]}
        baselines = np.array([run.is_baseline for run in index.runs], dtype=bool)
        self.is_baseline = baselines[self._run]
        self.kept = np.flatnonzero(self._named_tests(tests))
        self._is_kept_line = self._named_metrics(metrics)

    def id(self, row: int) -> _RowId:
        """What tells a row from all others."""
        words = self._index.means.words
        parts = {name: int(one[row]) for name, one in self._key_parts.items()}
        shared = self._shared[parts.pop("shared")]
        test, sha256, run_scale, scale = (words[name][code] for name, code in parts.items())
        key = (test.partition("@")[0], sha256, run_scale, scale, shared)
        return self._index.runs[self._run[row]].folder, key, int(self._number[row])

    def _named_tests(self, tests: Sequence[str] | None) -> NDArray[np.bool_]:
        words = self._index.means.words
        pair, count = _joined(self._key_parts["test"], self._key_parts["test_sha256"])
        codes = (self._key_parts[name][_first(pair, count)] for name in ("test", "test_sha256"))
        pairs = [
            (words["test"][name], words["test_sha256"][sha256]) for name, sha256 in zip(*codes, strict=True)
        ]
        self.test_names = test_labels(pairs)
        check_known("test", tests, set(self.test_names.values()), "@")
        return _where([tests is None or is_named(self.test_names[one], tests, "@") for one in pairs], pair)

    def _named_metrics(self, metrics: Sequence[str] | None) -> NDArray[np.bool_]:
        words = self._index.means.words
        labels = words.get("metric", [])
        there = {labels[code] for code in np.unique(self._line["metric"])}
        unavailable = {run.unavailable for run in self._index.runs if run.is_scored}
        check_known("metric", metrics, there.union(*map(parse_json, unavailable)), ":")
        if metrics is None:
            return _where([word != "neither" for word in words.get("better", ())], self._line["better"])
        return _where([is_named(label, metrics) for label in labels], self._line["metric"])

    @cached_property
    def blocks(self) -> _Codes:
        """The block of each row: it joins the first one that none of its columns contradicts.

        Rows with equal columns under equal protocols go the same way, so that only one of each such shape has
        to be tried.
        """
        kept = np.flatnonzero(self._is_kept_line)
        pair, count = _joined(self._column[kept], self._line["protocol"][kept])
        # A set of pairs as a sum of 62-bit numbers: two sets are one with a chance of 1 in 10¹⁸.
        sums = np.zeros(len(self._run), dtype=np.uint64)
        numbers = np.random.default_rng(0).integers(1 << 62, size=count, dtype=np.uint64)
        np.add.at(sums, self._row[kept], numbers[pair])
        shape, count = _joined(self._key, np.unique(sums, return_inverse=True)[1])
        order = np.argsort(~self.is_baseline, kind="stable")  # the baseline first, as in a table
        first = order[_first(shape[order], count)]
        by_row = kept[_order(self._row[kept])]
        starts = np.searchsorted(self._row[by_row], np.arange(len(self._run) + 1))
        block_of = np.empty(count, dtype=np.int64)
        known: dict[int, list[tuple[int, dict[int, int]]]] = {}
        made = 0
        for one in np.argsort(np.argsort(order)[first]):
            row = first[one]
            lines = by_row[starts[row] : starts[row + 1]]
            protocols = dict(
                zip(self._column[lines].tolist(), self._line["protocol"][lines].tolist(), strict=True)
            )
            for number, said in known.setdefault(int(self._key[row]), []):
                if all(said.get(column, code) == code for column, code in protocols.items()):
                    said.update(protocols)
                    block_of[one] = number
                    break
            else:
                known[int(self._key[row])].append((made, protocols))
                block_of[one] = made
                made += 1
        found: _Codes = block_of[shape]
        return found

    @cached_property
    def _by_column(self) -> dict[int, dict[int, _Codes]]:
        """Block → column → its lines, of columns that have a best value."""
        ranks = [word != "neither" for word in self._index.means.words["better"]]
        lines = np.flatnonzero(self._is_kept_line & _where(ranks, self._line["better"]))
        block, column = self.blocks[self._row[lines]], self._column[lines]
        found: dict[int, dict[int, _Codes]] = {}
        for _, at in _grouped(_joined(block, column)[0]):
            found.setdefault(int(block[at[0]]), {})[int(column[at[0]])] = lines[at]
        return found

    def ranking(self, block: int) -> Iterator[tuple[Column, int]]:
        """The columns of a block that have a best value, each with its number."""
        words = self._index.means.words
        for code, lines in self._by_column.get(block, {}).items():
            metric, plane = (int(self._line[name][lines[0]]) for name in ("metric", "plane"))
            yield Column(words["metric"][metric], words["plane"][plane]), code

    def ordered(self, block: int, column: int) -> _Codes:
        """The rows of a block by their means in a column, the best first; over most pictures."""
        lines = self._by_column[block][column]
        counts = self._line["n"][lines]
        lines = lines[(counts == counts.max()) & (counts > 0)]
        if not len(lines):
            return np.empty(0, dtype=np.int64)
        better = self._index.means.words["better"][self._line["better"][lines[0]]]
        means = self._line["mean"][lines]
        order = np.argsort(-means if better == "higher" else means, kind="stable")
        found: _Codes = self._row[lines[order]]
        return found


def _joined(*columns: NDArray[Any]) -> tuple[_Codes, int]:
    """Rows of several columns of numbers from 0 as one number each, sorted alike; and how many differ."""
    joined, count = np.zeros(len(columns[0]), dtype=np.int64), 1
    for column in columns:
        if not len(column):
            return joined, 0
        width = int(column.max()) + 1
        joined = joined * width + column
        if count * width <= _SMALL:
            seen = np.zeros(count * width, dtype=bool)
            seen[joined] = True
            joined, count = (np.cumsum(seen) - 1)[joined], int(seen.sum())
        else:
            different, joined = np.unique(joined, return_inverse=True)
            count = len(different)
    return joined, count


def _where(answers: Sequence[bool], codes: NDArray[Any]) -> NDArray[np.bool_]:
    """The answer of each number."""
    found: NDArray[np.bool_] = np.array(answers, dtype=bool)[codes]
    return found


def _first(codes: _Codes, count: int) -> _Codes:
    """Where each number stands first."""
    first = np.empty(count, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return first


def _order(codes: _Codes) -> _Codes:
    """The places by rising number, equal ones as they stood."""
    # Numbers of 16 bits are sorted by their digits, ten times as fast.
    short = codes.astype(np.uint16) if len(codes) and codes.max() < 1 << 16 else codes
    return np.argsort(short, kind="stable")


def _occurrence(codes: _Codes) -> _Codes:
    """How often each number stood before."""
    order = _order(codes)
    at = np.arange(len(codes))
    starts = np.where(np.diff(codes[order], prepend=-1) != 0, at, 0)
    before = np.empty(len(codes), dtype=np.int64)
    before[order] = at - np.maximum.accumulate(starts) if len(codes) else at
    return before


def _grouped(codes: _Codes, of: _Codes | None = None) -> Iterator[tuple[int, _Codes]]:
    """Each number with the places where it stands, among those of `of`."""
    places = np.arange(len(codes)) if of is None else of
    order = places[_order(codes[places])]
    if len(order):
        for part in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
            yield int(codes[part[0]]), part
