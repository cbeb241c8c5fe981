"""How far networks look around a pixel: so much must tiles share for no seam to be left."""

import bisect
import math
from collections.abc import Callable

import torch
from torch import Tensor

from srbench.inference import WHOLE
from srbench.predict import NetworkUpscaler

FURTHEST = 64
"""LR pixels; tiles of networks that look further may leave seams."""

_NOTICED = 0.5 / 65535
"""Half a level of a 16-bit file."""

_WATCHED = 8
"""LR pixels a side, in the middle of a window."""


def reach(upscaler: NetworkUpscaler) -> int:
    """LR pixels from a part of a picture to the furthest that SR of it depends on; at most `FURTHEST`.

    Measured on noise, in windows that grow until their rim makes no difference: all that lies further away is
    replaced by other and darker noise, so that what is faint in each pixel and much in all of them, such as a
    mean over the picture, counts too. Networks that lay a grid over a picture may see a pixel at any place of
    a cell: a cell is added.
    """
    for radius in (16, 32, FURTHEST):
        depends = _dependence(upscaler, radius)
        if depends(radius - 1) or not depends(-_WATCHED):  # on nothing: what it looks at lies outside
            continue
        found = bisect.bisect_left(range(radius - 1), True, key=lambda distance: not depends(distance))
        return min(found + upscaler.size_multiple - 1, FURTHEST)
    return FURTHEST


def _dependence(upscaler: NetworkUpscaler, radius: int) -> Callable[[int], bool]:
    """Whether SR in the middle of a window depends on what is further away than so many LR pixels."""
    side = math.ceil((2 * radius + _WATCHED) / upscaler.size_multiple) * upscaler.size_multiple
    bright, other = torch.rand(2, 1, 3, side, side, generator=torch.Generator().manual_seed(0))
    first = (side - _WATCHED) // 2
    last = first + _WATCHED
    watched = slice(first * upscaler.run_scale, last * upscaler.run_scale)

    def middle(lr: Tensor) -> Tensor:
        sr = upscaler.predicted(lr.to(upscaler.device), WHOLE)[upscaler.run_scale]
        return sr[..., watched, watched]

    before = middle(bright)

    def depends(distance: int) -> bool:
        near = slice(max(first - distance, 0), max(last + distance, 0))
        changed = other / 4
        changed[..., near, near] = bright[..., near, near]
        # What is not finite has changed, too: a network may divide by what a pixel was.
        return not bool(((middle(changed) - before).abs() <= _NOTICED).all())

    return depends
