"""Comparisons as tables to read or paste, and as records for scripts."""

import json
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from srbench.compare import Compared, Comparison, is_psnr_alone
from srbench.store.runs import StoredRun
from srbench.tables.forms import Metric, digits_of, scene_name
from srbench.tables.markup import escape_markdown

if TYPE_CHECKING:
    from rich.console import RenderableType

_HEADS = ("metric", "plane", "A", "B", "A − B", "95 % interval", "W/T/L", "verdict")
_MOST = 3
"""Pictures shown at either end."""

_LEGEND = (
    "A − B: mean over pictures with its paired bootstrap interval. W/T/L: pictures on which A wins, ties, "
    "loses. Where the interval holds zero the two are not told apart, and +n pictures says how many more "
    "would tell a difference of this size four times of five, by the spread seen here: an order of magnitude."
)


def records(compared: Compared, side_a: Sequence[StoredRun], side_b: Sequence[StoredRun]) -> dict[str, Any]:
    """Everything as plain data: `runs_a`, `runs_b`, `skipped`, and `comparisons` with all pictures.

    What is not finite is None.
    """
    return {
        "runs_a": [run.id for run in side_a],
        "runs_b": [run.id for run in side_b],
        "comparisons": [
            {
                "test": one.row.test,
                "scale": one.row.scale,
                "run_scale": one.row.run_scale,
                "plane": one.column.plane,
                "metric": one.column.metric,
                "better": one.better,
                "a": one.a,
                "b": one.b,
                "difference": one.difference,
                "ci_low": one.low,
                "ci_high": one.high,
                "winner": one.winner or None,
                "n": one.n,
                "left_out": one.left_out,
                "wins": one.wins,
                "ties": one.ties,
                "losses": one.losses,
                "more_pictures": one.more_pictures,
                "protocol": one.protocol,
                "pictures": [
                    {
                        "image": picture.image,
                        "a": _finite(picture.a),
                        "b": _finite(picture.b),
                        "difference": _finite(picture.difference),
                    }
                    for picture in one.pictures
                ],
            }
            for one in compared.comparisons
        ],
        "skipped": compared.skipped,
    }


def render(
    compared: Compared,
    side_a: Sequence[StoredRun],
    side_b: Sequence[StoredRun],
    format: Literal["rich", "md", "json"],
) -> "RenderableType | str":
    """A renderable for `rich.console.Console.print`, or text that ends with a newline."""
    if format == "json":
        plain = records(compared, side_a, side_b)
        return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    heads = [f"{name}: {_side(side)}" for name, side in (("A", side_a), ("B", side_b))]
    scenes = [
        (scene, list(group))
        for scene, group in groupby(compared.comparisons, key=lambda one: scene_name(one.row))
    ]
    if format == "md":
        return _markdown(heads, scenes, compared.skipped)
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    shown: list[RenderableType] = [Text(head) for head in heads]
    for scene, group in scenes:
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="")
        for number, head in enumerate(_HEADS):
            table.add_column(
                head, justify="right" if 2 <= number <= 6 else "left", no_wrap=number in (2, 3, 4, 5, 6)
            )
        for one in group:
            table.add_row(*(Text(cell, style="bold" if one.winner else "") for cell in _cells(one)))
        shown += ["", Text(_title(scene, group), style="bold"), table, ""]
        shown += [Text(line) for line in [*_extremes(group), *_findings(group)]]
    notes = [Text(f"Not compared: {reason}") for reason in compared.skipped]
    return Group(*shown, "", *notes, Text(_LEGEND, style="dim"))


def _markdown(
    heads: Sequence[str], scenes: Sequence[tuple[str, Sequence[Comparison]]], skipped: Sequence[str]
) -> str:
    parts = [escape_markdown(head) for head in heads]
    for scene, group in scenes:
        lines = [list(_HEADS), ["---", "---", *["--:"] * 5, "---"]]
        lines += [[escape_markdown(cell) for cell in _cells(one)] for one in group]
        parts.append(f"**{escape_markdown(_title(scene, group))}**")
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
        parts += [escape_markdown(line) for line in [*_extremes(group), *_findings(group)]]
    parts += [escape_markdown(f"Not compared: {reason}") for reason in skipped]
    return "\n\n".join([*parts, _LEGEND]) + "\n"


def _title(scene: str, group: Sequence[Comparison]) -> str:
    number = max(one.n + one.left_out for one in group)
    return f"{scene} · {number} picture" + ("" if number == 1 else "s")


def _cells(one: Comparison) -> list[str]:
    digits = _digits(one)
    title = Metric(one.column.metric, one.better, one.unit).title
    means = ["–" if value is None else f"{value:.{digits}f}" for value in (one.a, one.b)]
    record = f"{one.wins}/{one.ties}/{one.losses}"
    if one.difference is None or one.low is None or one.high is None:
        return [title, one.column.plane, *means, "–", "–", record, "no picture has a value"]
    interval = f"[{one.low:+.{digits}f}, {one.high:+.{digits}f}]" if one.n > 1 else "–"
    left_out = f"; {one.left_out} left out" if one.left_out else ""
    difference = f"{one.difference:+.{digits}f}"
    return [title, one.column.plane, *means, difference, interval, record, _verdict(one) + left_out]


def _verdict(one: Comparison) -> str:
    if one.n < 2:
        return "one picture"
    if one.winner:
        return f"{one.winner} is better"
    if one.more_pictures is None:
        return "no difference"
    if one.more_pictures == 0:
        return "more seeds needed"
    return f"+{one.more_pictures:,} picture" + ("" if one.more_pictures == 1 else "s")


def _extremes(group: Sequence[Comparison]) -> list[str]:
    """A line a metric: the pictures that differ most, on luma where it was scored, else its first plane."""
    lines = []
    for _, found in groupby(group, key=lambda one: one.column.metric):
        planes = list(found)
        one = next((one for one in planes if one.column.plane == "y"), planes[0])
        digits = _digits(one)
        named = [f"{picture.image} {picture.difference:+.{digits}f}" for picture in one.pictures]
        most = min(_MOST, (len(named) + 1) // 2)
        best, worst = named[:most], named[most:][-most:][::-1]
        lines.append(
            f"{one.column.metric} {one.column.plane}: best for A {', '.join(best)}"
            + (f"; worst {', '.join(worst)}" if worst else "")
        )
    return lines


def _findings(group: Sequence[Comparison]) -> list[str]:
    """Which of the two has more true detail, and whether PSNR alone speaks for A."""
    found = [one for one in group if one.column.metric == "detail" and one.difference is not None]
    lines = []
    for side in ("A", "B"):
        sign = 1 if side == "A" else -1
        won = [
            f"{one.column.plane} ({sign * (one.difference or 0):+.3f})" for one in found if one.winner == side
        ]
        if won:
            lines.append(f"{side} has more of HR's detail in {', '.join(won)}.")
    if found and not lines:
        lines.append("Neither has surely more of HR's detail.")
    if is_psnr_alone(group):
        lines.append("PSNR up, LPIPS not improved: A is nearer to HR on average, and does not look nearer.")
    return lines


def _digits(one: Comparison) -> int:
    return digits_of(Metric(one.column.metric, one.better, one.unit), [one.a or 0])


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None


def _side(runs: Sequence[StoredRun]) -> str:
    steps = {run.record.step for run in runs if run.record.spec["loss"]}
    at = f" at step {'/'.join(f'{step:,}' for step in sorted(steps))}" if steps else ""
    return ", ".join(run.id for run in runs) + at + (f" ({len(runs)} seeds)" if len(runs) > 1 else "")
