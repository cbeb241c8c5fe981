"""What losses ask for, as a table to read or paste, and as one object for scripts."""

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from srbench.probe import Probe
from srbench.probe.spectrum import (
    Rings,
    above_nyquist,
    amplitude,
    pull,
    readable_groups,
    share,
    single_rings,
    total,
)
from srbench.tables.markup import escape_markdown

if TYPE_CHECKING:
    from rich.console import RenderableType

_WIDE = 11  # characters of a loss that can stand above its column
_SAME = 1e-3
_MOST = 4  # losses whose amplitudes fit into 80 columns beside their pulls

_LEGEND = (
    "Pull: how far the gradient points along HR − SR in a ring, relative to the error there, divided by the "
    "same over all rings; 1 for l2."
)
_AMPLITUDE = " In parentheses the gradient's amplitude in the same measure, wherever it points."


def summary(found: Probe) -> list[str]:
    """A sentence on the error, and one for each loss."""
    above = [above_nyquist(found.window, found.subject.scale)]
    says = [
        f"{_percent(share(_error(found), above)[0])} of the error's energy lies above LR Nyquist "
        f"({nyquist(found):.3g} cycles a pixel)."
    ]
    for label, planes in found.rings.items():
        together = total(planes.values())
        (asked,) = pull(together, above)
        if all(abs(one - 1) < _SAME for one in pull(together, single_rings(found.window))):
            says.append(f"{label} asks for the same as l2 in every ring.")
            continue
        each = ", ".join(f"{plane} {_number(pull(one, above)[0])}" for plane, one in planes.items())
        by_plane = f" ({each})" if len(planes) > 1 and math.isfinite(asked) else ""
        says.append(
            f"{label} asks for {_number(asked)} of what l2 asks in the rings above LR Nyquist{by_plane}."
            if math.isfinite(asked)
            else f"{label}: what it asks for above LR Nyquist cannot be told."
        )
    return says


def nyquist(found: Probe) -> float:
    """The Nyquist frequency of LR, in cycles a pixel of HR."""
    return 1 / (2 * found.subject.scale)


def title(found: Probe) -> str:
    """What was looked at."""
    step = f" at step {found.subject.step:,}" if found.subject.step else ""
    return (
        f"{found.subject.name}{step} · {found.test.name} · {_count(found.patches, 'patch', 'patches')} of "
        f"{found.subject.side}×{found.subject.side} from {_count(found.pictures, 'picture', 'pictures')} · "
        f"planes {','.join(found.planes)}"
    )


def render(found: Probe, format: Literal["rich", "md", "json"]) -> "RenderableType | str":
    """A renderable for `rich.console.Console.print`, or text that ends with a newline."""
    if format == "json":
        return json.dumps(record(found), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    long = [label for label in found.rings if len(label) > _WIDE]
    short = dict(zip(long, letters, strict=False)) if len(long) <= len(letters) else {}
    names = [short.get(label, label) for label in found.rings]
    key = [f"{letter}: {label}" for label, letter in short.items()]
    with_amplitude = len(names) <= _MOST
    lines, below = _lines(found, with_amplitude)
    legend = _LEGEND + _AMPLITUDE * with_amplitude
    if format == "md":
        return _markdown(found, names, key, lines, below, legend)
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="")
    table.add_column(Text("cycles/pixel"), no_wrap=True)
    for name in ("error", *names):
        table.add_column(Text(name), justify="right", no_wrap=True)
    for line in lines[:below]:
        table.add_row(*map(Text, line))
    table.add_row(Text("LR Nyquist ─", style="dim"))
    for line in lines[below:]:
        table.add_row(*map(Text, line))
    says = summary(found)
    return Group(
        Text(title(found), style="bold"),
        *map(Text, key),
        "",
        table,
        "",
        Text(says[0]),
        *(Text(one, style="bold") for one in says[1:]),
        *map(Text, found.notes),
        Text(legend, style="dim"),
    )


def record(found: Probe) -> dict[str, Any]:
    """Everything as plain data; what has no answer is None."""
    size, scale = found.window, found.subject.scale
    above, single = above_nyquist(size, scale), single_rings(size)
    error = share(_error(found), single)
    return {
        "subject": found.subject.name,
        "step": found.subject.step,
        "channels": found.subject.channels,
        "scale": scale,
        "test": found.test.name,
        "pictures": found.pictures,
        "patches": found.patches,
        "patch_px": found.subject.side,
        "window_px": size,
        "lr_nyquist": nyquist(found),
        "error_above": _finite(share(_error(found), [above])[0]),
        "rings": [
            {
                "ring": ring.start,
                "frequency": ring.start / size,
                "above_lr_nyquist": ring.start in above,
                "error_share": _finite(part),
            }
            for ring, part in zip(single, error, strict=True)
        ],
        "losses": [
            {
                "loss": label,
                **_curves(total(planes.values()), above, single),
                "planes": {plane: _curves(one, above, single) for plane, one in planes.items()},
            }
            for label, planes in found.rings.items()
        ],
        "summary": summary(found),
        "notes": list(found.notes),
    }


def _curves(rings: Rings, above: range, single: Sequence[range]) -> dict[str, Any]:
    return {
        "pull_above": _finite(pull(rings, [above])[0]),
        "pull": [_finite(one) for one in pull(rings, single)],
        "amplitude": [_finite(one) for one in amplitude(rings, single)],
    }


def _lines(found: Probe, with_amplitude: bool) -> tuple[list[list[str]], int]:
    """The cells of each group of rings, and how many groups lie at or below LR Nyquist."""
    size = found.window
    groups = readable_groups(size, found.subject.scale)
    columns = [[_percent(one) for one in share(_error(found), groups)]]
    for planes in found.rings.values():
        together = total(planes.values())
        pulls, amplitudes = pull(together, groups), amplitude(together, groups)
        columns.append(
            [
                f"{_number(one)} ({_number(other)})" if with_amplitude else _number(one)
                for one, other in zip(pulls, amplitudes, strict=True)
            ]
        )
    lines = [
        [_range(group, size), *cells] for group, cells in zip(groups, zip(*columns, strict=True), strict=True)
    ]
    return lines, sum(group.start < above_nyquist(size, found.subject.scale).start for group in groups)


def _markdown(
    found: Probe,
    names: Sequence[str],
    key: Sequence[str],
    lines: Sequence[Sequence[str]],
    below: int,
    legend: str,
) -> str:
    heads = ["cycles/pixel", "error", *map(escape_markdown, names)]
    mark = ["*LR Nyquist*", *[""] * (len(heads) - 1)]
    rows = [heads, ["---", *["--:"] * (len(heads) - 1)], *lines[:below], mark, *lines[below:]]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    says = [*summary(found), *found.notes, legend]
    above = [f"**{escape_markdown(title(found))}**", *map(escape_markdown, key)]
    return "\n\n".join([*above, table, *map(escape_markdown, says)]) + "\n"


def _error(found: Probe) -> Rings:
    """The rings of all planes together; the error in them is the same for every loss."""
    return total(next(iter(found.rings.values())).values())


def _range(group: range, size: int) -> str:
    first, last = group.start / size, (group.stop - 1) / size
    return f"{first:.3f}" if len(group) == 1 else f"{first:.3f}–{last:.3f}"


def _number(value: float) -> str:
    return "–" if not math.isfinite(value) else f"{value:.2f}"


def _percent(value: float) -> str:
    return "–" if not math.isfinite(value) else f"{100 * value:.1f} %"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"
