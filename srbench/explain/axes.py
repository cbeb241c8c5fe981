"""What people do differently when they score a picture: a list of axes, each a list of named choices.

The first choice of an axis is srbench's own. `explain` takes the product of all axes that a number depends
on; a choice added here is tried from then on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from srbench.images.colour import rgb_to_y
from srbench.images.png import quantise, to_tensor
from srbench.images.resize import bicubic, resize_bicubic
from srbench.images.stochastic import Degradation
from srbench.metrics.backbones import Net
from srbench.metrics.lpips import lpips
from srbench.metrics.psnr import psnr
from srbench.metrics.ssim import ssim
from srbench.types import Channels

SR_AXES = ("scale", "LR", "pass", "rounding")
"""Axes that say which SR picture is scored; the others say how."""


@dataclass(frozen=True)
class Choice:
    """One way of doing something: what a reader is told, and what it takes (a function, a number, a rule)."""

    label: str
    apply: Any


Axes = dict[str, Sequence[Choice]]


@dataclass(frozen=True)
class Task:
    """Which of a network's outputs is scored, made from which LR.

    Args:
        scale: factor of the SR picture to LR.
        lr_scale: factor of HR to LR; SR is compared with HR reduced to its size where the two differ.
    """

    scale: int
    lr_scale: int


@dataclass(frozen=True)
class Planes:
    """What of an RGB picture is scored.

    Args:
        take: (1, 3, H, W) in float64, and whether the HR file is grey → (1, P, H, W).
        jointly: one mean square error over all planes, not the mean of one PSNR a plane.
    """

    take: Callable[[Tensor, bool], Tensor]
    jointly: bool = False


def tasks(scales: Sequence[int], run_scale: int) -> list[Choice]:
    """The run scale; then each inner output: of the LR of the run scale, and of LR of its own scale."""
    choices = [Choice(f"×{run_scale}", Task(run_scale, run_scale))]
    for scale in sorted(set(scales) - {run_scale}, reverse=True):
        choices.append(Choice(f"×{scale}, inner output of ×{run_scale}", Task(scale, run_scale)))
        choices.append(Choice(f"×{scale}, from LR at 1/{scale}", Task(scale, scale)))
    return choices


def degradations(own: str, degrade: Degradation) -> list[Choice]:
    """How LR is made: as the run has it, then what other toolboxes do.

    Args:
        own: the run's degradation in canonical text.
        degrade: the same as a function.
    """
    known = {
        "bicubic:round=true": "LR by MATLAB's bicubic, rounded",
        "bicubic:round=false": "LR by MATLAB's bicubic, not rounded",
    }
    others = [
        Choice("LR by bicubic without antialiasing, a = −0.5, rounded", _matlab_without_antialiasing),
        Choice("LR by bicubic without antialiasing, a = −0.75, rounded (OpenCV)", _opencv),
        Choice("LR by bicubic without antialiasing, a = −0.75, not rounded (PyTorch)", _pytorch),
        Choice("LR by Pillow's bicubic", _pillow),
    ]
    return [
        Choice(known.get(own, f"LR by {own}"), degrade),
        *(
            Choice(label, bicubic(round=text.endswith("true")))
            for text, label in known.items()
            if text != own
        ),
        *others,
    ]


def of_files(degrade: Degradation) -> list[Choice]:
    """LR as the test set has it; `degrade` makes the references of inner outputs."""
    return [Choice("LR from files", degrade)]


ROUNDING = [
    Choice("SR rounded to 8 bits", lambda sr: _exact_levels(quantise(sr))),
    Choice("SR not rounded", lambda sr: sr.double().clamp(0, 1)),
]

BORDERS = [
    Choice("border = scale", lambda scale: scale),
    Choice("no border", lambda scale: 0),
    Choice("border = scale + 6", lambda scale: scale + 6),
]


def planes(channels: Channels, *, grey: bool) -> list[Choice]:
    """What is scored of a run's pictures: each kind of luma, RGB, each plane; of a single plane that alone.

    Args:
        channels: of the run.
        grey: whether the test set has grey files, for which there are two rules.
    """
    if channels in ("r", "g", "b"):
        return [Choice(f"plane {channels}", Planes(lambda one, _: one))]
    # Kept: a grey file is its own luma. For luma of full range the two rules are the same.
    kept = [
        Choice(
            "luma in studio range, grey files kept as they are",
            Planes(lambda rgb, is_grey: quantise(_luma(rgb, _BT601)) if is_grey else rgb_to_y(rgb)),
        ),
        Choice(
            "luma in studio range rounded to 8 bits, grey files kept as they are",
            Planes(lambda rgb, is_grey: quantise(_luma(rgb, _BT601)) if is_grey else quantise(rgb_to_y(rgb))),
        ),
    ]
    return [
        Choice("luma in studio range", Planes(lambda rgb, _: rgb_to_y(rgb))),
        Choice(
            "luma in studio range rounded to 8 bits (MATLAB on uint8)",
            Planes(lambda rgb, _: quantise(rgb_to_y(rgb))),
        ),
        *(kept if grey else []),
        Choice("luma in full range", Planes(lambda rgb, _: _luma(rgb, _BT601))),
        Choice(
            "luma in full range rounded to 8 bits (Pillow, OpenCV)",
            Planes(lambda rgb, _: quantise(_luma(rgb, _BT601))),
        ),
        Choice("luma by BT.709 (scikit-image's rgb2gray)", Planes(lambda rgb, _: _luma(rgb, _BT709))),
        Choice("RGB", Planes(lambda rgb, _: rgb, jointly=True)),
        Choice(MEAN_OF_PLANES, Planes(lambda rgb, _: rgb)),
        *(Choice(f"plane {name}", Planes(partial(_plane, at))) for at, name in enumerate("rgb")),
    ]


MEAN_OF_PLANES = "RGB, the mean of three PSNRs"
"""Apart from `RGB` for PSNR alone."""


def psnr_of(sr: Tensor, hr: Tensor, rule: Planes) -> float:
    """PSNR in dB of planes (1, P, H, W), which are cropped already."""
    if rule.jointly:  # one tall plane
        sr, hr = (x.reshape(1, 1, -1, x.shape[-1]) for x in (sr, hr))
    return float(psnr(sr, hr).mean())


def _uniform_ssim(sr: Tensor, hr: Tensor) -> Tensor:
    """7×7 windows that fit inside, all pixels alike, sample covariance.

    Source: the defaults of scikit-image's `structural_similarity`, checked against it in a test.
    """
    if min(sr.shape[-2:]) < 7:
        return torch.full(sr.shape[:2], torch.nan, dtype=torch.float64)
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = (
        F.avg_pool2d(x.double(), 7, stride=1) for x in (sr, hr, sr * sr, hr * hr, sr * hr)
    )
    sample = 49 / 48
    variance_x, variance_y = sample * (mean_xx - mean_x.square()), sample * (mean_yy - mean_y.square())
    covariance = sample * (mean_xy - mean_x * mean_y)
    c1, c2 = 0.01**2, 0.03**2
    above = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    below = (mean_x.square() + mean_y.square() + c1) * (variance_x + variance_y + c2)
    return (above / below).mean(dim=(2, 3))


def _zero_padded_ssim(sr: Tensor, hr: Tensor) -> Tensor:
    """The Gaussian window everywhere, with black around the picture, as most PyTorch code convolves."""
    return ssim(F.pad(sr, (5, 5, 5, 5)), F.pad(hr, (5, 5, 5, 5)))


WINDOWS = [
    Choice("SSIM where the Gaussian window fits inside", ssim),
    Choice("SSIM with edges repeated (MATLAB)", lambda sr, hr: ssim(sr, hr, edge="replicate")),
    Choice("SSIM with zeros around the picture (PyTorch code)", _zero_padded_ssim),
    Choice("SSIM with a uniform 7×7 window (scikit-image's default)", _uniform_ssim),
]

RANGES = [
    Choice("fed in [−1, 1]", lambda x: x),
    # The metric maps x to 2x − 1: what undoes that is what a network fed in [0, 1] sees.
    Choice("fed in [0, 1] where [−1, 1] is due", lambda x: (x + 1) / 2),
]


def nets(available: Sequence[Net]) -> list[Choice]:
    """LPIPS by each backbone whose weights are to be had."""
    return [Choice(f"LPIPS ({net})", partial(_lpips_of, net)) for net in available]


def _lpips_of(net: Net, sr: Tensor, hr: Tensor) -> float:
    return float(lpips(sr.float(), hr.float(), net))


_BT601 = (0.299, 0.587, 0.114)
_BT709 = (0.2125, 0.7154, 0.0721)  # the digits that scikit-image uses


def _luma(rgb: Tensor, weights: tuple[float, float, float]) -> Tensor:
    return sum((weight * rgb[:, at, None] for at, weight in enumerate(weights)), torch.zeros(()))


def _plane(at: int, rgb: Tensor, is_grey: bool) -> Tensor:
    return rgb[:, at : at + 1]


def _exact_levels(rounded: Tensor) -> Tensor:
    """What was rounded in SR's own precision, as it is scored, with k / 255 to the digits of float64."""
    return (rounded.double() * 255).round() / 255


def _smaller(hr: Tensor, scale: int) -> tuple[int, int]:
    return hr.shape[-2] // scale, hr.shape[-1] // scale


def _matlab_without_antialiasing(hr: Tensor, scale: int) -> Tensor:
    return quantise(resize_bicubic(quantise(hr.double()), *_smaller(hr, scale), antialias=False))


def _opencv(hr: Tensor, scale: int) -> Tensor:
    # From exact levels in float64, since sums of them lie half-way between two levels often.
    return quantise(_pytorch(quantise(hr.double()), scale))


def _pytorch(hr: Tensor, scale: int) -> Tensor:
    """Keys' kernel with a = −0.75 and repeated edges, as PyTorch and OpenCV have it."""
    return F.interpolate(hr, _smaller(hr, scale), mode="bicubic", align_corners=False)


def _pillow(hr: Tensor, scale: int) -> Tensor:
    """Pillow's antialiased bicubic on 8-bit pixels."""
    import numpy as np
    from PIL import Image

    pixels = (quantise(hr)[0].permute(1, 2, 0).cpu().numpy() * 255).round().astype(np.uint8)
    height, width = _smaller(hr, scale)
    small = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
    return to_tensor(np.asarray(small)).to(hr.device, hr.dtype)
