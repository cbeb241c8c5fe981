"""Spectra as a figure: for each plane the radial power of HR and of each run, and detail by octave."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from srbench.errors import UsageError
from srbench.plots.style import BASELINE_LOOK, GREY, HR_COLOUR, Look, Width, few_ticks, framed, looks
from srbench.views.spectra import BICUBIC, HR, OctaveDetail, Spectra, Spectrum

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POWER, _DETAIL = "power, dB", "share of HR's detail"
_HEIGHT: dict[Width, tuple[float, ...]] = {"column": (1.25,), "page": (1.9, 1.3)}  # inches, of a panel
_FOOT = 0.3
_RANGE_DB = 65.0
"""Below HR's highest power: what is less is not shown. Rounding to 8 bits alone is at −59 dB."""


def draw(
    found: Spectra,
    *,
    width: Width = "column",
    planes: Sequence[str] | None = None,
    title: str = "",
    scale: int,
) -> "Figure":
    """A figure for `srbench.plots.style.save`: on a page a column a plane, in a column a row a plane.

    Args:
        found: from `spectra_of`.
        width: of the figure.
        planes: to show; None: all.
        title: above.
        scale: of SR to LR.

    Raises:
        UsageError: there is nothing to draw, or a plane that no run has.
    """
    from matplotlib.lines import Line2D

    known = list(dict.fromkeys(one.plane for one in found.spectra))
    if not known:
        raise UsageError(f"There is no spectrum to draw. {' '.join(found.notes)}".rstrip())
    for plane in planes or ():
        if plane not in known:
            raise UsageError(f"No run has the plane {plane!r}. There are: {', '.join(known)}.")
    shown = [plane for plane in known if plane in (planes or known)]
    labels = {one.run_id: one.label for one in found.spectra if one.run_id not in (HR, BICUBIC)}
    look = {HR: Look(HR_COLOUR, "", "-"), BICUBIC: BASELINE_LOOK, **looks(list(labels))}
    labels = {HR: "HR", BICUBIC: "bicubic", **labels}
    nyquist = Line2D([], [], color=GREY, linestyle="--", linewidth=0.8)
    panels = _HEIGHT[width][0] * len(shown) if width == "column" else sum(_HEIGHT[width])
    figure = framed(
        width,
        panels + _FOOT,
        [
            *((label, look[key].handle()) for key, label in labels.items()),
            (f"LR Nyquist, 1/{2 * scale} cycles a pixel", nyquist),
        ],
        title,
        f"Over {len(found.pictures)} pictures: {', '.join(found.pictures)}." if len(found.pictures) > 1
        else f"Of {found.pictures[0]}.",
    )  # fmt: skip
    if width == "column":
        grid = figure.subplots(len(shown), 2, squeeze=False, sharex="col", sharey="col")
        pairs = [(row[0], row[1]) for row in grid]
    else:
        grid = figure.subplots(
            2, len(shown), squeeze=False, sharex="row", sharey="row", height_ratios=_HEIGHT[width]
        )
        pairs = list(zip(grid[0], grid[1], strict=True))
    for at, (plane, (upper, lower)) in enumerate(zip(shown, pairs, strict=True)):
        _draw_power(upper, [one for one in found.spectra if one.plane == plane], look)
        _draw_octaves(lower, [one for one in found.octaves if one.plane == plane], look)
        upper.axvline(found.nyquist, color=GREY, linewidth=0.8, linestyle="--")
        if width == "column":
            upper.set_ylabel(f"{plane}: {_POWER}")
            if at == 0:
                lower.set_title(_DETAIL)
            if at == len(shown) - 1:
                upper.set_xlabel("cycles a pixel")
                lower.set_xlabel("octave, cycles a pixel")
        else:
            upper.set_title(plane, fontweight="bold")
            upper.set_xlabel("cycles a pixel")
            lower.set_xlabel("octave, cycles a pixel")
            if at == 0:
                upper.set_ylabel(_POWER)
                lower.set_ylabel(_DETAIL)
    return figure


def _draw_power(axes: "Axes", spectra: Sequence[Spectrum], look: dict[str, Look]) -> None:
    top = max(float(one.power.max()) for one in spectra if one.run_id == HR)
    lowest = 10 * np.log10(max(top, 1e-12)) - _RANGE_DB
    for one in spectra:
        style = look[one.run_id]
        power = 10 * np.log10(np.maximum(one.power, 1e-12))
        axes.plot(
            one.frequency, power, color=style.colour, linestyle=style.line,
            marker=style.marker, markevery=max(1, len(power) // 6), markersize=3,
        )  # fmt: skip
    few_ticks(axes, 3, 4)
    axes.set_xlim(0, 0.5)
    axes.set_ylim(bottom=lowest)
    axes.grid(visible=True)


def _draw_octaves(axes: "Axes", octaves: Sequence[OctaveDetail], look: dict[str, Look]) -> None:
    """A mark a run beside each other in each octave, so that none hides another."""
    ends = list(dict.fromkeys((one.low, one.high) for one in octaves))
    runs = list(dict.fromkeys(one.run_id for one in octaves))
    for one in octaves:
        style = look[one.run_id]
        place = ends.index((one.low, one.high)) + 0.8 * ((runs.index(one.run_id) + 0.5) / len(runs) - 0.5)
        axes.plot([place], [one.detail], color=style.colour, marker=style.marker, linestyle="none")
    axes.axhline(0, color=GREY, linewidth=0.6)
    few_ticks(axes, 3, 4)
    axes.set_xticks(range(len(ends)), [f"{_part(low)}–{_part(high)}" for low, high in ends])
    axes.set_xlim(-0.5, len(ends) - 0.5)
    axes.grid(visible=True, axis="y")


def _part(frequency: float) -> str:
    """`1/8`: ends of octaves are whole parts of a cycle."""
    parts = 1 / frequency
    return f"1/{parts:g}" if abs(parts - round(parts)) < 1e-6 else f"{frequency:.3f}"
