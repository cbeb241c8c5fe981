"""Checkpoint → scores: every test picture, scale, plane and metric that has no score yet."""

import functools
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from srbench.checkpoint.read import read_latest
from srbench.data.gate import doubt
from srbench.datasets import TestSet
from srbench.errors import CheckpointError, MetricUnavailable, SrbenchError, StoppedError, UsageError
from srbench.files import canonical_json, sha256_file
from srbench.foreign.pictures import Pictures, folder_hash
from srbench.foreign.weights import Weights, read_weights
from srbench.grammar import parse_term
from srbench.images.png import read_picture
from srbench.images.tiles import Degrade, read_rgb, reference
from srbench.inference import WHOLE, Inference
from srbench.memory import MemoryShortError
from srbench.metrics.protocol import Protocol, prepare
from srbench.parameters import called_with
from srbench.predict import TILES, Networks, NetworkUpscaler, Upscaler, plane_of
from srbench.progress import steps
from srbench.registry import Metric, Model, registry
from srbench.spec import RunSpec
from srbench.store.layout import RunPaths
from srbench.store.pictures import write_picture
from srbench.store.runs import read_record, read_summary
from srbench.store.scores import Score, read_scores, write_scores
from srbench.store.summary import write_summary
from srbench.train.state import build_networks, load_weights
from srbench.types import Picture, Plane, networks_of, scored_planes

Grey = Literal["rgb", "keep"]

DEFAULT_METRICS = ("psnr", "ssim", "lpips", "detail")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ActiveMetric:
    """A metric with its settings, ready to be called.

    Args:
        label: its name in tables: settings that differ from their default, or that the metric always shows.
        component: what the plugin registered.
        settings: all parameters.
        facts: what else its scores depend on.
    """

    label: str
    component: Metric
    settings: Mapping[str, Any]
    facts: Mapping[str, Any]

    @property
    def function(self) -> Callable[..., Tensor]:
        """The metric with its settings filled in."""
        return functools.partial(self.component.build, **self.settings)


@dataclass(frozen=True)
class Scoring:
    """How to score: what enters the protocol beside run and metric.

    Args:
        metrics: those that can be computed here.
        unavailable: label → why, of those that cannot.
        grey: what a single-channel test file is: three equal planes, or scored as it is.
        border: pixels cropped a side; None: as many as the scale of the picture.
        inference: how pictures are put through networks.
        save_images: SR pictures to keep a test set and scale.
    """

    metrics: tuple[ActiveMetric, ...]
    unavailable: Mapping[str, str]
    grey: Grey = "rgb"
    border: int | None = None
    inference: Inference = WHOLE
    save_images: int = 0


def resolve_metrics(texts: Sequence[str]) -> tuple[tuple[ActiveMetric, ...], dict[str, str]]:
    """Metrics as typed → those that can be computed here, and label → reason for those that cannot.

    A metric that is one value of several (`detail`) brings the others: they cost nothing more.

    Raises:
        UsageError: an unknown metric or parameter.
    """
    active: dict[str, ActiveMetric] = {}
    unavailable: dict[str, str] = {}
    for text in texts:
        term = parse_term(text)
        metric: Metric = registry().find("metric", term.name)
        settings = metric.settings(term.parameters)
        for one in registry().family(metric):
            label = _label(one, settings)
            try:
                active[label] = ActiveMetric(label, one, settings, one.read_facts(settings))
            except MetricUnavailable as reason:
                unavailable[label] = str(reason)
    return tuple(active.values()), unavailable


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
        check: called between two pictures; raises to stop.
        quiet: no progress bar.

    Raises:
        PictureError: a test picture cannot be decoded.
        StoreError: scores cannot be read or written.
        StoppedError: by `check`; what has been scored so far is stored.
        SrbenchError: memory is short, and tiles are no way out.
    """
    smaller = iter(TILES if upscaler.tileable and upscaler.inference.tile is None else ())
    while True:
        try:
            scorer = _Scorer(spec, upscaler, scoring, device)
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
    scorer: "_Scorer",
    tests: Sequence[TestSet],
    check: Callable[[], None],
    quiet: bool,
) -> tuple[dict[str, Any], int]:
    spec, scoring = scorer.spec, scorer.scoring
    stored, protocols = read_scores(paths)
    asked = {(test.name, test.sha256): test for test in tests}
    # Scores of an earlier step give way to those of this one; a test set not asked for now keeps its own.
    scores = [one for one in stored if one.step == step or (one.test, one.test_sha256) not in asked]
    known = {_key(score) for score in scores if score.step == step}
    summary, made = read_summary(paths), 0
    unverified = _unverified(summary, tests, check, quiet)
    for (_, test_sha256), test in asked.items():
        before = made
        try:
            with steps(f"{paths.id}: scoring {test.name}", len(test.pictures), check, quiet=quiet) as tick:
                for number, picture in enumerate(test.pictures):
                    wanted = [
                        item
                        for item in scorer.items()
                        if (test.name, test_sha256, picture.name, *item.key) not in known
                    ]
                    keep = number < scoring.save_images
                    if wanted or keep:
                        values, prediction = scorer.score(test.name, picture, wanted)
                        for item, value in zip(wanted, values, strict=True):
                            made += 1
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
                _store(paths, scores, protocols, scoring, spec, unverified)
            raise
        if made > before:
            summary = _store(paths, scores, protocols, scoring, spec, unverified)
    if (
        summary is None
        or summary["unavailable"] != _missing(scoring, spec, scores)
        or _stored_doubts(summary) != _of_scored(unverified, scores)
    ):
        summary = _store(paths, scores, protocols, scoring, spec, unverified)
    return summary, made


def upscaler_of(
    spec: RunSpec,
    paths: RunPaths,
    tests: Sequence[TestSet],
    device: torch.device,
    inference: Inference = WHOLE,
    *,
    place: Path | None = None,
    allow_missing: bool = False,
) -> tuple[int, Upscaler]:
    """The step and what a run is scored by: networks, or pictures that another program made.

    Args:
        spec: the run.
        paths: its files.
        tests: what it will be scored on.
        device: where to compute.
        inference: how pictures are put through networks.
        place: of a foreign file or folder; None: where it was when it was first scored.
        allow_missing: score the pictures that are there.

    Raises:
        CheckpointError: there is no checkpoint, or it does not fit.
        DatasetError: pictures of the test sets are missing.
        UsageError: a foreign file is gone or changed, or tiles are asked for that cannot be.
    """
    if spec.source is not None and spec.source.kind == "pictures":
        if inference != WHOLE:
            raise UsageError(
                f"{paths.id} is a folder of finished pictures. --tile and --self-ensemble are for networks; "
                "leave them out."
            )
        folder = place or _source_of(spec, paths)
        return 0, Pictures(folder, tests, spec.scale, allow_missing=allow_missing)
    made_of: Model | Weights = registry().find("model", spec.model.name)
    if spec.source is not None:
        made_of = _weights(spec, place or _source_of(spec, paths), device)
        step, networks = 0, made_of.networks
    else:
        step, networks = scored_networks(spec, paths, device)
    return step, NetworkUpscaler(
        networks,
        spec.network_channels,
        spec.scale,
        made_of.size_multiple,
        made_of.tileable,
        device,
        inference,
    )


def scored_networks(spec: RunSpec, paths: RunPaths, device: torch.device) -> tuple[int, Networks]:
    """The step and the networks that a run is scored by: its newest sound checkpoint, or its foreign file.

    Raises:
        CheckpointError: there is none, or it does not fit.
        UsageError: a foreign file is gone, changed, or holds pictures.
    """
    if spec.source is not None:
        if spec.source.kind == "pictures":
            raise UsageError(f"{paths.id} is a folder of pictures and has no networks.")
        return 0, _weights(spec, _source_of(spec, paths), device).networks
    networks = build_networks(spec, device)
    if not spec.trained:
        return 0, networks
    found = read_latest(paths.checkpoints, spec.sha256, paths.id)
    if found is None:
        raise CheckpointError(
            f"{paths.id} has no checkpoint yet, so there is nothing to score. Train it first."
        )
    load_weights(networks, found.model)
    return found.step, networks


@dataclass(frozen=True)
class _Item:
    """One score to be made of a picture."""

    scale: int
    metric: ActiveMetric
    plane: Plane
    protocol: Protocol

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.scale, self.metric.label, self.plane, self.protocol.hash)


def _weights(spec: RunSpec, place: Path, device: torch.device) -> Weights:
    """The networks of a foreign weights file, channels_last on the device."""
    weights = read_weights(place, spec.model, spec.scale, spec.channels)
    for network in weights.networks.values():
        network.to(device).to(memory_format=torch.channels_last)
    return weights


def _source_of(spec: RunSpec, paths: RunPaths) -> Path:
    """Where a run's foreign file or folder lies, unchanged since it was first scored.

    Raises:
        UsageError: it is gone, or is another one now.
    """
    assert spec.source is not None
    record = read_record(paths)
    place = Path(str(record.provenance.get("source") if record else ""))
    option = f"--{spec.source.kind} {place}"
    if not place.exists():
        raise UsageError(
            f"{paths.id} was made of {place}, which is not there any more. Put it back, or give srbench eval "
            "the same options with its new place."
        )
    now = folder_hash(place) if spec.source.kind == "pictures" else sha256_file(place)
    if now != spec.source.sha256:
        raise UsageError(
            f"{place} has changed since {paths.id} was made of it. srbench eval {option} scores it as it is "
            "now, beside the old one."
        )
    return place


class _Scorer:
    """What upscales the pictures of a run, with everything that says how they are scored."""

    def __init__(self, spec: RunSpec, upscaler: Upscaler, scoring: Scoring, device: torch.device) -> None:
        self.spec, self.scoring = spec, scoring
        self._upscaler, self._device = upscaler, device
        degradation = registry().find("degradation", spec.degradation.name)
        self._degrade: Degrade = degradation.make(**spec.degradation.params)
        self._scales = upscaler.scales

    @functools.cache  # noqa: B019 - a scorer lives as long as one evaluation
    def items(self) -> list[_Item]:
        """Every score a picture can have: scale × metric × the planes both of run and metric."""
        planes = scored_planes(self.spec.network_channels)
        return [
            _Item(scale, metric, plane, self._protocol(metric, plane, scale))
            for scale in self._scales
            for metric in self.scoring.metrics
            for plane in planes
            if plane in metric.component.planes
        ]

    def score(
        self, test: str, picture: Picture, items: Sequence[_Item]
    ) -> tuple[list[float], dict[int, Tensor]]:
        """The values of `items` for a picture, NaN where there is no SR of it, and its prediction."""
        hr = read_rgb(picture, self.spec.scale)
        grey_kept = self.scoring.grey == "keep" and read_picture(picture).ndim == 2
        lr = self._degrade(hr, self.spec.scale).float().to(self._device)
        channels = self.spec.network_channels
        prediction = self._upscaler(test, picture, lr)
        # No answer, counted as left out: no SR of this picture, or nothing is left inside the border.
        values = {one.key: math.nan for one in items}
        for scale, sr in prediction.items():
            target = reference(hr, scale, self.spec.scale, self._degrade).to(self._device)
            if sr.shape[1] == 1:
                target = plane_of(target, networks_of(channels)[0])
            border = self._border(scale)
            if min(target.shape[-2:]) <= 2 * border:
                continue
            for family in _families([one for one in items if one.scale == scale]):
                planes = tuple(dict.fromkeys(one.plane for one in family))
                prepared = prepare(sr, target, planes, border, grey_kept=grey_kept)
                available = {"sr": prepared[0], "hr": prepared[1], "lr": lr, "scale": scale}
                function = family[0].metric.function
                with torch.no_grad():
                    outcome = function(**called_with(function, available))
                for one in family:
                    field = one.metric.component.field
                    scores = getattr(outcome, field) if field else outcome
                    values[one.key] = scores.reshape(-1)[planes.index(one.plane)].item()
        return [values[one.key] for one in items], prediction

    def _protocol(self, metric: ActiveMetric, plane: Plane, scale: int) -> Protocol:
        return Protocol(
            degradation=str(self.spec.degradation),
            grey=self.scoring.grey,
            plane=plane,
            border=self._border(scale),
            metric=registry().spelling(metric.component),
            settings=dict(metric.settings),
            facts=dict(metric.facts),
            inference=self._upscaler.inference.data(),
        )

    def _border(self, scale: int) -> int:
        return scale if self.scoring.border is None else self.scoring.border


def _families(items: Sequence[_Item]) -> list[list[_Item]]:
    """The scores that one call of a metric gives: its planes, and the values it returns together."""
    families: dict[tuple[Any, ...], list[_Item]] = {}
    for one in items:
        component = one.metric.component
        settings = canonical_json(one.metric.settings)
        together = (component.build, settings) if component.field else (one.metric.label,)
        families.setdefault(together, []).append(one)
    return list(families.values())


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


def _label(metric: Metric, settings: Mapping[str, Any]) -> str:
    shown = {
        key: value
        for key, value in settings.items()
        if key in metric.shows or value != metric.parameters[key].default
    }
    given = ",".join(f"{key}={value}" for key, value in shown.items())
    return registry().spelling(metric) + (f":{given}" if given else "")


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
) -> dict[str, Any]:
    used = {score.protocol for score in scores}
    before = (read_summary(paths) or {"scores": []})["scores"]
    # A metric whose plugin is no longer installed keeps what the store says of it.
    labels = {row["metric"]: {"better": row["better"], "unit": row["unit"]} for row in before}
    for score in scores:
        if score.metric not in labels:
            metric: Metric = registry().find("metric", protocols[score.protocol]["metric"])
            labels[score.metric] = {"better": metric.better, "unit": metric.unit}
    kept = {key: value for key, value in protocols.items() if key in used}
    doubts = _of_scored(unverified, scores)
    write_scores(paths, scores, kept)
    return write_summary(paths, scores, kept, labels, _missing(scoring, spec, scores), doubts)


def _missing(scoring: Scoring, spec: RunSpec, scores: Sequence[Score]) -> dict[str, str]:
    """Label → reason, of the metrics that apply to the run, cannot be computed here and have no score yet."""
    planes = set(scored_planes(spec.network_channels))
    have = {score.metric for score in scores}
    return {
        label: reason
        for label, reason in scoring.unavailable.items()
        if label not in have and planes & set(registry().find("metric", label.partition(":")[0]).planes)
    }
