"""The log of a run: its specification, a point an evaluation, its scores, and how it ended."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import wandb

from srbench.api import RunInfo

_TAG_LENGTH = 64
"""The longest tag that W&B takes."""

_logs: dict[Path, wandb.Run] = {}
"""The open ones, by the run's directory."""


def start(run: RunInfo, project: str) -> None:
    """Open the log; one of that id that the server has goes on."""
    _logs[run.directory] = _open(run, project)


def add(run: RunInfo, line: Mapping[str, Any], learning_rate: float) -> None:
    """Add a line of history.jsonl, unless the server has that step: it comes again, with the same numbers."""
    log = _logs.get(run.directory)
    if log is not None and line["step"] >= log.step:
        points = {**dict(_points(line)), "learning_rate": learning_rate, "epoch": line["epoch"]}
        log.log(points, step=line["step"])


def finish(run: RunInfo, project: str, summary: Mapping[str, Any]) -> None:
    """Put the scores into the summary, and close the log."""
    log = _logs.pop(run.directory, None) or _open(run, project)
    log.summary.update({**dict(_scores(summary)), "status": "finished"})
    log.finish()


def end(run: RunInfo, status: Literal["stopped", "failed"], reason: str) -> None:
    """Say how the run ended before its time, and close its log."""
    log = _logs.pop(run.directory, None)
    if log is None:
        return
    log.summary.update({"status": status, "reason": reason})
    if status == "stopped":
        log.mark_preempting()  # W&B then shows it as preempted, not as failed
    log.finish(exit_code=1)


def _open(run: RunInfo, project: str) -> wandb.Run:
    return wandb.init(
        project=project,
        id=run.id,
        name=run.id,
        resume="allow",
        config=dict(run.spec),
        tags=_tags(run.spec),
        dir=os.environ.get("WANDB_DIR", run.directory),
        reinit="create_new",
        settings=wandb.Settings(console="off"),  # what srbench prints is its own business
    )


def _tags(spec: Mapping[str, Any]) -> list[str]:
    """Model, losses, dataset, channels and scale, to find runs by."""
    names = [spec["model"]["name"], *(term["name"] for term in spec["loss"] or ())]
    names += [spec["dataset"]["name"]] if spec["dataset"] else []
    names += [spec["channels"]] if spec["channels"] else []
    return [name[:_TAG_LENGTH] for name in dict.fromkeys([*names, f"x{spec['scale']}"])]


def _points(line: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for kind in ("loss", "terms"):
        yield from ((f"{kind}/{name}", value) for name, value in line.get(kind, {}).items())
    for kind in ("psnr", "detail"):
        for scale, planes in line[kind].items():
            for plane, value in planes.items():
                if value is not None:
                    yield f"{line['on']}/{kind}/x{scale}/{plane}", value


def _scores(summary: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """A key for each mean; where two would share one, their protocol and test set are named too."""
    rows = [row for row in summary["scores"] if row["mean"] is not None]
    keys = [f"scores/{row['test']}/{row['metric']}/x{row['scale']}/{row['plane']}" for row in rows]
    shared = Counter(keys)
    for key, row in zip(keys, rows, strict=True):
        yield (key if shared[key] == 1 else f"{key}/{row['protocol']}/{row['test_sha256'][:8]}"), row["mean"]
