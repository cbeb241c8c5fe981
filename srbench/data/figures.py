"""Bicubic on a picture, under the rules that a figure was published by."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from srbench.data.traces import Pixels
from srbench.errors import DatasetError
from srbench.facts import Figure
from srbench.images.resize import bicubic, resize_bicubic
from srbench.images.tiles import read_rgb
from srbench.metrics.protocol import prepare
from srbench.metrics.psnr import psnr
from srbench.types import Picture, Plane

PER_PICTURE = Figure(2, math.nan)
"""The rules of a single picture's figure."""


@torch.no_grad()
def bicubic_psnr(
    pixels: Pixels, figures: Sequence[Figure], *, grey: bool, planes: Sequence[Plane] = ("y",)
) -> list[float]:
    """The PSNR of bicubic on a picture by the rules of each figure, in dB.

    Args:
        pixels: the picture.
        figures: whose rules to use.
        grey: it is a single-channel file, so that the figures' rule on those applies.
        planes: other than luma, their mean is given: to see what a figure may have been made of instead.

    Returns:
        One value a figure; infinite for a picture that bicubic gives back exactly, NaN for one too small.
    """
    enlarged: dict[tuple[int, bool], tuple[Tensor, Tensor]] = {}
    values = []
    for figure in figures:
        try:
            key = (figure.scale, figure.rounded)
            if key not in enlarged:
                enlarged[key] = _enlarged(pixels, *key)
            border = figure.scale if figure.border is None else figure.border
            grey_kept = grey and figure.grey == "keep"
            prepared = prepare(*enlarged[key], planes, border, grey_kept=grey_kept)
            values.append(psnr(*prepared).mean().item())
        except (DatasetError, ValueError):  # nothing is left at that scale or inside that border
            values.append(math.nan)
    return values


def means(values: Mapping[str, Sequence[float]]) -> list[float]:
    """The mean of each figure over pictures; values that are not finite are left out, NaN if all are."""
    columns = zip(*values.values(), strict=True)
    finite = [[value for value in column if math.isfinite(value)] for column in columns]
    return [sum(column) / len(column) if column else math.nan for column in finite]


def _enlarged(pixels: Pixels, scale: int, rounded: bool) -> tuple[Tensor, Tensor]:
    hr = read_rgb(Picture("", pixels), scale)
    lr = bicubic(round=rounded)(hr, scale)
    return resize_bicubic(lr, *hr.shape[-2:]), hr
