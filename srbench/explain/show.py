"""An explanation as one table, best first, and a sentence that says what it comes to."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from srbench.explain import Candidate, Explanation, Number
from srbench.tables.markup import escape_markdown

if TYPE_CHECKING:
    from rich.console import RenderableType


def verdict(explanation: Explanation) -> str:
    """What was found, in a sentence or two."""
    numbers = explanation.numbers
    asked = " and ".join(f"{one.metric} {one.text}" for one in numbers)
    of = f"{explanation.protocols:,} protocols"
    found = explanation.explaining
    if not found:
        nearest = explanation.candidates[0]
        off = " and ".join(
            f"{one.metric} {_value(one, nearest)}, off by {abs(nearest.values[one.metric] - one.value):.2g}"
            for one in numbers
        )
        steps = "".join(
            f" Within rounding of {one.metric} {one.text} alone: {explanation.within[one.metric]:,}."
            for one in numbers[:-1]
        )
        return (
            f"None of {of} comes within rounding of {asked}. The nearest gives {off}.{steps} "
            "Other weights, other pictures or another crop of them are more likely than a protocol that is "
            "not listed here."
        )
    if len(found) == 1:
        return f"One of {of} gives {asked}."
    more = " more digits" if len(numbers) > 1 else " more digits or a second number (--ssim, --psnr)"
    return (
        f"{len(found):,} of {of} come within rounding of {asked}, the most usual first;{more} "
        "would tell them apart."
    )


def render(
    explanation: Explanation, format: Literal["rich", "md", "json"], *, limit: int = 10
) -> "RenderableType | str":
    """A renderable for `rich.console.Console.print`, or text that ends with a newline.

    Args:
        explanation: from `explain`.
        format: `json` is one object: numbers, protocols, explained, verdict, notes, and candidates with the
            label of every axis.
        limit: candidates to show: those that explain the numbers, or the nearest where none does.
    """
    candidates = (explanation.explaining or list(explanation.candidates))[:limit]
    if format == "json":
        return json.dumps(_plain(explanation, candidates), indent=1, ensure_ascii=False) + "\n"
    axes = list(candidates[0].labels)
    alike = [axis for axis in axes if len({one.labels[axis] for one in candidates}) == 1]
    common = " · ".join(candidates[0].labels[axis] for axis in alike)
    heads = [text for one in explanation.numbers for text in (one.metric, "off")]
    heads += ["protocol"]
    lines = [_line(explanation, one, alike) for one in candidates]
    says = [verdict(explanation), *explanation.notes]
    left = len(explanation.explaining) - len(candidates)
    if left > 0:
        says.append(f"{left:,} more are not shown; --limit shows more.")
    above = f"in all below: {common}" if common else ""
    if format == "md":
        rows = [heads, ["--:"] * (len(heads) - 1) + ["---"]]
        rows += [[escape_markdown(cell) for cell in line] for line in lines]
        table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        parts = [escape_markdown(says[0]), *([escape_markdown(above)] if above else []), table]
        return "\n\n".join([*parts, *map(escape_markdown, says[1:])]) + "\n"
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="")
    for head in heads[:-1]:
        shown.add_column(head, justify="right", no_wrap=True)
    shown.add_column(heads[-1], overflow="fold")
    for one, line in zip(candidates, lines, strict=True):
        shown.add_row(*(Text(cell, style="bold" if one.explains else "") for cell in line))
    top = [Text(says[0], style="bold"), *([Text(above, style="dim")] if above else [])]
    return Group(*top, "", shown, "", *map(Text, says[1:]))


def _line(explanation: Explanation, one: Candidate, alike: Sequence[str]) -> list[str]:
    cells = []
    for number in explanation.numbers:
        off = one.values[number.metric] - number.value
        cells += [_value(number, one), f"{off:+.{_digits(number)}f}"]
    own = " · ".join(label for axis, label in one.labels.items() if axis not in alike)
    if one.departures == 0:
        own = f"as srbench scores it: {own}" if own else "as srbench scores it"
    return [*cells, own]


def _plain(explanation: Explanation, candidates: Sequence[Candidate]) -> dict[str, Any]:
    return {
        "numbers": {one.metric: one.text for one in explanation.numbers},
        "protocols": explanation.protocols,
        "explained": len(explanation.explaining),
        "verdict": verdict(explanation),
        "notes": list(explanation.notes),
        "candidates": [
            {
                "explains": one.explains,
                "values": one.values,
                "off": {n.metric: one.values[n.metric] - n.value for n in explanation.numbers},
                "departures": one.departures,
                "protocol": one.labels,
            }
            for one in candidates
        ],
    }


def _value(number: Number, one: Candidate) -> str:
    return f"{one.values[number.metric]:.{_digits(number)}f}"


def _digits(number: Number) -> int:
    """Two more than were typed, so that a reader sees which way it was rounded."""
    return max(0, -int(Decimal(number.text).as_tuple().exponent)) + 2
