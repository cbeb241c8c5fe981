"""Two runs, or two groups of runs that differ by seed, compared picture by picture.

    __init__.py   stored scores → comparisons
    show.py       what they look like

Reads what is stored; no torch is loaded.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from srbench.errors import UsageError
from srbench.metrics.bootstrap import difference_interval, pictures_needed
from srbench.metrics.verdict import psnr_alone
from srbench.store.runs import StoredRun, find_run, list_runs
from srbench.tables.protocols import differing
from srbench.tables.ranks import PictureScores
from srbench.tables.rows import Column, Row, rows_of

_TIE = 1e-6
"""Scores nearer than this are equal: it is how exactly srbench's metrics agree with other toolboxes."""


@dataclass(frozen=True)
class PictureDifference:
    """One picture: the scores of both sides, the mean over their seeds, and a − b."""

    image: str
    a: float
    b: float
    difference: float


@dataclass(frozen=True)
class Comparison:
    """A against B in one metric on one plane of one test at one scale, under one protocol.

    Args:
        row: of A's first run; it names test, scale and run scale.
        column: metric and plane.
        better, unit: of the metric.
        protocol: hash.
        a, b: means over seeds and the pictures that count; None where none does.
        difference, low, high: mean of a − b with its paired 95 % bootstrap interval over pictures and seeds.
        n, left_out: pictures that count; pictures with a value that is infinite or undefined.
        wins, ties, losses: pictures on which A is better, equal (within 1e-6) and worse.
        more_pictures: how many more would tell A from B with a power of 0.8, where the interval holds zero;
            None where it does not, or where it cannot be said; 0 where the pictures suffice and the seeds do
            not.
        pictures: sorted from the one that speaks most for A to the one that speaks most against it.
    """

    row: Row
    column: Column
    better: str
    unit: str
    protocol: str
    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    n: int
    left_out: int
    wins: int
    ties: int
    losses: int
    more_pictures: int | None
    pictures: tuple[PictureDifference, ...]

    @property
    def winner(self) -> str:
        """`A` or `B` where the interval leaves out zero; empty where the two cannot be told apart."""
        if self.n < 2 or self.low is None or self.high is None or self.low <= 0 <= self.high:
            return ""
        if self.better == "neither":
            return ""
        return "A" if (self.low > 0) == (self.better == "higher") else "B"


@dataclass(frozen=True)
class Compared:
    """The outcome of `compare`: what could be compared, and a sentence for each thing that could not."""

    comparisons: list[Comparison]
    skipped: list[str]


def is_psnr_alone(comparisons: Sequence[Comparison]) -> bool:
    """Whether A's PSNR is up on every plane compared, and its LPIPS not improved by any network compared."""
    psnr = [one for one in comparisons if one.column.metric == "psnr"]
    lpips = [one for one in comparisons if one.column.metric.partition(":")[0] == "lpips"]
    gains = [None if one.high is None else -one.high for one in lpips]  # less distance is a gain
    return bool(psnr and lpips) and all(psnr_alone(up.low, gain) for up in psnr for gain in gains)


def find_side(root: Path, text: str) -> list[StoredRun]:
    """The runs that one side of a comparison names: one, or several that differ by nothing but their seed.

    Args:
        root: the store.
        text: a run id or the beginning of one or of several; or a comma list of them.

    Raises:
        UsageError: no run, or runs that differ in more than their seed.
    """
    runs, _ = list_runs(root)
    found: dict[str, StoredRun] = {}
    for prefix in filter(None, (part.strip() for part in text.split(","))):
        mine = [run for run in runs if run.id == prefix] or [run for run in runs if run.id.startswith(prefix)]
        found.update({run.id: run for run in mine or [find_run(root, prefix)]})  # which says what there is
    if not found:
        raise UsageError(f"{text!r} names no run. Give the beginning of a run id; srbench runs lists them.")
    side = list(found.values())
    apart = sorted(_differing_settings(side))
    if apart:
        names = ", ".join(run.id for run in side[:8])
        raise UsageError(
            f"{text!r} is {len(side)} runs that differ in {', '.join(apart)}: {names}. One side of a "
            "comparison is one run, or several that differ by their seed alone. Give more of the id."
        )
    return sorted(side, key=lambda run: (_plain(run.record.spec["seed"]), run.id))


def _plain(seed: Any) -> int:
    """A number to sort by, also for a run that has several seeds."""
    return seed if isinstance(seed, int) else 0


def compare(
    side_a: Sequence[StoredRun],
    side_b: Sequence[StoredRun],
    *,
    metrics: Sequence[str] | None = None,
    tests: Sequence[str] | None = None,
) -> Compared:
    """Everything that all runs of both sides were scored on alike: the same pictures, scale and protocol.

    Args:
        side_a: one run, or several that differ by seed; from `find_side`.
        side_b: the same.
        metrics: names or labels to keep; None: all.
        tests: names to keep; None: all.

    Raises:
        UsageError: nothing is in common; the message names what differs. Or a metric or test that no run has.
    """
    same = {run.id for run in side_a} & {run.id for run in side_b}
    if same:
        raise UsageError(f"{min(same)} stands on both sides. Compare two different runs.")
    ids = [{run.id for run in side} for side in (side_a, side_b)]
    rows = [row for row in rows_of([*side_a, *side_b], metrics, tests) if row.scores]
    rows_a, rows_b = ([row for row in rows if row.run.id in side] for side in ids)
    scores = PictureScores()
    comparisons = []
    for row, column in _common(rows_a, rows_b, len(side_a), len(side_b)):
        of_a = [scores.of(one, column) for one in _alike(rows_a, row, column)]
        of_b = [scores.of(one, column) for one in _alike(rows_b, row, column)]
        comparisons.append(_compared(row, column, of_a, of_b))
    skipped = list(_not_compared(rows_a, rows_b, comparisons))
    if not comparisons:
        raise UsageError(
            f"{side_a[0].id} and {side_b[0].id} have no score in common. "
            + (" ".join(skipped) or "One of them has no scores yet; srbench eval makes them.")
        )
    return Compared(comparisons, skipped)


def _differing_settings(runs: Sequence[StoredRun]) -> set[str]:
    """Fields of the specs that are not alike in all runs, the seed left aside."""
    first = runs[0].record.spec
    keys = {key for run in runs for key in run.record.spec} - {"seed"}
    return {key for key in keys for run in runs if run.record.spec.get(key) != first.get(key)}


def _common(
    rows_a: Sequence[Row], rows_b: Sequence[Row], runs_a: int, runs_b: int
) -> Iterable[tuple[Row, Column]]:
    """Rows of A's first run and their columns that every run of both sides has under the same protocol."""
    first = rows_a[0].run.id if rows_a else ""
    for row in rows_a:
        for column in row.scores if row.run.id == first else ():
            here = len(_alike(rows_a, row, column)), len(_alike(rows_b, row, column))
            if here == (runs_a, runs_b):
                yield row, column


def _alike(rows: Sequence[Row], row: Row, column: Column) -> list[Row]:
    """The rows of the same pictures and scale whose score in `column` has the protocol of that of `row`."""
    protocol = row.scores[column]["protocol"]
    return [
        one
        for one in rows
        if one.key == row.key and column in one.scores and one.scores[column]["protocol"] == protocol
    ]


def _compared(
    row: Row, column: Column, of_a: Sequence[Mapping[str, float]], of_b: Sequence[Mapping[str, float]]
) -> Comparison:
    line = row.scores[column]
    shared = set.intersection(*(set(values) for values in (*of_a, *of_b)))
    if not shared:
        raise UsageError(
            f"The scores of {row.test} behind the means of {row.run.id} are not to be had: its "
            "scores.parquet, or that of the other side, is lost or damaged. Score both again by srbench eval."
        )
    names = sorted(shared)
    a, b = (np.array([[values[name] for name in names] for values in side]) for side in (of_a, of_b))
    found = difference_interval(a, b)
    finite = np.isfinite(a).all(axis=0) & np.isfinite(b).all(axis=0)
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    with np.errstate(invalid="ignore"):  # ∞ − ∞, both equal to HR: no difference
        differences = np.where(mean_a == mean_b, 0.0, mean_a - mean_b)
    sign = 1 if line["better"] == "higher" else -1
    more = None
    if found.n > 1 and found.low is not None and found.high is not None and found.low <= 0 <= found.high:
        needed = pictures_needed(differences[finite])
        seeds = len(of_a) + len(of_b) > 2
        more = None if needed is None else max(needed - found.n, 0 if seeds else 1)
    order = np.argsort(np.nan_to_num(-sign * differences, nan=math.inf), kind="stable")
    return Comparison(
        row=row,
        column=column,
        better=line["better"],
        unit=line["unit"],
        protocol=line["protocol"],
        a=float(mean_a[finite].mean()) if found.n else None,
        b=float(mean_b[finite].mean()) if found.n else None,
        difference=found.mean,
        low=found.low,
        high=found.high,
        n=found.n,
        left_out=found.left_out,
        wins=int((sign * differences > _TIE).sum()),
        ties=int((abs(differences) <= _TIE).sum()),
        losses=int((sign * differences < -_TIE).sum()),
        more_pictures=more,
        pictures=tuple(
            PictureDifference(names[at], float(mean_a[at]), float(mean_b[at]), float(differences[at]))
            for at in order
        ),
    )


def _not_compared(
    rows_a: Sequence[Row], rows_b: Sequence[Row], comparisons: Sequence[Comparison]
) -> Iterable[str]:
    """A sentence for each test and scale, or metric of it, that both sides have but not alike."""
    done = {(one.row.key[:4], one.column.metric) for one in comparisons}
    tests_a, tests_b = ({_test_name(row) for row in rows} for rows in (rows_a, rows_b))
    for test in sorted(tests_a & tests_b):
        mine, theirs = ([row for row in rows if _test_name(row) == test] for rows in (rows_a, rows_b))
        contents = [{row.test_sha256 for row in rows} for rows in (mine, theirs)]
        if not contents[0] & contents[1]:
            hashes = " | ".join("/".join(sorted(one[:8] for one in content)) for content in contents)
            yield (
                f"{test} is not the same pictures in A and B (SHA-256 {hashes}): score both on one set by "
                "srbench eval RUN --test …."
            )
            continue
        scales = [sorted({_scale(row) for row in rows}) for rows in (mine, theirs)]
        if not set(scales[0]) & set(scales[1]):
            yield (
                f"{test} is scored at {', '.join(scales[0])} in A and {', '.join(scales[1])} in B, which are "
                "different tasks."
            )
        yield from _other_protocols(test, mine, theirs, done)
    for names, side, other in ((tests_a - tests_b, "A", "B"), (tests_b - tests_a, "B", "A")):
        for test in sorted(names):
            yield f"{test} is scored in {side} and not in {other}."


def _other_protocols(
    test: str, mine: Sequence[Row], theirs: Sequence[Row], done: set[tuple[Any, str]]
) -> Iterable[str]:
    """A sentence for each metric that both sides have at one scale, but under no common protocol."""
    reasons: dict[str, list[str]] = {}
    for row in mine:
        for column in row.scores:
            if (row.key[:4], column.metric) in done:
                continue
            for other in theirs:
                if other.key[:4] == row.key[:4] and column in other.scores:
                    apart = differing([row.protocol(column), other.protocol(column)])
                    what = "; ".join(f"{key} {' | '.join(values)}" for key, values in apart.items())
                    reasons.setdefault(what, []).append(f"{column.metric} at {_scale(row)}")
    for what, columns in reasons.items():
        names = ", ".join(dict.fromkeys(columns))
        if what:
            yield f"{names} on {test} was scored under different protocols: {what} (A | B)."
        else:
            yield f"{names} on {test} is not there for every seed."


def _test_name(row: Row) -> str:
    """The test's name alone; `row.test` may name the content too."""
    return str(next(iter(row.scores.values()))["test"])


def _scale(row: Row) -> str:
    return f"×{row.scale}" + ("" if row.scale == row.run_scale else f" (of ×{row.run_scale})")
