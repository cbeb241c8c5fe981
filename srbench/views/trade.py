"""Stored scores as fidelity against perception: PSNR across, how real SR looks upwards, a panel a protocol.

No loss lifts both without end: past some point, better PSNR costs detail (Blau and Michaeli 2018,
doi:10.1109/CVPR.2018.00652). A panel shows where the runs of a table lie on that trade.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from srbench.errors import UsageError
from srbench.store.runs import StoredRun
from srbench.tables.blocks import build_table
from srbench.tables.forms import Block, Metric, scene_name
from srbench.tables.rows import Column, Row, is_named

ACROSS = "psnr"
UPWARDS = ("presence", "lpips")
"""Metrics that stand upwards where nothing else is asked for."""


@dataclass(frozen=True)
class Point:
    """A run in a panel.

    Args:
        run_id: of the run; `label`: what the table calls it, without what all rows share.
        is_baseline: bicubic.
        x, y: means.
        x_interval, y_interval: 95 % intervals of both.
    """

    run_id: str
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
        front: numbers of the points on the Pareto front, by rising PSNR: no other run is better in one and
            as good in the other. By means alone; where intervals overlap, runs may change places.
    """

    title: str
    metric: str
    across: str
    upwards: str
    better: str
    points: Sequence[Point]
    front: Sequence[int]


@dataclass(frozen=True)
class Chart:
    """Panels in rows.

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
    compared = [panels for panels in rows if any(map(_holds_a_run, panels))]
    shared = " · ".join(f"{name} {value}" for name, value in table.constants.items())
    return Chart(compared or rows, shared, list(dict.fromkeys(notes)))


def _holds_a_run(panel: Panel | None) -> bool:
    """Whether there is more than bicubic, which alone says nothing, as at a scale that no run has."""
    return panel is not None and not all(one.is_baseline for one in panel.points)


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
        points.append(Point(row.run.id, name, row.is_baseline, x["mean"], y["mean"], *intervals))
    if not points:
        return None
    better = metrics[label].better or "higher"
    return Panel(
        block.title,
        label,
        _axis(metrics[ACROSS], across.plane),
        _axis(metrics[label], upwards.plane),
        better,
        points,
        pareto_front([(one.x, one.y) for one in points], better),
    )


def pareto_front(points: Sequence[tuple[float, float]], better: str) -> list[int]:
    """Numbers of the points that no other one beats, by rising x; equal points are on it together.

    Args:
        points: x, of which more is better, and y.
        better: `higher` or `lower`, of y.
    """
    sign = 1 if better == "higher" else -1
    best = -float("inf")
    front: list[int] = []
    for x in sorted({x for x, _ in points}, reverse=True):
        top = max(sign * y for other, y in points if other == x)
        if top > best:
            best = top
            front = [at for at, one in enumerate(points) if one == (x, sign * top)] + front
    return front


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


def _remedy(metrics: Iterable[str]) -> str:
    return f"srbench eval RUN --metric {','.join(metrics)} makes them."
