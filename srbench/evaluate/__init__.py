"""Checkpoint → scores: every test picture, scale, plane and metric that has no score yet."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from srbench.components import Metric
from srbench.data.gate import doubt
from srbench.datasets import LR_FILES, TestSet
from srbench.errors import SrbenchError, StoppedError
from srbench.evaluate.scorer import Scorer
from srbench.evaluate.scoring import Scoring
from srbench.memory import MemoryShortError
from srbench.phases import enter
from srbench.predict import TILES, NetworkUpscaler, Upscaler
from srbench.progress import steps
from srbench.providers import provider
from srbench.registry import registry
from srbench.spec import RunSpec
from srbench.store.layout import RunPaths
from srbench.store.lock import check_held
from srbench.store.pictures import write_picture
from srbench.store.runs import read_summary
from srbench.store.scores import Score, read_scores, write_scores
from srbench.store.summary import write_summary
from srbench.types import scored_planes

_log = logging.getLogger(__name__)


def evaluate(
    spec: RunSpec,
    paths: RunPaths,
    step: int,
    upscaler: Upscaler,
    tests: Sequence[TestSet],
    scoring: Scoring,
    device: torch.device,
    check: Callable[[], None],
    *,
    quiet: bool = False,
) -> tuple[dict[str, Any], int]:
    """Score what is missing and store it; returns the run's summary and how many scores were made.

    Networks run in fp32 without autocast, so that scores do not depend on how a run was trained. Where whole
    pictures do not fit into memory and tiles were not asked for, all are scored in tiles, and their protocol
    says so.

    Args:
        spec: the run.
        paths: its files; the caller holds its lock.
        step: of the weights that are scored.
        upscaler: what to score, from `upscaler_of`.
        tests: pictures to score on.
        scoring: metrics and rules.
        device: where to compute.
        check: called between two pictures, passes of a network and metrics; raises to stop.
        quiet: no progress bar.

    Raises:
        PictureError: a test picture cannot be decoded.
        StoreError: scores cannot be read or written, or the run's folder is gone.
        StoppedError: by `check`; what has been scored so far is stored.
        SrbenchError: memory is short, and tiles are no way out.
    """
    smaller = iter(TILES if upscaler.tileable and upscaler.inference.tile is None else ())
    while True:
        try:
            scorer = Scorer(spec, upscaler, scoring, device)
            return _evaluate(paths, step, scorer, tests, check, quiet)
        except (torch.OutOfMemoryError, MemoryShortError) as error:
            tile = next(smaller, None)
            if tile is None:
                raise SrbenchError(
                    f"{paths.id} cannot be scored on {device}: memory is short"
                    + (
                        ", even in tiles of 64 pixels"
                        if upscaler.tileable
                        else ", and it needs whole pictures"
                    )
                    + ". Free some, or take another --device."
                ) from error
        _log.warning(
            "%s needs more memory than %s has for a whole picture, so all are scored in tiles of %d pixels, "
            "and the protocol of these scores says so. Give --tile %d to score other runs alike.",
            paths.id, device, tile, tile,
        )  # fmt: skip
        if device.type == "cuda":
            torch.cuda.empty_cache()
        assert isinstance(upscaler, NetworkUpscaler)
        upscaler = replace(upscaler, inference=replace(upscaler.inference, tile=tile, overlap=None))


def _evaluate(
    paths: RunPaths,
    step: int,
    scorer: Scorer,
    tests: Sequence[TestSet],
    check: Callable[[], None],
    quiet: bool,
) -> tuple[dict[str, Any], int]:
    spec, scoring = scorer.spec, scorer.scoring
    enter(paths.id, "scoring", step)
    summary, made = read_summary(paths), 0  # first: it alone says whether a newer srbench wrote both
    stored, protocols = read_scores(paths)
    asked = {(test.name, test.sha256): test for test in tests}
    # Scores of an earlier step give way to those of this one; a test set not asked for now keeps its own.
    scores = [one for one in stored if one.step == step or (one.test, one.test_sha256) not in asked]
    known = {_key(score) for score in scores if score.step == step}
    unverified = _unverified(summary, tests, check, quiet)
    lr_texts = {test.lr_text for test in tests} | {
        LR_FILES for one in protocols.values() if str(one["degradation"]).startswith(LR_FILES)
    }
    not_degraded = next(filter(None, map(scorer.not_degraded, lr_texts)), None)
    made_by: dict[str, dict[str, str]] = {}
    for (_, test_sha256), test in asked.items():
        before, first = made, len(scores)
        try:
            with steps(f"{paths.id}: scoring {test.name}", len(test.pictures), check, quiet=quiet) as tick:
                for number, picture in enumerate(test.pictures):
                    wanted = [
                        item
                        for item in scorer.items(test.lr_text)
                        if (test.name, test_sha256, picture.name, *item.key) not in known
                    ]
                    keep = number < scoring.save_images
                    if wanted or keep:
                        values, prediction = scorer.score(test.name, picture, wanted, check)
                        for item, value in zip(wanted, values, strict=True):
                            made += 1
                            label = f"metric {item.protocol.metric}"
                            made_by[label] = made_by.get(label) or provider(item.metric.component)
                            protocols[item.protocol.hash] = item.protocol.model_dump(mode="json")
                            scores.append(
                                Score(
                                    step=step,
                                    test=test.name,
                                    test_sha256=test_sha256,
                                    image=picture.name,
                                    plane=item.plane,
                                    scale=item.scale,
                                    run_scale=spec.scale,
                                    metric=item.metric.label,
                                    value=value,
                                    protocol=item.protocol.hash,
                                )
                            )
                        for scale, sr in prediction.items() if keep else ():
                            write_picture(paths, test.name, picture.name, scale, sr)
                    tick()
        except StoppedError:
            # A picture that has been scored is not scored again.
            if made > before:
                _store(paths, scores, protocols, scoring, spec, unverified, not_degraded, made_by)
            raise
        _tell_of_silent(scoring, scores[first:], test.name)
        if made > before:
            summary = _store(paths, scores, protocols, scoring, spec, unverified, not_degraded, made_by)
    if (
        summary is None
        or summary["unavailable"] != _missing(scoring, spec, scores, not_degraded)
        or _stored_doubts(summary) != _of_scored(unverified, scores)
    ):
        summary = _store(paths, scores, protocols, scoring, spec, unverified, not_degraded, made_by)
    enter(paths.id, "scored", step)
    return summary, made


def _tell_of_silent(scoring: Scoring, scores: Sequence[Score], test: str) -> None:
    """Say which metrics had NaN for every picture: their column is empty, and nobody would know why."""
    asked = {score.metric for score in scores}
    answered = {score.metric for score in scores if not math.isnan(score.value)}
    silent = [one for one in scoring.metrics if one.label in asked - answered]
    for dist in dict.fromkeys(one.component.plugin.dist for one in silent):
        labels = ", ".join(one.label for one in silent if one.component.plugin.dist == dist)
        _log.warning(
            "%s of %s gave no number (NaN) for any picture of %s, so there is no mean. It is a fault of the "
            "metric, or these pictures give it nothing to measure.", labels, dist, test,
        )  # fmt: skip


def _key(score: Score) -> tuple[Any, ...]:
    return (
        score.test,
        score.test_sha256,
        score.image,
        score.scale,
        score.metric,
        score.plane,
        score.protocol,
    )


_Doubts = dict[tuple[str, str], str]
"""Test and its SHA-256 → why it is not the published set of that name."""


def _unverified(
    summary: Mapping[str, Any] | None, tests: Sequence[TestSet], check: Callable[[], None], quiet: bool
) -> _Doubts:
    """The doubts there are now: of the tests asked for, and as stored of all others."""
    asked = {(test.name, test.sha256): doubt(test, check, quiet=quiet) for test in tests}
    kept = {key: reason for key, reason in _stored_doubts(summary or {}).items() if key not in asked}
    return {**kept, **{key: reason for key, reason in asked.items() if reason is not None}}


def _stored_doubts(summary: Mapping[str, Any]) -> _Doubts:
    return {(one["test"], one["test_sha256"]): one["reason"] for one in summary.get("unverified", ())}


def _of_scored(doubts: _Doubts, scores: Sequence[Score]) -> _Doubts:
    scored = {(score.test, score.test_sha256) for score in scores}
    return {key: reason for key, reason in doubts.items() if key in scored}


def _store(
    paths: RunPaths,
    scores: Sequence[Score],
    protocols: Mapping[str, Any],
    scoring: Scoring,
    spec: RunSpec,
    unverified: _Doubts,
    not_degraded: str | None,
    made_by: Mapping[str, dict[str, str]],
) -> dict[str, Any]:
    check_held(paths)
    used = {score.protocol for score in scores}
    stored = read_summary(paths) or {"scores": []}
    # A metric whose plugin is no longer installed keeps what the store says of it.
    labels = {row["metric"]: {"better": row["better"], "unit": row["unit"]} for row in stored["scores"]}
    by = {**stored.get("providers", {}), **made_by}
    for score in scores:
        if score.metric not in labels:
            protocol = protocols[score.protocol]
            metric: Metric = registry().find("metric", protocol["metric"])
            labels[score.metric] = {"better": metric.direction(protocol["settings"]), "unit": metric.unit}
            by.setdefault(f"metric {protocol['metric']}", provider(metric))
    kept = {key: value for key, value in protocols.items() if key in used}
    doubts = _of_scored(unverified, scores)
    names = {f"metric {protocol['metric']}" for protocol in kept.values()}
    write_scores(paths, scores, kept)
    missing = _missing(scoring, spec, scores, not_degraded)
    providers = {label: one for label, one in by.items() if label in names}
    return write_summary(paths, scores, kept, labels, missing, doubts, providers)


def _missing(
    scoring: Scoring, spec: RunSpec, scores: Sequence[Score], not_degraded: str | None
) -> dict[str, str]:
    """Label → reason, of the metrics that apply to the run, cannot be computed here and have no score yet.

    Of those that ask for SR degraded too, where it is `not_degraded` for one of the test sets.
    """
    planes = set(scored_planes(spec.network_channels))
    have = {score.metric for score in scores}
    missing = {
        label: reason
        for label, reason in scoring.unavailable.items()
        if label not in have and planes & set(registry().find("metric", label.partition(":")[0]).planes)
    }
    for metric in scoring.metrics if not_degraded else ():
        if metric.component.asks("degraded"):
            missing[metric.label] = str(not_degraded)
    return missing
