"""What the charts of a page are drawn from: curves, perception against distortion, and spectra, as JSON."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from srbench.report.embed import rounded
from srbench.views.curves import PLANES, Curve, Curves
from srbench.views.spectra import Spectra
from srbench.views.trade import Chart, Panel

MOST_VALUES = 400_000
"""Of all curves together; about 3 MB."""

_FEWEST = 25
"""Values that a curve keeps however many there are."""


def curves_data(found: Curves, colours: Mapping[str, int]) -> tuple[dict[str, Any], list[str]]:
    """Curves with their axes, and notes.

    `xs` has for each run its steps, epochs and hours, `charts` a list of charts, each with its curves as
    pairs of run and values.

    Args:
        found: from `curves_of`.
        colours: run id → its number on the page.
    """
    notes = list(found.notes)
    total = sum(len(curve.steps) for curve in found.curves)
    most = max(_FEWEST, MOST_VALUES // max(len(found.curves), 1)) if total > MOST_VALUES else total
    if total > MOST_VALUES:
        notes.append(f"Of each curve at most {most} values are drawn, evenly spaced: there are {total:,}.")
    axes: dict[tuple[int, ...], int] = {}
    xs: list[dict[str, Any]] = []
    charts: dict[tuple[str, int | None, str, str], dict[str, Any]] = {}
    for curve in sorted(found.curves, key=_place):
        kept = _thin(len(curve.steps), most)
        steps = curve.steps[kept]
        key = (colours[curve.run_id], *steps.tolist())
        if key not in axes:
            axes[key] = len(xs)
            xs.append(
                {
                    "steps": steps.tolist(),
                    "epochs": rounded(curve.epochs[kept]),
                    "hours": rounded(curve.hours[kept]),
                }
            )
        chart = charts.setdefault(
            (curve.measure, curve.scale, curve.plane, curve.on),
            {
                "title": title_of(curve),
                "axis": {"psnr": "PSNR dB", "detail": "detail"}.get(curve.measure, curve.measure),
                "trio": curve.measure in ("loss", "psnr"),
                "plane": curve.plane,
                "on": curve.on,
                "curves": [],
            },
        )
        chart["curves"].append([colours[curve.run_id], axes[key], rounded(curve.values[kept])])
    return {"xs": xs, "charts": list(charts.values())}, notes


def last_values(data: Mapping[str, Any]) -> dict[int, list[float | None]]:
    """Run → its last value in each chart of `curves_data`, None where there is none."""
    charts = data["charts"]
    found: dict[int, list[float | None]] = {}
    for at, chart in enumerate(charts):
        for run, _, values in chart["curves"]:
            row = found.setdefault(run, [None] * len(charts))
            row[at] = next((value for value in reversed(values) if value is not None), None)
    return dict(sorted(found.items()))


def title_of(curve: Curve) -> str:
    """`PSNR ×4 · red`, with `on test pictures` where these are not a run's validation pictures."""
    name = {"loss": "mean loss", "psnr": "PSNR"}.get(curve.measure, curve.measure)
    scale = "" if curve.scale is None else f" ×{curve.scale}"
    where = {"r": "red", "g": "green", "b": "blue", "y": "luma", "rgb": "r, g and b together"}
    on = "" if curve.on in ("train", "val") else f" · on {curve.on} pictures"
    return f"{name}{scale} · {where.get(curve.plane, curve.plane)}{on}"


def _place(curve: Curve) -> tuple[Any, ...]:
    """The classic trio of a channel first, then detail, then terms of losses; a channel after another."""
    order = ("loss", "psnr", "detail")
    measure = order.index(curve.measure) if curve.measure in order else len(order)
    plane = PLANES.index(curve.plane) if curve.plane in PLANES else len(PLANES)
    return (measure > 1, plane, measure, curve.measure, curve.scale or 0, curve.on != "val", curve.on)


def _thin(count: int, most: int) -> Any:
    """Numbers of at most `most` of `count` values, the first and the last among them."""
    if count <= most:
        return slice(None)
    return np.unique(np.linspace(0, count - 1, most).round().astype(np.int64))


def trade_data(chart: Chart, colours: Mapping[str, int]) -> list[dict[str, Any]]:
    """A record a panel."""
    return [_panel(panel, colours) for row in chart.rows for panel in row if panel is not None]


def _panel(panel: Panel, colours: Mapping[str, int]) -> dict[str, Any]:
    return {
        "title": panel.title,
        "across": panel.across,
        "upwards": panel.upwards,
        "better": panel.better,
        "front": [int(at) for at in panel.front],
        "points": [
            {
                "run": colours[one.run_id],
                "label": one.label,
                "at": [one.x, one.y],
                "x": _finite(one.x_interval),
                "y": _finite(one.y_interval),
            }
            for one in panel.points
        ],
    }


def _finite(ends: tuple[float, float]) -> list[float | None]:
    """Both ends of an interval; None where one has no end, as that of an absurdly large mean."""
    return [end if math.isfinite(end) else None for end in ends]


def spectra_data(title: str, found: Spectra, colours: Mapping[str, int]) -> dict[str, Any]:
    """Power and detail by octave of one scene, by plane; runs by number, HR and bicubic by name."""
    planes: dict[str, dict[str, list[Any]]] = {}
    for one in found.spectra:
        planes.setdefault(one.plane, {"power": [], "octaves": []})["power"].append(
            [colours.get(one.run_id, one.run_id), rounded(one.frequency, 4), rounded(one.power, 4)]
        )
    for octave in found.octaves:
        share = rounded([octave.detail], 4)[0]
        planes[octave.plane]["octaves"].append(
            [colours.get(octave.run_id, octave.run_id), octave.low, octave.high, share]
        )
    return {"title": title, "nyquist": found.nyquist, "pictures": list(found.pictures), "planes": planes}
