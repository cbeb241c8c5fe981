"""Stored scores as a chart: fidelity across, how real SR looks upwards; only equal protocols share a panel.

No loss lifts both without end: past some point, better PSNR costs detail (Blau and Michaeli 2018,
doi:10.1109/CVPR.2018.00652). The chart shows where the runs of a table lie on that trade.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

from srbench.errors import UsageError
from srbench.metrics.verdict import THRESHOLD
from srbench.store.runs import StoredRun
from srbench.tables.blocks import Block, Metric, build_table, scene_name
from srbench.tables.rows import Column, Row, is_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = "psnr"
UPWARDS = ("presence", "lpips")
"""Metrics that stand upwards where nothing else is asked for."""

_MARKERS = "osDv^<>pPX"
_WIDTH, _HEIGHT, _LEGEND = 4.6, 3.9, 2.6  # inches


@dataclass(frozen=True)
class Point:
    """A run in a panel.

    Args:
        label: what the table calls it, without what all rows share.
        is_baseline: bicubic.
        x, y: means.
        x_interval, y_interval: 95 % intervals of both.
    """

    label: str
    is_baseline: bool
    x: float
    y: float
    x_interval: tuple[float, float]
    y_interval: tuple[float, float]


@dataclass(frozen=True)
class Panel:
    """Runs that may be compared: one test, scale and protocol, and one metric against PSNR.

    Args:
        title: test, scale, pictures, and what tells it from other panels.
        metric: label of what stands upwards.
        across, upwards: what the axes are called.
        better: `higher` or `lower`, of what stands upwards.
        points: at least one.
    """

    title: str
    metric: str
    across: str
    upwards: str
    better: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Chart:
    """What is drawn.

    Args:
        rows: panels that stand side by side, in the order of `labels`; None where there is nothing to show.
        shared: what all runs have in common.
        notes: what is not drawn, and why.
    """

    rows: Sequence[Sequence[Panel | None]]
    shared: str
    notes: Sequence[str]


def chart_of(
    runs: Sequence[StoredRun], metrics: Sequence[str] | None = None, tests: Sequence[str] | None = None
) -> Chart:
    """The panels of all scored runs.

    PSNR is that of luma, or of the first plane that there is; what stands upwards is of the same plane, or of
    the first there is.

    Args:
        runs: from the store.
        metrics: names or labels of what is to stand upwards; None: `UPWARDS`, as far as there are scores.
        tests: names of tests to keep; None: all.

    Raises:
        UsageError: a metric or test that no run has, or nothing is left to draw.
    """
    known = {score["metric"] for run in runs for score in (run.summary or {"scores": ()})["scores"]}
    asked = list(metrics or UPWARDS)
    there = [name for name in asked if any(is_named(label, [name]) for label in known)]
    missing = [name for name in asked if name not in there]
    if not any(is_named(label, [ACROSS]) for label in known):
        raise UsageError(f"No run has scores of {ACROSS}, which stands across. {_remedy([ACROSS])}")
    if (metrics is not None and missing) or not there:
        raise UsageError(
            f"No run has scores of {' or '.join(missing)}. {_remedy(missing)} "
            f"There are: {', '.join(sorted(known))}."
        )
    notes = [
        f"No run has scores of {name}, so there is no panel of it. {_remedy([name])}" for name in missing
    ]
    table = build_table(runs, [ACROSS, *there], tests)
    labels = list(
        dict.fromkeys(
            column.metric
            for name in there
            for block in table.blocks
            for column in block.columns
            if is_named(column.metric, [name]) and column.plane
        )
    )
    rows = []
    for block in table.blocks:
        panels = [_panel(block, table.metrics, label, table.label_columns, notes) for label in labels]
        if any(panels):
            rows.append(panels)
    if not rows:
        raise UsageError(
            f"No run has both {ACROSS} and {' or '.join(there)} on one test and scale. "
            f"{_remedy([ACROSS, *there])}"
        )
    shared = " · ".join(f"{name} {value}" for name, value in table.constants.items())
    return Chart(rows, shared, list(dict.fromkeys(notes)))


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


def _panel(
    block: Block, metrics: dict[str, Metric], label: str, label_columns: Sequence[str], notes: list[str]
) -> Panel | None:
    """The runs of a block that have PSNR and the metric; those that have not become notes."""
    planes = [column.plane for column in block.columns if column.metric == ACROSS and column.plane]
    if not planes:
        return None
    across = Column(ACROSS, "y" if "y" in planes else planes[0])
    of_label = [column.plane for column in block.columns if column.metric == label and column.plane]
    if not of_label:
        return None
    upwards = Column(label, across.plane if across.plane in of_label else of_label[0])
    most = {
        column: max((row.scores[column]["n"] for row in block.rows if column in row.scores), default=0)
        for column in (across, upwards)
    }
    points = []
    for row, names in zip(block.rows, block.names, strict=True):
        name = _name(label_columns, [cell.text for cell in names])
        reason = next(filter(None, (_why_not(row, column, most[column]) for column in most)), None)
        if reason:
            notes.append(f"{name} is not drawn in {scene_name(row)}: {reason}.")
            continue
        x, y = row.scores[across], row.scores[upwards]
        intervals = [(float(one["ci_low"]), float(one["ci_high"])) for one in (x, y)]
        points.append(Point(name, row.is_baseline, x["mean"], y["mean"], *intervals))
    if not points:
        return None
    return Panel(
        block.title,
        label,
        _axis(metrics[ACROSS], across.plane),
        _axis(metrics[label], upwards.plane),
        metrics[label].better or "higher",
        points,
    )


def _name(columns: Sequence[str], cells: Sequence[str]) -> str:
    """`lapsrn l1 seed 1`: what tells a row from others; a bare number says what it is."""
    named = zip(columns, cells, strict=True)
    return " ".join(
        f"{column} {cell}" if column in ("seed", "step") else cell for column, cell in named if cell
    )


def _why_not(row: Row, column: Column, most: int) -> str | None:
    score = row.scores.get(column)
    where = f"{column.metric} on {column.plane}"
    if score is None:
        return f"it has no {where}"
    if score["mean"] is None:
        return f"no picture has a value of {where}"
    return f"its mean {where} is over fewer pictures than others'" if score["n"] < most else None


def _axis(metric: Metric, plane: str) -> str:
    """`PSNR dB (y)`, `LPIPS (squeeze) (rgb)`: which way is better is shown by the axis itself."""
    return " ".join(filter(None, (metric.name, metric.unit, metric.settings, f"({plane})")))


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


def _remedy(metrics: Iterable[str]) -> str:
    return f"srbench eval RUN --metric {','.join(metrics)} makes them."
