"""Mean PSNR and detail of each scale and plane on held-out pictures: the curves, and what picks `best`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from srbench.images.stochastic import Degradation
from srbench.images.tiles import lr_of, read_rgb, reference
from srbench.metrics.detail import detail_ratio
from srbench.metrics.protocol import prepare
from srbench.metrics.psnr import psnr
from srbench.predict import Networks, predict
from srbench.spec import RunSpec
from srbench.types import Picture, Plane, scored_planes

Curve: TypeAlias = dict[int, dict[Plane, float]]
"""Scale → plane → mean over the pictures."""


class Validated(NamedTuple):
    """What validation measures; border of `scale` pixels cropped.

    Args:
        psnr: in dB.
        detail: share of HR's detail recovered, over the pictures that have an answer; NaN where none has.
    """

    psnr: Curve
    detail: Curve


@dataclass(frozen=True)
class _Held:
    lr: Tensor
    hr: dict[int, Tensor]


class Validation:
    """Held-out pictures, decoded and degraded once.

    Args:
        spec: the run.
        pictures: to validate on.
        scales: the scales its networks predict.
        degrade: HR → LR where pictures have no LR of their own.
        size_multiple: of the model.
        device: where the networks are.
        progress: called once a picture.

    Raises:
        PictureError: a picture cannot be decoded.
    """

    def __init__(
        self,
        spec: RunSpec,
        pictures: Sequence[Picture],
        scales: Sequence[int],
        degrade: Degradation,
        size_multiple: int,
        device: torch.device,
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        self._spec, self._size_multiple, self._device = spec, size_multiple, device
        self.planes: tuple[Plane, ...] = tuple(
            plane for plane in scored_planes(spec.network_channels) if plane != "rgb"
        )
        if spec.channels == "y":
            self.planes = ("y",)
        self._held: list[_Held] = []
        for picture in pictures:
            hr = read_rgb(picture, spec.scale)
            # 8 bits each: a validation set of large photographs stays in memory between evaluations.
            references = {
                scale: (reference(hr, scale, spec.scale, degrade) * 255).round().to(torch.uint8)
                for scale in scales
            }
            self._held.append(_Held(lr_of(picture, hr, spec.scale, degrade), references))
            progress()

    def __call__(self, networks: Networks, check: Callable[[], None]) -> Validated:
        """Mean PSNR and detail by scale and plane.

        Args:
            networks: to validate; put into evaluation mode and back.
            check: called before each pass of a network; raises to stop.
        """
        training = {plane: network.training for plane, network in networks.items()}
        for network in networks.values():
            network.eval()
        values: dict[int, list[Tensor]] = {}
        for held in self._held:
            prediction = predict(
                networks,
                self._spec.network_channels,
                held.lr.to(self._device),
                self._spec.scale,
                self._size_multiple,
                check=check,
            )
            for scale, sr in sorted(prediction.items()):
                hr = held.hr[scale].to(self._device).float() / 255
                if self._spec.channels in ("r", "g", "b"):
                    number = ("r", "g", "b").index(self._spec.channels)
                    hr = hr[:, number : number + 1]
                pair = prepare(sr, hr, self.planes, scale)
                both = torch.cat([psnr(*pair), detail_ratio(*pair, scale)])
                values.setdefault(scale, []).append(both.cpu())
        for plane, network in networks.items():
            network.train(training[plane])
        return Validated(
            {scale: self._by_plane(torch.stack(both)[:, 0].mean(dim=0)) for scale, both in values.items()},
            {scale: self._by_plane(torch.stack(both)[:, 1].nanmean(dim=0)) for scale, both in values.items()},
        )

    def _by_plane(self, values: Tensor) -> dict[Plane, float]:
        return dict(zip(self.planes, values.tolist(), strict=True))
