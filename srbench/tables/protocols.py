"""The protocols behind the rows shown: what each score depends on, and in what they differ."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from srbench.files import canonical_json
from srbench.store.runs import StoredRun
from srbench.tables.forms import scene_name
from srbench.tables.labels import value_text
from srbench.tables.rows import Column, rows_of

if TYPE_CHECKING:
    from rich.console import RenderableType

_OF_ROW = ("metric", "plane", "border")
"""Settings with a column of their own; the others are said once where they are alike."""

_LACKING = "–"


@dataclass
class UsedProtocol:
    """A protocol that scores in the table were made under.

    Args:
        hash: as stored with each score.
        column: metric and plane.
        protocol: all of it, as plain data.
        runs: `set5 ×4` → ids of the runs that have such scores.
    """

    hash: str
    column: Column
    protocol: Mapping[str, Any]
    runs: dict[str, list[str]] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        """What it says, one line a setting, those of metric and inference among them."""
        return flat_settings(self.protocol)


def flat_settings(protocol: Mapping[str, Any]) -> dict[str, str]:
    """A stored protocol as setting → value, both readable; groups are dissolved."""
    flat: dict[str, str] = {}
    for key, value in protocol.items():
        given = value.items() if isinstance(value, Mapping) else [(key, value)]
        flat.update({name: value_text(one) for name, one in given})
    return flat


def differing(protocols: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Setting → its values in order of appearance, of the settings in which stored protocols differ.

    A setting that one of them lacks has the value `–` for it.
    """
    flat = [flat_settings(one) for one in protocols]
    keys = dict.fromkeys(key for one in flat for key in one)
    values = {key: list(dict.fromkeys(one.get(key, _LACKING) for one in flat)) for key in keys}
    return {key: found for key, found in values.items() if len(found) > 1}


def used_protocols(
    runs: Sequence[StoredRun], metrics: Sequence[str] | None = None, tests: Sequence[str] | None = None
) -> list[UsedProtocol]:
    """The protocols of the rows that a table of `runs` shows, in the order of its columns.

    Raises:
        UsageError: a metric or test that no run has.
    """
    found: dict[str, UsedProtocol] = {}
    for row in rows_of(runs, metrics, tests):
        for column, score in row.scores.items():
            used = UsedProtocol(score["protocol"], column, row.protocol(column))
            used = found.setdefault(used.hash, used)
            users = used.runs.setdefault(scene_name(row), [])
            if row.run.id not in users:
                users.append(row.run.id)
    return sorted(found.values(), key=lambda one: (one.column.order, canonical_json(one.protocol)))


def render_protocols(
    protocols: Sequence[UsedProtocol], format: Literal["rich", "md", "json"]
) -> "RenderableType | str":
    """The protocols as a table, what they have in common above it and what differs below; or as JSON.

    `json` is a flat list of records with the keys protocol, metric, plane, settings and runs.
    """
    if format == "json":
        records = [
            {
                "protocol": one.hash,
                "metric": one.column.metric,
                "plane": one.column.plane,
                "settings": one.protocol,
                "runs": one.runs,
            }
            for one in protocols
        ]
        return json.dumps(records, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if not protocols:
        return ""
    common = _common(protocols)
    of_metric: dict[str, dict[str, str]] = {}
    for label in dict.fromkeys(one.column.metric for one in protocols):
        alike = _common([one for one in protocols if one.column.metric == label])
        of_metric[label] = {key: value for key, value in alike.items() if key not in common}
    above = [f"all: {_text(common)}"]
    above += [f"{label}: {_text(settings)}" for label, settings in of_metric.items() if settings]
    heads, lines = _lines(protocols, {label: {*common, *said} for label, said in of_metric.items()})
    apart = differing(one.protocol for one in protocols)
    named = [f"{key} {' | '.join(values)}" for key, values in apart.items() if _LACKING not in values]
    number = f"{len(protocols)} protocol" + ("" if len(protocols) == 1 else "s")
    below = f"{number}, which differ in {'; '.join(named)}." if named else f"{number}."
    if format == "md":
        from srbench.tables.markup import escape_markdown as escape

        cells = [[escape(cell).replace("\n", "<br>") for cell in line] for line in lines]
        rows = [heads, ["---"] * len(heads), *cells]
        table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        return "\n\n".join([*map(escape, above), table, escape(below)]) + "\n"
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1), header_style="")
    for head in heads:
        shown.add_column(head, overflow="fold", no_wrap=head == heads[-1])
    for line in lines:
        shown.add_row(*map(Text, line))
    return Group(*map(Text, above), "", shown, "", Text(below))


def _lines(
    protocols: Sequence[UsedProtocol], said: Mapping[str, set[str]]
) -> tuple[list[str], list[list[str]]]:
    """Heads and cells: protocols that differ in the plane alone share a line.

    Args:
        protocols: in order.
        said: metric label → settings that need not stand in the table.
    """
    lines: dict[tuple[str, ...], list[str]] = {}
    for one in protocols:
        label, settings = one.column.metric, one.settings
        rest = {k: value for k, value in settings.items() if k not in said[label] and k not in _OF_ROW}
        key = (label, settings["border"], _text(rest), ", ".join(one.runs))
        lines.setdefault(key, []).append(f"{one.column.plane:<3} {one.hash}")
    heads = ["metric", "border", "settings", "scores of", "plane and hash"]
    cells = [[*key, "\n".join(planes)] for key, planes in lines.items()]
    if not any(line[2] for line in cells):
        return [*heads[:2], *heads[3:]], [[*line[:2], *line[3:]] for line in cells]
    return heads, cells


def _common(protocols: Sequence[UsedProtocol]) -> dict[str, str]:
    """What all of them say alike, without what has a column of its own."""
    first, *others = [one.settings for one in protocols]
    return {
        key: value
        for key, value in first.items()
        if key not in _OF_ROW and all(one.get(key) == value for one in others)
    }


def _text(settings: Mapping[str, str]) -> str:
    return " · ".join(f"{key} {value}" for key, value in settings.items())
