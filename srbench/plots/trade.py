"""Fidelity against perception as a figure."""

from itertools import cycle
from typing import TYPE_CHECKING, Any

from srbench.metrics.verdict import THRESHOLD
from srbench.views.trade import Chart, Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = "osDv^<>pPX"
_WIDTH, _HEIGHT, _LEGEND = 4.6, 3.9, 2.6  # inches


def draw(chart: Chart) -> "Figure":
    """A figure for `srbench.figures.write_figure`: a row a test and scale, a column a metric."""
    from matplotlib.figure import Figure

    across = max(len(row) for row in chart.rows)
    figure = Figure(figsize=(_WIDTH * across + _LEGEND, _HEIGHT * len(chart.rows)), layout="constrained")
    grid = figure.subplots(len(chart.rows), across, squeeze=False)
    labels = dict.fromkeys(one.label for row in chart.rows for panel in row if panel for one in panel.points)
    colours = {label: f"C{number % 10}" for number, label in enumerate(labels)}
    markers = dict(zip(labels, cycle(_MARKERS), strict=False))
    for axes_of_row, row in zip(grid, chart.rows, strict=True):
        for axes, panel in zip(axes_of_row, row, strict=True):
            if panel is None:
                axes.set_axis_off()
            else:
                _draw_panel(axes, panel, colours, markers)
        handles: dict[str, Any] = {}
        for axes in axes_of_row:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
        axes_of_row[-1].legend(
            handles.values(), handles.keys(), loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False,
            fontsize="small",
        )  # fmt: skip
    if chart.shared:
        figure.suptitle(chart.shared, fontsize="medium")
    return figure


def _draw_panel(axes: "Axes", panel: Panel, colours: dict[str, str], markers: dict[str, str]) -> None:
    for point in panel.points:
        axes.errorbar(
            point.x, point.y, xerr=_arms(point.x, point.x_interval), yerr=_arms(point.y, point.y_interval),
            fmt="*" if point.is_baseline else markers[point.label],
            color="black" if point.is_baseline else colours[point.label],
            markersize=11 if point.is_baseline else 7, elinewidth=0.7, capsize=2,
            label=f"{point.label} (baseline)" if point.is_baseline else point.label,
        )  # fmt: skip
    upwards = panel.upwards
    if panel.better == "lower":
        axes.invert_yaxis()
        upwards += ", up is better"
    if panel.metric == "presence":
        axes.axhline(THRESHOLD, color="0.5", linewidth=1, linestyle=":")
        axes.annotate(
            f"{THRESHOLD:g}: over-smoothed below", (0, THRESHOLD), xycoords=("axes fraction", "data"),
            xytext=(3, 2), textcoords="offset points", fontsize="x-small", color="0.4",
        )  # fmt: skip
    axes.set_xlabel(panel.across)
    axes.set_ylabel(upwards)
    axes.set_title(panel.title, fontsize="medium")
    axes.grid(linewidth=0.3)


def _arms(mean: float, interval: tuple[float, float]) -> list[list[float]]:
    """Lengths of an error bar below and above; a mean outside its own interval by rounding has none."""
    return [[max(0.0, mean - interval[0])], [max(0.0, interval[1] - mean)]]
