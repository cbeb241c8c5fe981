"""Curves of training as a figure: a row a plane; the loss first, then PSNR at each scale."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from srbench.errors import UsageError, did_you_mean
from srbench.plots.style import MOST_RUNS, Width, few_ticks, framed, looks
from srbench.views.curves import PLANES, Curve, Curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Over = Literal["steps", "epochs", "hours"]

MEASURES = ("loss", "psnr")
"""What is drawn where nothing else is asked for."""

_ROW: dict[Width, float] = {"column": 1.0, "page": 1.35}  # inches
_FOOT = 0.25
_AWAY = 6  # points between the numbers and the name of a row
_WIDE_RANGE = 20
"""Highest to lowest loss from which their axis is logarithmic."""


def draw(
    found: Curves,
    *,
    width: Width = "column",
    over: Over = "steps",
    measures: Sequence[str] = MEASURES,
    planes: Sequence[str] | None = None,
) -> "tuple[Figure, list[str]]":
    """A figure for `srbench.plots.style.save`, and what was left out of it.

    Args:
        found: from `curves_of`.
        width: of the figure.
        over: what stands across.
        measures: in the order of the columns; `psnr` and `detail` have a column a scale.
        planes: rows; None: those that have networks of their own, and luma where networks see RGB.

    Raises:
        UsageError: there is nothing to draw, or a measure or plane that no run has.
    """
    curves, notes = _asked(found, measures, planes)
    rows = [plane for plane in PLANES if plane in {_row(one) for one in curves}]
    columns = sorted(
        {(one.measure, one.scale) for one in curves},
        key=lambda column: (list(measures).index(column[0]), column[1] or 0),
    )
    runs = list(dict.fromkeys(one.run_id for one in curves))
    labels = {one.run_id: one.label for one in curves}
    look = looks(runs)
    on = "/".join(sorted({one.on for one in curves} - {"train"}))
    figure = framed(
        width,
        _ROW[width] * len(rows) + _FOOT,
        [(labels[run], look[run].handle()) for run in runs],
        found.shared,
        _caption(curves, on),
    )
    grid = figure.subplots(len(rows), len(columns), squeeze=False, sharex=True)
    for at_row, plane in enumerate(rows):
        for at_column, (measure, scale) in enumerate(columns):
            axes: Axes = grid[at_row][at_column]
            mine = [one for one in curves if (_row(one), one.measure, one.scale) == (plane, measure, scale)]
            for one in mine:
                style = look[one.run_id]
                axes.plot(
                    getattr(one, over), one.values, color=style.colour, linestyle=style.line,
                    marker=style.marker, markevery=max(1, len(one.values) // 8),
                )  # fmt: skip
            few_ticks(axes, 3 if width == "column" else 5, 4)
            if measure.startswith("loss"):
                _scale_losses(axes, mine)
            axes.margins(0.08)
            axes.grid(visible=True)
            if not mine:
                axes.set_axis_off()
            if at_row == 0:
                axes.set_title(_title(measure, scale))
        drawn = [axes for axes in grid[at_row] if axes.axison]
        drawn[0].set_ylabel(plane, fontweight="bold", rotation=0, ha="right", va="center", labelpad=_AWAY)
    for column_axes in grid.T:
        lowest = [axes for axes in column_axes if axes.axison][-1]
        lowest.set_xlabel(over)
        lowest.tick_params(labelbottom=True)
    return figure, [*found.notes, *notes]


def _asked(
    found: Curves, measures: Sequence[str], planes: Sequence[str] | None
) -> tuple[list[Curve], list[str]]:
    """The curves to draw, and what is left out."""
    if not found.curves:
        raise UsageError(
            "None of these runs has curves to draw: "
            + (" ".join(found.notes) or "there are no runs. srbench run makes one.")
        )
    known = list(dict.fromkeys(one.measure for one in found.curves))
    for measure in measures:
        if measure not in known:
            raise UsageError(
                f"No run has curves of {measure!r}.{did_you_mean(measure, known)} "
                f"There are: {', '.join(known)}."
            )
    rows = {_row(one) for one in found.curves}
    for plane in planes or ():
        if plane not in rows:
            there = ", ".join(plane for plane in PLANES if plane in rows)
            raise UsageError(f"No run has curves of the plane {plane!r}. There are: {there}.")
    own = {_row(one) for one in found.curves if one.scale is None}
    curves = [one for one in found.curves if one.measure in measures and _row(one) in (planes or own)]
    runs = list(dict.fromkeys(one.run_id for one in curves))
    if len(runs) <= MOST_RUNS:
        return curves, []
    kept = sorted(runs, key=lambda run: -_last_psnr(found.curves, run))[:MOST_RUNS]
    note = (
        f"{len(kept)} of {len(runs)} runs are drawn, as many as can be told apart: those with the best PSNR "
        "at the end. Name runs to see others."
    )
    return [one for one in curves if one.run_id in kept], [note]


def _row(curve: Curve) -> str:
    """The plane whose row a curve stands in: the loss of a network that sees RGB stands with luma."""
    return "y" if curve.plane == "rgb" else curve.plane


def _last_psnr(curves: Sequence[Curve], run_id: str) -> float:
    mine = [one for one in curves if one.run_id == run_id and one.measure == "psnr"]
    scale = max((one.scale or 0 for one in mine), default=0)
    last = [one.values[np.isfinite(one.values)][-1:] for one in mine if one.scale == scale]
    values = np.concatenate(last) if last else np.array([])
    return float(values.mean()) if len(values) else float("-inf")


def _title(measure: str, scale: int | None) -> str:
    if measure == "loss":
        return "mean loss"
    at = "" if scale is None else f" ×{scale}"
    return f"PSNR{at}, dB" if measure == "psnr" else measure + at


def _caption(curves: Sequence[Curve], on: str) -> str:
    said = []
    if any(one.scale is None for one in curves):
        said.append("Losses are means since the evaluation before")
        if any(one.plane == "rgb" for one in curves):
            said[-1] += "; those of networks that see RGB stand with y"
    others = dict.fromkeys(one.measure for one in curves if one.scale is not None)
    if others:
        where = {"val": "validation", "test": "test"}.get(on, on)
        names = " and ".join("PSNR" if one == "psnr" else one for one in others)
        said.append(f"{names[0].upper()}{names[1:]}: mean over the {where} pictures")
    return "".join(f"{one}. " for one in said).rstrip()


def _scale_losses(axes: "Axes", curves: Sequence[Curve]) -> None:
    """Losses of several kinds differ by orders of magnitude."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    values = np.concatenate([one.values for one in curves]) if curves else np.array([])
    values = values[np.isfinite(values)]
    if len(values) == 0 or values.min() <= 0 or values.max() < _WIDE_RANGE * values.min():
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(numticks=5))
    # Not matplotlib's own, which writes powers in its markup.
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
