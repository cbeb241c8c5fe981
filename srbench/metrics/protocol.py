"""What a score is measured on and depends on: planes, rounding and border, once for all metrics."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from srbench.files import canonical_json, sha256_text
from srbench.images.colour import rgb_to_y
from srbench.images.png import quantise
from srbench.types import Plane

Border: TypeAlias = int
"""Pixels left out at each side; the scale by custom."""

_INDEX = {"r": 0, "g": 1, "b": 2}
# Full-range BT.601, how a three-plane SR of a grey file would be saved as grey; equal planes are unchanged.
_GREY = (0.299, 0.587, 0.114)


class Protocol(BaseModel):
    """Everything one score depends on besides the weights and the HR picture.

    Args:
        degradation: canonical text, parameters filled in, such as `bicubic:round=true`.
        grey: what a single-channel file is: three equal planes, or scored as it is, with no luma transform.
        colour: matrix and range of luma.
        quantise: how SR is rounded before scoring.
        plane: what the score is about.
        border: pixels cropped a side.
        metric: the metric's name.
        settings: the metric's parameters, defaults filled in.
        facts: what else the metric depends on: window, network, hash of weights.
        inference: how SR was made: precision, tiles, self-ensemble.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    degradation: str
    grey: Literal["rgb", "keep"] = "rgb"
    colour: Literal["bt601-studio"] = "bt601-studio"
    quantise: Literal["8bit"] = "8bit"
    plane: Plane
    border: int = Field(ge=0)
    metric: str
    settings: dict[str, Any] = Field(default_factory=dict)
    facts: dict[str, Any] = Field(default_factory=dict)
    inference: dict[str, Any] = Field(
        default_factory=lambda: {"precision": "fp32", "tile": None, "self_ensemble": False}
    )

    def canonical(self) -> str:
        """Canonical JSON of all fields: equal protocols have equal text."""
        return canonical_json(self.model_dump(mode="json"))

    @property
    def hash(self) -> str:
        """The first 8 hex digits of the SHA-256 of `canonical()`."""
        return sha256_text(self.canonical())[:8]


def prepare(
    sr: Tensor, hr: Tensor, planes: Sequence[Plane], border: Border, *, grey_kept: bool = False
) -> tuple[Tensor, Tensor]:
    """SR and HR as metrics take them: rounded to 8 bits, the planes asked for, without the border.

    Luma is taken from the rounded RGB and not rounded again; values that are not finite become NaN.

    Args:
        sr: model output, (N, 3, H, W) RGB, floating point; clamped to [0, 1]. (N, 1, H, W) where the run has
            one plane alone, and `planes` is exactly that one of r, g, b.
        hr: ground truth, the shape of `sr`.
        planes: any of r, g, b, y; or rgb alone.
        border: pixels to crop a side.
        grey_kept: the HR file is single-channel and scored as it is: `y` is the grey plane itself. The three
            planes of SR, where they differ, are joined as a grey file would hold them (full-range BT.601).

    Returns:
        Both (N, P, H − 2·border, W − 2·border), one channel a plane in the order of `planes`, three for rgb;
        the dtype of each is kept.

    Raises:
        ValueError: the shapes differ, do not fit `planes`, or nothing is left inside the border.
    """
    check_same_shape(sr, hr)
    height, width = sr.shape[-2:]
    if border < 0 or min(height, width) <= 2 * border:
        raise ValueError(f"a border of {border} pixels leaves nothing of {tuple(sr.shape)}")
    if not planes or ("rgb" in planes and len(planes) > 1):
        raise ValueError(f"planes are any of r, g, b, y, or rgb alone; not {', '.join(planes) or 'none'}")
    if sr.shape[1] != 3 and not (sr.shape[1] == 1 and len(planes) == 1 and planes[0] in _INDEX):
        raise ValueError(f"planes {', '.join(planes)} need (N, 3, H, W), not {tuple(sr.shape)}")
    # Quantise, then luma, then crop: luma of an 8-bit file, as every toolbox that reads SR from disk.
    chosen = [crop(planes_of(quantise(x), planes, grey_kept=grey_kept), border) for x in (sr, hr)]
    return chosen[0], chosen[1]


def check_same_shape(sr: Tensor, hr: Tensor) -> None:
    """Raise ValueError, naming both shapes, unless both are (N, C, H, W) and equal."""
    if sr.shape != hr.shape or sr.ndim != 4:
        raise ValueError(
            f"sr and hr must have one shape (N, C, H, W), not {tuple(sr.shape)} and {tuple(hr.shape)}"
        )


def crop(picture: Tensor, border: Border) -> Tensor:
    """A picture (N, C, H, W) without `border` pixels at each side."""
    height, width = picture.shape[-2:]
    return picture[..., border : height - border, border : width - border]


def planes_of(rgb: Tensor, planes: Sequence[Plane], *, grey_kept: bool = False) -> Tensor:
    """(N, 3, H, W) → (N, P, H, W), the planes asked for; what `prepare` does to SR and HR.

    Args:
        rgb: in [0, 1]; returned as it is where it has one plane alone, or where `planes` is rgb.
        planes: as in `prepare`.
        grey_kept: as in `prepare`.
    """
    if planes[0] == "rgb" or rgb.shape[1] == 1:
        return rgb
    chosen = []
    for plane in planes:
        if plane != "y":
            chosen.append(rgb[:, _INDEX[plane], None])
        elif grey_kept:
            red, green, blue = (weight * rgb[:, i, None].double() for i, weight in enumerate(_GREY))
            chosen.append(quantise(red + green + blue).to(rgb.dtype))
        else:  # in float64, so that the one rounding to float32 is the last step
            chosen.append(rgb_to_y(rgb.double()).to(rgb.dtype))
    return torch.cat(chosen, dim=1)
