"""The log of a run: its specification, a point an evaluation, its scores, and how it ended."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from torch.utils.tensorboard import SummaryWriter

from srbench.api import RunInfo


@dataclass
class _Log:
    """An open log, and the step of its last point."""

    writer: SummaryWriter
    step: int = 0


_logs: dict[Path, _Log] = {}
"""The open ones, by the run's directory."""


def start(run: RunInfo, folder: Path, evaluated: int) -> None:
    """Open the log; in one that is there, points after the step `evaluated` are dropped: they come again."""
    _logs[run.directory] = log = _open(run, folder, evaluated + 1)
    log.step = evaluated
    log.writer.flush()


def add(run: RunInfo, line: Mapping[str, Any], learning_rate: float) -> None:
    """Add a line of history.jsonl; it is on the disk then."""
    log = _logs.get(run.directory)
    if log is None:  # it could not be opened, which has been reported
        return
    log.step = line["step"]
    for tag, value in _points(line):
        log.writer.add_scalar(tag, value, log.step)
    log.writer.add_scalar("learning_rate", learning_rate, log.step)
    log.writer.flush()


def finish(run: RunInfo, folder: Path, summary: Mapping[str, Any]) -> None:
    """Add the scores that are not there yet, and close the log."""
    known = _known(folder)
    log = _logs.pop(run.directory, None) or _open(run, folder)
    for tag, row in _scores(summary):
        if (tag, row["step"]) not in known:
            log.writer.add_scalar(tag, row["mean"], row["step"])
        log.step = max(log.step, row["step"])
    log.writer.add_text("scores", _table(summary), log.step)
    _close(log, "finished")


def end(run: RunInfo, reason: str) -> None:
    """Say why the run ended before its time, and close its log."""
    log = _logs.pop(run.directory, None)
    if log is not None:
        _close(log, reason)


def _close(log: _Log, status: str) -> None:
    log.writer.add_text("status", status, log.step)
    log.writer.close()


def _open(run: RunInfo, folder: Path, purge_step: int | None = None) -> _Log:
    """The log of a run; a new one begins with its specification, as hyperparameters and as text."""
    is_new = not folder.exists()
    writer = SummaryWriter(folder, purge_step=None if is_new else purge_step)
    if is_new:
        summary = hparams_pb(dict(_flat(run.spec)), trial_id=run.id)
        writer.file_writer.add_summary(summary, 0)  # type: ignore[attr-defined] # declared None
        text = json.dumps(run.spec, indent=1, sort_keys=True)
        writer.add_text("specification", "\n".join(f"    {line}" for line in text.splitlines()), 0)
    return _Log(writer)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """`{"model": {"name": "edsr"}}` → `("model.name", "edsr")`; what is None is left out."""
    if isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, list):
        parts = dict(enumerate(value)).items()
    else:
        if value is not None:
            yield name, value
        return
    for key, part in parts:
        yield from _flat(part, f"{name}.{key}" if name else key)


def _points(line: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for kind in ("loss", "terms"):
        yield from ((f"{kind}/{name}", value) for name, value in line.get(kind, {}).items())
    for kind in ("psnr", "detail"):
        for scale, planes in line[kind].items():
            for plane, value in planes.items():
                if value is not None:
                    yield f"{line['on']}/{kind}/x{scale}/{plane}", value


def _scores(summary: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """A tag for each mean; where two would share one, their protocol and test set are named too."""
    rows = [row for row in summary["scores"] if row["mean"] is not None]
    tags = [f"scores/{row['test']}/{row['metric']}/x{row['scale']}/{row['plane']}" for row in rows]
    shared = Counter(zip(tags, [row["step"] for row in rows], strict=True))
    for tag, row in zip(tags, rows, strict=True):
        alone = shared[tag, row["step"]] == 1
        yield (tag if alone else f"{tag}/{row['protocol']}/{row['test_sha256'][:8]}"), row


def _known(folder: Path) -> set[tuple[str, int]]:
    """Scores that the log has, as tag and step."""
    if not folder.exists():
        return set()
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    tags = [tag for tag in events.Tags()["scalars"] if tag.startswith("scores/")]
    return {(tag, point.step) for tag in tags for point in events.Scalars(tag)}


def _table(summary: Mapping[str, Any]) -> str:
    """The scores in Markdown."""
    lines = ["| test | scale | plane | metric | mean | 95 % interval | pictures |", "|" + "---|" * 7]
    for _, row in _scores(summary):
        cells = [
            row["test"], f"×{row['scale']}", row["plane"], row["metric"],
            f"{row['mean']:.4f} {row['unit']}", f"{row['ci_low']:.4f} – {row['ci_high']:.4f}", row["n"],
        ]  # fmt: skip
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)
