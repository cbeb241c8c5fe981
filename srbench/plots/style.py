"""What all figures have in common: width, type, colours that everybody can tell apart, and where names stand.

Names come from users and plugins. They are shown as they are written: no text of a figure is markup.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path

from srbench.figures import write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Width = Literal["column", "page"]

WIDTHS: Mapping[Width, float] = {"column": 3.5, "page": 7.16}
"""Inches: one and two columns of the IEEE's format, which those of others are near to."""

DPI = 300
"""Of a PNG where nothing else is asked for: what journals ask of figures with photographs."""

TEXT, SMALL = 8.0, 7.0
"""Points: of axis labels and panel titles, and of everything else. Nothing is smaller."""

MOST_RUNS = 12
"""Runs that can be told apart in one figure."""

GREY = "0.35"
HR_COLOUR = "black"

# Okabe and Ito 2008, https://jfly.uni-koeln.de/color; without black, which is HR's, and yellow: too faint.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_MARKERS = "osD^vPX<>phd"
_LINES = ("-", "--", "-.", ":")

_GAP = 0.06  # inches
_HANDLE, _PAD, _BETWEEN, _LEADING = 2.2, 0.5, 1.2, 0.35  # of a legend, in units of its type
_MOST_LINES = 3
_STEPS = (1, 2, 5, 10)
_MARKS = ",:;+-_/=*"  # after which a long word may be broken

_FONT = "DejaVu Sans"
_UNIT = 100.0  # points at which characters are measured

_RC: Any = {
    "font.family": _FONT,
    "text.hinting": "none",  # which at a low resolution draws letters wider than they are
    "text.parse_math": False,
    "font.size": SMALL,
    "axes.labelsize": TEXT,
    "axes.titlesize": TEXT,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.labelpad": 2.5,
    "axes.titlepad": 3.5,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.5,
    "grid.linewidth": 0.3,
    "axes.unicode_minus": True,
}


@dataclass(frozen=True)
class Look:
    """How a run is drawn: by colour, marker and line, each of which tells it from its neighbours."""

    colour: str
    marker: str
    line: Any

    def handle(self, *, line: bool = True) -> Line2D:
        """What stands for it in a legend."""
        return Line2D([], [], color=self.colour, marker=self.marker, linestyle=self.line if line else "none")


BASELINE_LOOK = Look(GREY, "*", ":")


@contextmanager
def paper() -> Iterator[None]:
    """matplotlib's own defaults and ours over them, whatever a user's matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        yield


def save(path: Path, figure: Figure, dpi: int = DPI) -> None:
    """Write a figure; see `srbench.figures.write_figure`.

    Raises:
        StoreError: it cannot be written.
    """
    with paper():  # ticks come to be while a figure is drawn
        write_figure(path, figure, dpi)


def looks(keys: Sequence[str]) -> dict[str, Look]:
    """A look for each run, by its place: equal lists are drawn alike in every figure."""
    return {
        key: Look(
            _COLOURS[at % len(_COLOURS)],
            _MARKERS[at % len(_MARKERS)],
            _LINES[at // len(_COLOURS) % len(_LINES)],
        )
        for at, key in enumerate(keys)
    }


def literal(text: str) -> str:
    """A name as it can be drawn: on one line, with a sign for what is no character or not in the font."""
    known = _characters()
    return "".join(
        one if one.isprintable() and ord(one) in known else "\N{REPLACEMENT CHARACTER}"
        for one in " ".join(text.split())
    )


def width_of(text: str, points: float = SMALL) -> float:
    """Width of a line of text, in inches; kerning, which only draws letters together, is left out."""
    return sum(map(_advance, text)) * points / 72


def wrapped(text: str, width: float, points: float = SMALL, lines: int = _MOST_LINES) -> str:
    """Text in lines of at most `width` inches; where `lines` are too few, its middle is left out.

    Broken between words, and within those that are too long for a line.
    """
    text = literal(text)
    shown = _lines(text, width, points)
    if len(shown) <= lines:
        return "\n".join(shown)
    low, high = 0, len(text)  # characters kept: of `low` there is room, of `high` there is not
    while high - low > 1:
        kept = (low + high) // 2
        if len(_lines(_cut(text, kept), width, points)) <= lines:
            low = kept
        else:
            high = kept
    return "\n".join(_lines(_cut(text, low), width, points))


def framed(
    width: Width,
    panels: float,
    entries: Sequence[tuple[str, Line2D]] = (),
    title: str = "",
    caption: str = "",
) -> Figure:
    """An empty figure with a title above and a legend and a caption below its panels, none of which overlap.

    Args:
        width: of the figure.
        panels: height left to panels, in inches; the figure is as much taller as its texts need.
        entries: name and handle, in order.
        title, caption: wrapped; empty: none.
    """
    inches = WIDTHS[width]
    room = inches - 2 * _GAP
    heading = wrapped(title, room, TEXT, 2) if title else ""
    foot = wrapped(caption, room, SMALL, 9) if caption else ""
    above, beneath = _text_height(heading, TEXT), _text_height(foot, SMALL)
    figure = Figure(figsize=(inches, panels))
    legend = _legend(figure, entries, room) if entries else None
    middle = 0.0
    if legend is not None:
        renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
        extent = legend.get_window_extent(renderer)
        middle = extent.height / figure.dpi + 2 * _GAP
    height = above + panels + middle + beneath + _GAP
    figure.set_size_inches(inches, height)
    bottom = (middle + beneath + _GAP) / height
    figure.set_layout_engine(
        "constrained", rect=(0, bottom, 1, 1 - bottom - above / height), w_pad=0.03, h_pad=0.03
    )
    figure.text(0.5, 1 - _GAP / height, heading, fontsize=TEXT, ha="center", va="top")
    figure.text(_GAP / inches, _GAP / height, foot, color=GREY, va="bottom")
    if legend is not None:
        legend.set_bbox_to_anchor((0.5, (beneath + 1.5 * _GAP) / height))
    return figure


def few_ticks(axes: "Axes", across: int, up: int) -> None:
    """At most so many steps between ticks of linear axes, in round and short numbers: `250k`."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(across, steps=_STEPS))
    axes.yaxis.set_major_locator(MaxNLocator(up, steps=_STEPS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))


@cache
def _characters() -> frozenset[int]:
    """What the font has, which comes with matplotlib: a figure is the same on every machine."""
    return frozenset(FT2Font(findfont(FontProperties(family=_FONT))).get_charmap())


def _short(value: float) -> str:
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * unit or (abs(value) >= unit and value % unit == 0):
            return f"{value / unit:g}{name}"
    return f"{round(value, 9):g}"


def _lines(text: str, width: float, points: float) -> list[str]:
    lines: list[str] = []
    for word in text.split(" "):
        if lines and width_of(f"{lines[-1]} {word}", points) <= width:
            lines[-1] += f" {word}"
            continue
        rest = word
        while rest:
            end = _fitting(rest, width, points)
            if end < len(rest):  # rather after a mark than anywhere
                end = max((at + 1 for at in range(end // 2, end) if rest[at] in _MARKS), default=end)
            lines.append(rest[:end])
            rest = rest[end:]
    return lines or [""]


def _cut(text: str, kept: int) -> str:
    """The beginning and the end of a text, `kept` characters together."""
    return f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"


def _fitting(text: str, width: float, points: float) -> int:
    """How many characters of a text fit into a width; at least one."""
    used = 0.0
    for at, one in enumerate(text):
        used += _advance(one) * points / 72
        if used > width:
            return max(1, at)
    return len(text)


@cache
def _advance(character: str) -> float:
    """How far a character moves the pen on, in units of the type's size."""
    properties = FontProperties(family=_FONT, size=_UNIT)
    return float(text_to_path.get_text_width_height_descent(character, properties, ismath=False)[0]) / _UNIT


def _text_height(text: str, points: float) -> float:
    return (text.count("\n") + 1) * points * 1.25 / 72 + _GAP if text else 0.0


def _legend(figure: Figure, entries: Sequence[tuple[str, Line2D]], room: float) -> Legend:
    """A legend in as many columns as there is room for."""
    em = SMALL / 72
    beside = (_HANDLE + _PAD) * em
    names = _distinct([wrapped(name, room - beside - em) for name, _ in entries])
    widths = [beside + max(width_of(line) for line in name.split("\n")) for name in names]
    columns = len(names)
    while columns > 1 and sum(_column_widths(widths, columns)) + (columns - 1) * _BETWEEN * em > room:
        columns -= 1
    return figure.legend(
        [handle for _, handle in entries], names, loc="lower center", ncols=columns, frameon=False,
        borderpad=0, borderaxespad=0, handlelength=_HANDLE, handletextpad=_PAD, columnspacing=_BETWEEN,
        labelspacing=_LEADING,
    )  # fmt: skip


def _distinct(names: Sequence[str]) -> list[str]:
    """Names of which none are alike: those that were cut alike are numbered."""
    return [
        f"{name} ({names[: at + 1].count(name)})" if names.count(name) > 1 else name
        for at, name in enumerate(names)
    ]


def _columns(items: Sequence[Any], number: int) -> list[Sequence[Any]]:
    """Items as a legend puts them into columns: the first ones are the longer ones."""
    rows, longer = divmod(len(items), number)
    ends = [rows * at + min(at, longer) for at in range(number + 1)]
    return [items[ends[at] : ends[at + 1]] for at in range(number)]


def _column_widths(widths: Sequence[float], number: int) -> list[float]:
    return [max(column) for column in _columns(widths, number)]
