"""One test picture → its scores, for every scale, plane and metric of a run."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from srbench.evaluate.scoring import ActiveMetric, Scoring
from srbench.images.png import read_picture
from srbench.images.tiles import Degrade, read_rgb, reference
from srbench.metrics.protocol import Protocol, prepare
from srbench.parameters import called_with
from srbench.predict import Upscaler, plane_of
from srbench.registry import registry
from srbench.spec import RunSpec
from srbench.types import Picture, Plane, networks_of, scored_planes


@dataclass(frozen=True)
class Item:
    """One score to be made of a picture."""

    scale: int
    metric: ActiveMetric
    plane: Plane
    protocol: Protocol

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells it from every other score of the picture."""
        return (self.scale, self.metric.label, self.plane, self.protocol.hash)


class Scorer:
    """What upscales the pictures of a run, with everything that says how they are scored.

    Args:
        spec: the run.
        upscaler: what to score.
        scoring: metrics and rules.
        device: where to compute.
    """

    def __init__(self, spec: RunSpec, upscaler: Upscaler, scoring: Scoring, device: torch.device) -> None:
        self.spec, self.scoring = spec, scoring
        self._upscaler, self._device = upscaler, device
        degradation = registry().find("degradation", spec.degradation.name)
        self._degrade: Degrade = degradation.make(**spec.degradation.params)
        self._scales = upscaler.scales

    @functools.cache  # noqa: B019 - a scorer lives as long as one evaluation
    def items(self) -> list[Item]:
        """Every score a picture can have: scale × metric × the planes both of run and metric."""
        planes = scored_planes(self.spec.network_channels)
        return [
            Item(scale, metric, plane, self._protocol(metric, plane, scale))
            for scale in self._scales
            for metric in self.scoring.metrics
            for plane in planes
            if plane in metric.component.planes
        ]

    def score(
        self, test: str, picture: Picture, items: Sequence[Item]
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
            for metric in self.scoring.metrics:
                wanted = [one for one in items if one.scale == scale and one.metric.label == metric.label]
                border = self._border(scale)
                if not wanted or min(target.shape[-2:]) <= 2 * border:
                    continue
                planes = tuple(one.plane for one in wanted)
                prepared = prepare(sr, target, planes, border, grey_kept=grey_kept)
                available = {"sr": prepared[0], "hr": prepared[1], "lr": lr, "scale": scale}
                with torch.no_grad():
                    scores = metric.function(**called_with(metric.function, available))
                for one, value in zip(wanted, scores.reshape(-1).tolist(), strict=True):
                    values[one.key] = value
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
