"""history.jsonl and timings.jsonl of runs → curves of loss, PSNR and detail over steps, epochs and hours."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srbench.errors import StoreError
from srbench.store.history import read_lines
from srbench.store.runs import StoredRun
from srbench.views.names import names_of

_NOT_CURVES = ("step", "epoch", "on", "loss", "terms")
"""Keys of a line of the history that are no scale → plane → value."""

PLANES = ("r", "g", "b", "y", "rgb")
"""Planes in the order to show."""


@dataclass(frozen=True)
class Curve:
    """One quantity of one run over its training; arrays of one length, a value an evaluation.

    Args:
        run_id: of the run; `label`: what it is called among those asked for.
        measure: `loss` (mean since the evaluation before), a term of it (`loss l1`, `loss gan critic`),
            `psnr` in dB, or `detail`, the mean share of HR's detail recovered.
        scale: of the SR pictures; None for losses.
        plane: `r`, `g`, `b` or `y`; of a loss, the network: one of these, or `rgb`.
        on: `train` for losses, else `val` or `test`: which pictures the values are means over.
        steps: steps trained.
        epochs: the same in epochs.
        hours: of training and evaluation up to there, those of earlier processes included; NaN where it was
            not noted.
        values: NaN where there is no answer.
    """

    run_id: str
    label: str
    measure: str
    scale: int | None
    plane: str
    on: str
    steps: NDArray[np.int64]
    epochs: NDArray[np.float64]
    hours: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Curves:
    """What `curves_of` returns.

    Args:
        curves: by run in the order given, then losses, PSNR and detail, each by scale and plane.
        shared: what all runs have in common.
        notes: which runs have no curves, and why.
    """

    curves: Sequence[Curve]
    shared: str
    notes: Sequence[str]


def curves_of(runs: Sequence[StoredRun]) -> Curves:
    """Every curve of the runs, as far as they have been evaluated in training; loads no torch."""
    names = names_of(runs)
    curves: list[Curve] = []
    notes: list[str] = []
    for run in runs:
        label = names.of[run.id]
        try:
            lines = read_lines(run.paths.history)
            curves += _of_run(run, label, lines, read_lines(run.paths.timings))
        except StoreError as error:
            notes.append(f"{label} has no curves: {error}")
            continue
        except (AttributeError, KeyError, TypeError, ValueError):  # JSON, but not as srbench writes it
            notes.append(f"{label} has no curves: {run.paths.history.name} is not as srbench writes it.")
            continue
        if not lines:
            notes.append(f"{label} has no curves: {_why_none(run)}.")
    return Curves(curves, names.shared, notes)


def _why_none(run: StoredRun) -> str:
    spec = run.record.spec
    if spec.get("source"):
        return "it was not trained here"
    if not spec["loss"]:
        return "it is not trained"
    return "it has not been evaluated in training yet, or its history is gone"


def _of_run(
    run: StoredRun, label: str, lines: Sequence[Mapping[str, Any]], timings: Sequence[Mapping[str, Any]]
) -> list[Curve]:
    elapsed_s = {line["step"]: line.get("elapsed_s") for line in timings}
    points: dict[tuple[str, int | None, str, str], list[tuple[int, float, float, float]]] = {}
    for line in lines:
        at = (line["step"], _number(line.get("epoch")), _number(elapsed_s.get(line["step"])) / 3600)
        for key, value in _values(line):
            points.setdefault(key, []).append((*at, _number(value)))
    found = []
    for (measure, scale, plane, on), values in points.items():
        steps, *others = zip(*values, strict=True)
        arrays = (np.array(one, dtype=np.float64) for one in others)
        found.append(
            Curve(run.id, label, measure, scale, plane, on, np.array(steps, dtype=np.int64), *arrays)
        )
    return sorted(found, key=_order)


def _values(line: Mapping[str, Any]) -> Iterator[tuple[tuple[str, int | None, str, str], Any]]:
    """What a line holds: measure, scale, plane and pictures → value."""
    for plane, value in line.get("loss", {}).items():
        yield ("loss", None, plane, "train"), value
    for name, value in line.get("terms", {}).items():
        plane, _, term = name.partition("/")
        yield (f"loss {term}", None, plane, "train"), value
    for measure, scales in line.items():
        if measure not in _NOT_CURVES and line.get("on"):
            for scale, planes in scales.items():
                for plane, value in planes.items():
                    yield (measure, int(scale), plane, line["on"]), value


def _order(curve: Curve) -> tuple[Any, ...]:
    first = ("loss", "psnr", "detail")
    kind = curve.measure.partition(" ")[0]
    place = first.index(kind) if kind in first else len(first)
    plane = PLANES.index(curve.plane) if curve.plane in PLANES else len(PLANES)
    return (place, curve.measure, curve.scale or 0, plane, curve.on)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")
