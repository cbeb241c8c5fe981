"""What a row's scores say of over-smoothing, in as few words as a table has room for."""

from collections.abc import Mapping
from typing import NamedTuple

from srbench.tables.rows import Row

STYLES: Mapping[str, str] = {
    "over-smoothed": "red",
    "invented detail": "yellow",
    "over-sharpened": "yellow",
    "inconclusive": "dim",
    "not over-smoothed": "green",
    "faithful": "green",
}
"""Verdict → its colour on a terminal; in the order in which verdicts are named."""

CHANNELS = {"r": "red", "g": "green", "b": "blue"}


class Said(NamedTuple):
    """A row's verdicts in short, and the colour of the gravest."""

    text: str = ""
    style: str = ""


def said_of(row: Row) -> Said:
    """`over-smoothed`; where planes differ `over-smoothed r,g; faithful b`; and the channel that lags."""
    planes: dict[str, list[str]] = {}
    for plane in sorted(row.verdicts, key="rgby".index):
        planes.setdefault(str(row.verdicts[plane]["verdict"]), []).append(plane)
    words = sorted(planes, key=list(STYLES).index)
    if not words:
        return Said()
    named = words if len(words) == 1 else [f"{word} {','.join(planes[word])}" for word in words]
    lagging = [f"{CHANNELS[str(one['plane'])]} lags" for one in row.lags]
    return Said("; ".join(named + lagging), STYLES[words[0]])
