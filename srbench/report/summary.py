"""The table as a page shows it: blocks that may be compared, each row with what it can be filtered by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from srbench.store.runs import StoredRun
from srbench.tables.blocks import build_table
from srbench.tables.forms import Block, Cell, Table
from srbench.tables.rows import Column, Row
from srbench.tables.said import STYLES

FILTERS = ("model", "loss", "channels", "trained on", "test", "scale", "verdict")
"""What rows can be filtered by; columns by metric and by plane."""


@dataclass(frozen=True)
class Line:
    """A row of a block.

    Args:
        run_id: of the run.
        names: its label cells; `cells`: a cell and the number to sort by, for each column of the block.
        verdict: what is said of over-smoothing, in words.
        keys: filter → its values; several verdicts where planes differ.
    """

    run_id: str
    names: Sequence[Cell]
    cells: Sequence[tuple[Cell, float | None]]
    verdict: str
    keys: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Part:
    """A block of the table; `heads` are its columns with what stands above each."""

    title: str
    heads: Sequence[tuple[Column, str]]
    lines: Sequence[Line]
    has_verdicts: bool


@dataclass(frozen=True)
class Summary:
    """The first section of a page.

    Args:
        table: what it is made of, with its protocol, notes and remarks.
        parts: its blocks.
        choices: filter → what can be chosen, of filters with a choice.
    """

    table: Table
    parts: Sequence[Part]
    choices: Mapping[str, Sequence[str]]


def summary_of(runs: Sequence[StoredRun]) -> Summary:
    """The table of all scored runs."""
    table = build_table(runs)
    parts = [_part(block, table) for block in table.blocks]
    choices: dict[str, Sequence[str]] = {}
    for name in FILTERS:
        choices[name] = _sorted(
            {key for part in parts for line in part.lines for key in line.keys[name]}, name
        )
    columns = [column for part in parts for column, _ in part.heads]
    choices["metric"] = list(
        dict.fromkeys(column.metric for column in sorted(columns, key=lambda one: one.order))
    )
    choices["plane"] = [
        plane for plane in ("y", "r", "g", "b", "rgb") if any(one.plane == plane for one in columns)
    ]
    return Summary(table, parts, {name: found for name, found in choices.items() if len(found) > 1})


def _part(block: Block, table: Table) -> Part:
    heads = [
        (column, " ".join(filter(None, (table.metrics[column.metric].title, column.plane))))
        for column in block.columns
    ]
    lines = []
    for at, row in enumerate(block.rows):
        cells = [(block.cells[at][column], _value(row, column)) for column in block.columns]
        said = block.verdicts[at].text if block.verdicts else ""
        lines.append(Line(row.run.id, block.names[at], cells, said, _keys(row)))
    return Part(block.title, heads, lines, bool(block.verdicts))


def _value(row: Row, column: Column) -> float | None:
    score: Mapping[str, Any] | None = row.scores.get(column)
    return None if score is None else score["mean"]


def _keys(row: Row) -> dict[str, Sequence[str]]:
    labels = row.labels
    verdicts = [word for word in STYLES if any(one["verdict"] == word for one in row.verdicts.values())]
    return {
        "model": [labels.model],
        "loss": [labels.loss] if labels.loss else [],
        "channels": [labels.channels] if labels.channels else [],
        "trained on": [labels.dataset] if labels.dataset else [],
        "test": [row.test],
        "scale": [f"×{row.scale}" + ("" if row.scale == row.run_scale else f" (of ×{row.run_scale})")],
        "verdict": verdicts,
    }


def _sorted(found: set[str], name: str) -> list[str]:
    return [word for word in STYLES if word in found] if name == "verdict" else sorted(found)
