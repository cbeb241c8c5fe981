"""Fidelity against perception as a figure: a row a test and scale, a panel a metric, a point a run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from srbench.metrics.verdict import THRESHOLD
from srbench.plots.style import (
    BASELINE_LOOK,
    GREY,
    MOST_RUNS,
    SMALL,
    TEXT,
    WIDTHS,
    Look,
    Width,
    few_ticks,
    framed,
    looks,
    wrapped,
)
from srbench.views.trade import Chart, Panel, Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEIGHT: dict[Width, float] = {"column": 2.3, "page": 2.6}  # inches, of a panel
_OTHERS = Look("0.75", ".", "none")
"""Of runs that are too many to be told apart."""

_FRONT = "Pareto front"
_FRONT_LINE = (0, (1, 1.5))


def draw(chart: Chart, *, width: Width = "column") -> "Figure":
    """A figure for `srbench.plots.style.save`: on a page two panels side by side, in a column one.

    Where there are more runs than can be told apart, those on a Pareto front are named first, then those with
    the best PSNR; all others are grey.

    Args:
        chart: from `chart_of`.
        width: of the figure.
    """
    from matplotlib.lines import Line2D

    beside = 2 if width == "page" else 1
    # Of a row, what does not fit goes below; a metric that a row lacks leaves its place free.
    places = [row[at : at + beside] for row in chart.rows for at in range(0, len(row), beside)]
    places = [place for place in places if any(place)]
    across = max(map(len, places))
    named = _named(chart)
    look = looks([label for label, is_baseline in named.items() if not is_baseline])
    look |= {label: BASELINE_LOOK for label, is_baseline in named.items() if is_baseline}
    entries = [
        (f"{label} (baseline)" if is_baseline else label, look[label].handle(line=False))
        for label, is_baseline in named.items()
    ]
    everything = [point for row in chart.rows for panel in row if panel for point in panel.points]
    others = {point.label for point in everything} - set(named)
    if others:
        entries.append((f"{len(others)} other runs", _OTHERS.handle(line=False)))
    if any(len(panel.front) > 1 for row in chart.rows for panel in row if panel):
        entries.append((_FRONT, Line2D([], [], color=GREY, linestyle=_FRONT_LINE, linewidth=0.8)))
    if any(panel.metric == "presence" for row in chart.rows for panel in row if panel):
        entries.append(
            (f"{THRESHOLD:g}: over-smoothed below", Line2D([], [], color=GREY, linestyle="--", linewidth=0.8))
        )
    caption = "Up and right are better. Bars are 95 % intervals of both means."
    figure = framed(width, _HEIGHT[width] * len(places), entries, chart.shared, caption)
    grid = figure.subplots(len(places), across, squeeze=False)
    room = WIDTHS[width] / across * 0.8
    for axes_of_row, place in zip(grid, places, strict=True):
        for at, axes in enumerate(axes_of_row):
            panel = place[at] if at < len(place) else None
            if panel is None:
                axes.set_axis_off()
            else:
                _draw_panel(axes, panel, look, room)
    return figure


def _named(chart: Chart) -> dict[str, bool]:
    """Label → whether it is the baseline, of the runs that have a look of their own, in table order."""
    points: dict[str, Point] = {}
    on_front: set[str] = set()
    for row in chart.rows:
        for panel in filter(None, row):
            for one in panel.points:
                points.setdefault(one.label, one)
            on_front |= {panel.points[at].label for at in panel.front}
    first = sorted(points.values(), key=lambda one: (not one.is_baseline, one.label not in on_front, -one.x))
    kept = {one.label for one in first[: MOST_RUNS + 1]}
    return {label: one.is_baseline for label, one in points.items() if label in kept}


def _draw_panel(axes: "Axes", panel: Panel, look: dict[str, Look], room: float) -> None:
    front = [panel.points[at] for at in panel.front]
    axes.plot(
        [one.x for one in front], [one.y for one in front], color=GREY, linestyle=_FRONT_LINE, linewidth=0.8
    )
    for point in _last_named(panel.points, look):
        style = look.get(point.label, _OTHERS)
        axes.errorbar(
            point.x, point.y, xerr=_arms(point.x, point.x_interval), yerr=_arms(point.y, point.y_interval),
            fmt=style.marker, color=style.colour, markersize=7 if point.is_baseline else 4.5,
            elinewidth=0.6, capsize=1.5, capthick=0.6,
        )  # fmt: skip
    if panel.better == "lower":
        axes.invert_yaxis()
    if panel.metric == "presence":
        axes.axhline(THRESHOLD, color=GREY, linewidth=0.8, linestyle="--")
    few_ticks(axes, 5, 5)
    axes.set_xlabel(wrapped(panel.across, room, TEXT, 2))
    axes.set_ylabel(wrapped(panel.upwards, _HEIGHT["column"] * 0.8, TEXT, 2))
    axes.set_title(wrapped(panel.title, room, SMALL, 2), fontsize=SMALL)
    axes.grid(visible=True)


def _last_named(points: Sequence[Point], look: dict[str, Look]) -> list[Point]:
    """Points in the order they are drawn: grey ones beneath the others."""
    return sorted(points, key=lambda one: one.label in look)


def _arms(mean: float, interval: tuple[float, float]) -> list[list[float]]:
    """Lengths of an error bar below and above; a mean outside its own interval by rounding has none."""
    return [[max(0.0, mean - interval[0])], [max(0.0, interval[1] - mean)]]
