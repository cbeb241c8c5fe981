"""What the scores of a block were made under, and in what blocks differ."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from srbench.tables.forms import Block
from srbench.tables.labels import value_text

_CONDITIONS = ("degradation", "grey", "colour", "quantise", "border")
"""What is said first of a protocol."""


def set_apart(blocks: Sequence[Block]) -> list[str]:
    """Give each block what its title needs; returns the conditions that all blocks have in common."""
    values: dict[str, set[str]] = {}
    for block in blocks:
        block.conditions = _flat(block, _of_conditions)
        block.facts = _flat(block, _of_facts)
        for key, value in {**block.conditions, **block.facts}.items():
            values.setdefault(key, set()).add(value)
    common = {}
    for block in blocks:
        everything = {**block.conditions, **block.facts}
        block.apart = {key: value for key, value in everything.items() if len(values[key]) > 1}
        common.update({key: value for key, value in block.conditions.items() if len(values[key]) == 1})
    return [f"{key} {value}" for key, value in common.items()]


def _flat(
    block: Block, items: Callable[[str, Mapping[str, Any]], Iterable[tuple[str, Any]]]
) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    # Most rows share their protocols, and a table may have many rows.
    protocols = {
        (column.metric, score["protocol"]): row for row in block.rows for column, score in row.scores.items()
    }
    for (metric, key), row in protocols.items():
        for name, value in items(metric, row.protocols[key]):
            found.setdefault(name, set()).add(value_text(value))
    keys = sorted(found, key=lambda key: _CONDITIONS.index(key) if key in _CONDITIONS else len(_CONDITIONS))
    return {key: "/".join(sorted(found[key])) for key in keys}


def _of_conditions(label: str, protocol: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for key, value in protocol.items():
        if key == "settings":  # those that the label names are said already
            yield from ((f"{label} {name}", one) for name, one in value.items() if f"{name}=" not in label)
        elif isinstance(value, Mapping) and key != "facts":
            yield from value.items()
        elif key not in ("plane", "metric", "facts"):
            yield key, value


def _of_facts(label: str, protocol: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    return ((f"{label} {name}", one) for name, one in protocol.get("facts", {}).items())


def splits(blocks: Sequence[Block]) -> list[str]:
    """A note for each test and scale whose rows had to be split, naming what differs."""
    notes = []
    for _, group in groupby(blocks, key=lambda block: block.rows[0].scene):
        alike = list(group)
        keys = dict.fromkeys(key for block in alike for key in block.apart)
        found = {key: dict.fromkeys(one.apart[key] for one in alike if key in one.apart) for key in keys}
        differs = "; ".join(f"{key} {' | '.join(values)}" for key, values in found.items() if len(values) > 1)
        if len(alike) > 1:
            notes.append(
                f"{alike[0].name} stands in {len(alike)} blocks that are never compared, because their "
                f"protocols differ: {differs}."
            )
    return notes
