"""Which value of a column is best, and whether it is apart from the rest: a paired test over the pictures."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from srbench.errors import StoreError
from srbench.metrics.bootstrap import are_apart
from srbench.store.runs import StoredRun
from srbench.store.scores import Series, read_series
from srbench.tables.rows import Column, Row

Values: TypeAlias = Mapping[str, float]
"""Picture's name → score."""

_TOO_FEW = "there are fewer than two pictures with scores to compare"
_LOST = "the pictures' own scores (scores.parquet) are not there"


class Entry(NamedTuple):
    """One mean that takes part.

    Args:
        text: as printed.
        mean: in full.
        values: gives the scores it is over; called only where they are needed.
    """

    text: str
    mean: float
    values: Callable[[], Values]


class Rank(NamedTuple):
    """Where a value stands: 1 for the best and those tied with it, 2 for the next, 0 for all others."""

    place: int = 0
    tied: bool = False


class PictureScores:
    """The scores behind the means of a table; a run's file is read when one of its values is first tested."""

    def __init__(self) -> None:
        self._read: dict[str, dict[Series, dict[str, float]]] = {}

    def of(self, row: Row, column: Column) -> Values:
        """The scores behind a row's mean; empty where the file is lost or damaged."""
        line = row.scores[column]
        return self._of(row.run).get(Series(*(line[name] for name in Series._fields)), {})

    def _of(self, run: StoredRun) -> dict[Series, dict[str, float]]:
        if run.id not in self._read:
            try:
                self._read[run.id] = read_series(run.paths)
            except StoreError:  # its means still stand in the summary
                self._read[run.id] = {}
        return self._read[run.id]


def ranked(entries: Sequence[Entry], better: str | None) -> tuple[list[Rank], str]:
    """The rank of each entry, and why the best was not tested; empty where it was.

    The best is alone where the paired 95 % interval of its difference to each other one leaves out zero;
    those for which it does not are tied with it, and so are values that are printed alike. Where there is a
    tie nothing is second. A lone entry has no rank, nor has
    a metric of which neither more nor less is better.
    """
    if len(entries) < 2 or better == "neither":
        return [Rank()] * len(entries), ""
    order = sorted(range(len(entries)), key=lambda at: entries[at].mean, reverse=better == "higher")
    best = entries[order[0]]
    tied = {at for at in order if entries[at].text == best.text}
    rest = [at for at in order if at not in tied]
    reason = ""
    if rest:
        of_best, of_others = best.values(), [entries[at].values() for at in rest]
        differences = paired_differences(of_best, of_others)
        paired = np.isfinite(differences).sum(axis=1) > 1
        if not paired.all():
            reason = _TOO_FEW if of_best and all(of_others) else _LOST
        tied |= {at for at, is_tie in zip(rest, paired & ~are_apart(differences), strict=True) if is_tie}
    others = [at for at in order if at not in tied]
    second = entries[others[0]].text if others and len(tied) == 1 else None
    ranks = [
        Rank(1, len(tied) > 1) if at in tied else Rank(2 if entry.text == second else 0)
        for at, entry in enumerate(entries)
    ]
    return ranks, reason


def paired_differences(best: Values, others: Sequence[Values]) -> NDArray[np.float64]:
    """(others, pictures): best − other on each picture of the best; NaN where the other lacks it."""
    names = sorted(best)
    with np.errstate(invalid="ignore"):  # ∞ − ∞: two pictures equal to HR
        mine = np.array([best[name] for name in names])
        theirs = [
            # Mostly all have the same pictures in the same order, and need not be looked up one by one.
            list(other.values()) if list(other) == names else [other.get(name, np.nan) for name in names]
            for other in others
        ]
        return mine - np.array(theirs, dtype=np.float64)
