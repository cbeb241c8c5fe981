"""One test picture → its scores, for every scale, plane and metric of a run."""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from srbench.datasets import LR_FILES
from srbench.evaluate.scoring import ActiveMetric, Scoring
from srbench.files import canonical_json
from srbench.images.png import quantise, read_picture
from srbench.images.stochastic import Degradation, Stochastic, of_picture
from srbench.images.tiles import lr_of, read_rgb, reference
from srbench.metrics.protocol import Protocol, crop, planes_of, prepare
from srbench.parameters import called_with
from srbench.predict import Upscaler, planes_like
from srbench.registry import registry
from srbench.spec import RunSpec
from srbench.types import Picture, Plane, scored_planes


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
        self._degradation: Degradation = degradation.make(**spec.degradation.params)
        self._scales = upscaler.scales

    @functools.cache  # noqa: B019 - a scorer lives as long as one evaluation
    def items(self, lr_text: str | None) -> list[Item]:
        """Every score a picture can have: scale × metric × the planes both of run and metric.

        Args:
            lr_text: of the test set; see `TestSet`.
        """
        planes = scored_planes(self.spec.network_channels)
        return [
            Item(scale, metric, plane, self._protocol(metric, plane, scale, lr_text))
            for scale in self._scales
            for metric in self.scoring.metrics
            if not metric.component.asks("degraded") or self.not_degraded(lr_text) is None
            for plane in planes
            if plane in metric.component.planes
        ]

    def not_degraded(self, lr_text: str | None) -> str | None:
        """Why SR cannot be degraded as LR was; None: it can."""
        if lr_text is not None:
            return "how the LR files of the test set were made is not known, so SR cannot be degraded alike."
        if isinstance(self._degradation, Stochastic) and len(scored_planes(self.spec.network_channels)) == 1:
            return "what was drawn for RGB pictures cannot be drawn for one plane of them."
        return None

    def score(
        self, test: str, picture: Picture, items: Sequence[Item], check: Callable[[], None] = lambda: None
    ) -> tuple[list[float], dict[int, Tensor]]:
        """The values of `items` for a picture, NaN where there is no SR of it, and its prediction.

        `check` is called before each pass of a network and each metric; it raises to stop.
        """
        hr = read_rgb(picture, self.spec.scale)
        grey_kept = self.scoring.grey == "keep" and read_picture(picture).ndim == 2
        degrade = of_picture(self._degradation, picture.name)
        lr = lr_of(picture, hr, self.spec.scale, self._degradation).to(self._device)
        channels = self.spec.network_channels
        prediction = self._upscaler(test, picture, lr, check)
        # No answer, counted as left out: no SR of this picture, or nothing is left inside the border.
        values = {one.key: math.nan for one in items}
        for scale, sr in prediction.items():
            target = reference(hr, scale, self.spec.scale, degrade).to(self._device)
            target = planes_like(target, sr, channels)
            border = self._border(scale)
            if min(target.shape[-2:]) <= 2 * border:
                continue
            for family in _families([one for one in items if one.scale == scale]):
                check()
                planes = tuple(dict.fromkeys(one.plane for one in family))
                function = family[0].metric.function
                available: dict[str, Any] = {"scale": scale}
                available["sr"], available["hr"] = prepare(sr, target, planes, border, grey_kept=grey_kept)
                if family[0].metric.component.asks("lr", "degraded"):
                    sides = degrade(quantise(sr), scale).float(), planes_like(lr, sr, channels)
                    inside = border // scale
                    available["degraded"], available["lr"] = (
                        crop(planes_of(side, planes, grey_kept=grey_kept), inside) for side in sides
                    )
                with torch.no_grad():
                    outcome = function(**called_with(function, available))
                for one in family:
                    field = one.metric.component.field
                    scores = getattr(outcome, field) if field else outcome
                    values[one.key] = scores.reshape(-1)[planes.index(one.plane)].item()
        return [values[one.key] for one in items], prediction

    def _protocol(self, metric: ActiveMetric, plane: Plane, scale: int, lr_text: str | None) -> Protocol:
        return Protocol(
            degradation=self._lr_by(scale, lr_text),
            grey=self.scoring.grey,
            plane=plane,
            border=self._border(scale),
            metric=registry().spelling(metric.component),
            settings=dict(metric.settings),
            facts=dict(metric.facts),
            inference=self._upscaler.inference.data(),
        )

    def _lr_by(self, scale: int, lr_text: str | None) -> str:
        """What a score depends on of how LR, and the reference of an inner scale, are made."""
        own = str(self.spec.degradation)
        if lr_text is None:
            return own
        # A file of HR's size is reduced by the run's degradation.
        used = [lr_text] if lr_text == LR_FILES else [lr_text, f"reduced by {own}"]
        return ", ".join(used if scale == self.spec.scale else [*used, f"inner reference by {own}"])

    def _border(self, scale: int) -> int:
        return scale if self.scoring.border is None else self.scoring.border


def _families(items: Sequence[Item]) -> list[list[Item]]:
    """The scores that one call gives: a metric's planes, and the values that are measured together."""
    families: dict[tuple[Any, ...], list[Item]] = {}
    for one in items:
        component = one.metric.component
        together = (component.build, canonical_json(one.metric.settings)) if component.field else ()
        families.setdefault(together or (one.metric.label,), []).append(one)
    return list(families.values())
