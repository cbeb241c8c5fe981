"""Scores of single pictures, the worst first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from srbench.errors import StoreError
from srbench.metrics.verdict import mark
from srbench.store.scores import Series, read_series
from srbench.tables.rows import Column
from srbench.views.scenes import Scene

MOST_LINES = 250
"""Of one test set; all are in `scores.parquet`."""

_SHOWN = ("presence", "detail", "psnr", "ssim", "lpips")
_DIGITS = {"psnr": 2, "presence": 3, "detail": 3}


@dataclass(frozen=True)
class PictureLine:
    """One picture of one run.

    Args:
        picture: its name; `run`: what the page calls the run.
        plane: what all but LPIPS are of.
        values: a value for each column of the table; None where there is none.
        word: what its presence says, in words.
    """

    picture: str
    run: str
    plane: str
    values: Sequence[float | None]
    word: str


@dataclass(frozen=True)
class Worst:
    """The pictures of one scene.

    Args:
        title: of the scene.
        columns: metric labels.
        digits: to show, of each.
        lines: the worst first.
        total: how many there are in all.
        by: what they are sorted by, in words.
    """

    title: str
    columns: Sequence[str]
    digits: Sequence[int]
    lines: Sequence[PictureLine]
    total: int
    by: str


def worst_of(scene: Scene, names: Mapping[str, str]) -> tuple[Worst | None, list[str]]:
    """The pictures of a scene, those with the least presence first, or else those with the least PSNR.

    Args:
        scene: from `scenes_of`.
        names: run id → what the page calls it.

    Returns:
        None where nothing was scored, and notes on runs that cannot be read.
    """
    notes: list[str] = []
    found: dict[tuple[str, str], dict[Column, float]] = {}
    for run in scene.runs:
        try:
            series = read_series(run.paths)
        except StoreError as error:
            notes.append(str(error))
            continue
        for column, scores in _newest(scene, series).items():
            for picture, value in scores.items():
                found.setdefault((run.id, picture), {})[column] = value
    labels = {column.metric for one in found.values() for column in one}
    shown = sorted(
        (label for label in labels if label.partition(":")[0] in _SHOWN),
        key=lambda label: (_SHOWN.index(label.partition(":")[0]), label),
    )
    if not shown:
        return None, notes
    lines = [_line(run_id, picture, columns, shown, names) for (run_id, picture), columns in found.items()]
    by = next((label for label in ("presence", "psnr") if label in shown), shown[0])
    lower_is_worse = not by.startswith("lpips")
    at = shown.index(by)

    def badness(line: PictureLine) -> tuple[bool, float, str, str]:
        value = line.values[at]
        sign = 1 if lower_is_worse else -1
        return (value is None, 0.0 if value is None else sign * value, line.picture, line.run)

    lines.sort(key=badness)
    digits = [_DIGITS.get(label.partition(":")[0], 4) for label in shown]
    return Worst(scene.title, shown, digits, lines[:MOST_LINES], len(lines), by), notes


def _newest(scene: Scene, found: Mapping[Series, Mapping[str, float]]) -> dict[Column, Mapping[str, float]]:
    """The scores of the scene at its full scale, of the last step of each column."""
    newest: dict[Column, tuple[int, Mapping[str, float]]] = {}
    for series, scores in found.items():
        if (series.test, series.test_sha256, series.scale, series.run_scale) == (
            scene.test,
            scene.test_sha256,
            scene.scale,
            scene.scale,
        ):
            column = Column(series.metric, series.plane)
            if series.step >= newest.get(column, (-1, {}))[0]:
                newest[column] = (series.step, scores)
    return {column: scores for column, (_, scores) in newest.items()}


def _line(
    run_id: str, picture: str, columns: Mapping[Column, float], shown: Sequence[str], names: Mapping[str, str]
) -> PictureLine:
    planes = {column.plane for column in columns} - {"rgb"}
    plane = "y" if "y" in planes else min(planes, default="rgb")
    values: list[float | None] = []
    for label in shown:
        value = columns.get(Column(label, plane), columns.get(Column(label, "rgb")))
        values.append(value if value is not None and np.isfinite(value) else None)
    presence = values[shown.index("presence")] if "presence" in shown else None
    return PictureLine(
        picture, names[run_id], plane, values, ("" if presence is None else mark(presence)) or ""
    )
