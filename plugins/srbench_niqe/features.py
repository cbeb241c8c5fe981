"""What NIQE looks at: distributions of locally normalised luma, and of products of neighbours."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from srbench.api import resize_bicubic

BLOCK = 96
"""Pixels a side; the model of pristine photographs was fitted with it."""

_REACH, _SIGMA = 3, 7 / 6  # of the Gaussian window
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
_FLAT = 1e-6  # a single level in the corner of a window makes 1e-4


class Fit(NamedTuple):
    """An asymmetric generalised Gaussian distribution of each block."""

    shape: Tensor
    left: Tensor
    right: Tensor


def features(luma: Tensor) -> Tensor:
    """The 36 features of each block of 96×96 pixels: 18 at full size, then 18 at half the size.

    Args:
        luma: (H, W), float64, in levels from 0 to 255.

    Returns:
        (blocks, 36), float64, from left to right and from top to bottom; NaN in what a block without texture
        does not have. Pixels beyond the last whole block are cut off.

    Source: Mittal et al. 2013, doi:10.1109/LSP.2012.2227726, equations 1 to 8, and the authors' release.
    """
    rows, columns = luma.shape[0] // BLOCK, luma.shape[1] // BLOCK
    if not rows or not columns:
        return luma.new_empty(0, 36)
    full = luma[: rows * BLOCK, : columns * BLOCK]
    half = resize_bicubic(full[None, None], rows * BLOCK // 2, columns * BLOCK // 2)[0, 0]
    return torch.cat([_at_one_scale(full, BLOCK), _at_one_scale(half, BLOCK // 2)], dim=1)


def _at_one_scale(luma: Tensor, side: int) -> Tensor:
    """(H, W) → (blocks, 18)."""
    blocks = normalised(luma).unfold(0, side, side).unfold(1, side, side).reshape(-1, side, side)
    fit = _fitted(blocks)
    found = [fit.shape, (fit.left + fit.right) / 2]
    for shift in _NEIGHBOURS:
        # A block wraps around: its first column has the last one for a neighbour.
        fit = _fitted(blocks * blocks.roll(shift, (1, 2)))
        mean = (fit.right - fit.left) * (torch.lgamma(2 / fit.shape) - torch.lgamma(1 / fit.shape)).exp()
        found += [fit.shape, mean, fit.left, fit.right]
    return torch.stack(found, dim=1)


def normalised(luma: Tensor) -> Tensor:
    """Luma less its local mean, by its local deviation plus one level; 0 where it is flat. Equation 1."""
    mean = _blurred(luma)
    deviation = (_blurred(luma.square()) - mean.square()).abs().sqrt()
    result = (luma - mean) / (deviation + 1)
    # What is flat would be rounding errors, whose distribution is the machine's and not the picture's.
    return result.where(result.abs() > _FLAT, 0)


def _blurred(picture: Tensor) -> Tensor:
    """Under a 7×7 Gaussian window (σ 7/6), edge pixels repeated."""
    places = torch.arange(-_REACH, _REACH + 1, dtype=picture.dtype, device=picture.device)
    window = (-0.5 * (places / _SIGMA).square()).exp()
    window = window / window.sum()
    wide = pad(picture[None, None], (_REACH,) * 4, mode="replicate")
    return conv2d(conv2d(wide, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))[0, 0]


def _fitted(blocks: Tensor) -> Fit:
    """Moments of blocks (blocks, h, w) → the distribution that has them; NaN where a side has no values.

    Source: Lasmar et al. 2009, doi:10.1109/ICIP.2009.5414404; shapes from 0.2 to 10 in steps of 0.001.
    """
    shapes = torch.arange(200, 10_001, dtype=blocks.dtype, device=blocks.device) / 1000
    ratios = (2 * torch.lgamma(2 / shapes) - torch.lgamma(1 / shapes) - torch.lgamma(3 / shapes)).exp()
    values = blocks.flatten(1)
    squares = values.square()
    left, right = ((squares.where(side, 0).sum(1) / side.sum(1)).sqrt() for side in (values < 0, values > 0))
    skew = left / right
    ratio = values.abs().mean(1).square() / squares.mean(1)
    ratio = ratio * (skew**3 + 1) * (skew + 1) / (skew.square() + 1).square()
    # The ratios rise with the shape: the nearest is one of two.
    above = torch.searchsorted(ratios, ratio).clamp(1, len(ratios) - 1)
    nearest = torch.where(ratio - ratios[above - 1] <= ratios[above] - ratio, above - 1, above)
    shape = shapes[nearest].where(ratio.isfinite(), torch.nan)
    width = (0.5 * (torch.lgamma(1 / shape) - torch.lgamma(3 / shape))).exp()
    return Fit(shape, left * width, right * width)
