"""The cells of a block: labels, means with their ranks and gains, and what is noted of them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from srbench.store.runs import current_status
from srbench.tables.forms import Block, Cell, Metric, digits_of
from srbench.tables.ranks import Entry, PictureScores, ranked
from srbench.tables.rows import Column, Row
from srbench.types import scored_planes

_LABELS = ("loss", "channels", "dataset", "seed", "step", "settings")

Note: TypeAlias = Callable[[str], str]
"""Takes the text of a note and gives its mark; the same text has one mark."""


def write_cells(block: Block, column: Column, metric: Metric, note: Note, pictures: PictureScores) -> None:
    """Fill one column of a block. A mean over fewer pictures than others' has no rank and no gain."""
    contenders = [*block.rows, *block.rivals]
    scores = [row.scores.get(column) for row in contenders]
    most = max((score["n"] for score in scores if score), default=0)
    means = {at: score["mean"] for at, score in enumerate(scores) if score and score["n"] == most > 0}
    digits = digits_of(metric, means.values())
    entries = [
        Entry(f"{mean:.{digits}f}", mean, partial(pictures.of, contenders[at], column))
        for at, mean in means.items()
    ]
    ranks, untested = ranked(entries, metric.better)
    rank_of = dict(zip(means, ranks, strict=True))
    block.untested = block.untested or untested
    base = None
    for at, (row, score, cells) in enumerate(
        zip(block.rows, scores, block.cells, strict=False)
    ):  # without rivals
        if score is None:
            cells[column] = _empty(row, column, note)
            continue
        mean, mark = score["mean"], _mark_left_out(score, most, note)
        if mean is None:
            cells[column] = Cell("–", mark=mark)
            continue
        text = f"{mean:.{digits}f}"
        interval = f"[{score['ci_low']:.{digits}f}, {score['ci_high']:.{digits}f}]"
        if score["n"] < most:
            cells[column] = Cell(text, interval=interval, mark=mark)
            continue
        gain = ""
        if row.is_baseline:
            base = mean if base is None else base  # the baseline is the first row
        elif base is not None and metric.unit == "dB":
            gain = f"{round(mean - base, digits) + 0.0:+.{digits}f}"  # + 0.0 turns -0.00 into +0.00
        cells[column] = Cell(text, *rank_of[at], gain, interval, mark)


def _mark_left_out(score: Mapping[str, Any], most: int, note: Note) -> str:
    if not score["left_out"]:
        return ""
    total = score["n"] + score["left_out"]
    fewer = " Not compared with means over more pictures." if score["n"] < most else ""
    return note(f"{score['left_out']} of {total} pictures left out: infinite or undefined.{fewer}")


def _empty(row: Row, column: Column, note: Note) -> Cell:
    channels = row.labels.channels
    if channels and column.plane and column.plane not in scored_planes(channels):
        return Cell("·")
    reason = row.unavailable.get(column.metric, "not scored yet; run the same command again.")
    says_itself = column.metric.partition(":")[0] in reason.lower()
    return Cell("missing", mark=note(reason if says_itself else f"{column.metric}: {reason}"))


def write_names(blocks: Sequence[Block], note: Note) -> tuple[dict[str, str], list[str]]:
    """Give each row its label cells; returns what is constant, and the names of the columns that are not."""
    rows = [row for block in blocks for row in block.rows]
    distinct = {name: {row.label(name) for row in rows} - {""} for name in _LABELS}
    progress = {row.run.id: _progress(row) for row in rows}
    unfinished = any(progress.values())
    shown = [name for name in _LABELS if len(distinct[name]) > 1 or (name == "step" and unfinished)]
    for block in blocks:
        for row in block.rows:
            text = progress[row.run.id]
            mark = note(text) if text else ""
            cells = [Cell(row.label(name), mark=mark if name == "step" else "") for name in shown]
            block.names.append([Cell(row.labels.model), *cells])
    constants = {name: one for name in _LABELS if name not in shown for one in distinct[name]}
    return constants, ["model", *shown]


def _progress(row: Row) -> str | None:
    """A note for a run that is not where it was asked to be."""
    record = row.run.record
    status = current_status(row.run)
    if status == "done":
        return None
    more = {
        "running": "and still training",
        "interrupted": "and was interrupted; run the same command to go on",
        "failed": f"and failed: {(record.reason or 'no reason is stored').rstrip('.')}",
    }[status]
    where = f"{row.run.id} is at step {record.step:,} of {record.budget:,}"
    return f"{where} {more}. Its scores are of step {row.step:,}."
