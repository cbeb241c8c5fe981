"""Photographs that components are tested on, cut from those of scikit-image, and SR of them."""

from functools import cache

import numpy as np
import torch
from skimage import data
from torch import Tensor

from srbench.images.png import to_tensor
from srbench.images.resize import resize_bicubic
from srbench.predict import plane_of
from srbench.types import Plane

_SIDE = 288
_PIECES = ((70, 190), (10, 20), (180, 60), (300, 300))


def photographs(height: int, width: int) -> Tensor:
    """The middle of a face, a cup and a cat, (3, 3, H, W) float32, each value k / 255; new at every call.

    Args:
        height, width: up to 288.
    """
    top, left = (_SIDE - height) // 2, (_SIDE - width) // 2
    return _whole()[..., top : top + height, left : left + width].clone()


def photograph(height: int, width: int, plane: Plane = "rgb", *, number: int = 0) -> Tensor:
    """One of four pieces of a portrait, (1, 3 or 1, H, W) float32: eyes, a flag, a face in the dark.

    Args:
        height, width: any; past the edge, it begins again at the other one.
        plane: that is wanted.
        number: which piece.
    """
    top, left = _PIECES[number % len(_PIECES)]
    whole = _portrait()
    rows = torch.arange(top, top + height) % whole.shape[-2]
    columns = torch.arange(left, left + width) % whole.shape[-1]
    return plane_of(whole[..., rows, :][..., columns].clone(), plane)


def enlarged(hr: Tensor, scale: int, noise: float = 0.0) -> tuple[Tensor, Tensor]:
    """SR as bicubic makes it, not clamped, and the LR it is made of.

    Args:
        hr: (N, C, H, W) in [0, 1], sides multiples of `scale`.
        scale: factor.
        noise: deviation of what is added to SR, the same noise at every call.
    """
    height, width = hr.shape[-2:]
    lr = resize_bicubic(hr, height // scale, width // scale)
    grain = torch.randn(hr.shape, generator=torch.Generator().manual_seed(0), dtype=hr.dtype)
    return resize_bicubic(lr, height, width) + noise * grain, lr


@cache
def _portrait() -> Tensor:
    return to_tensor(data.astronaut())  # type: ignore[no-untyped-call]


@cache
def _whole() -> Tensor:
    crops = []
    for name, top, left in (("astronaut", 0, 80), ("coffee", 100, 200), ("chelsea", 10, 90)):
        pixels = getattr(data, name)()[top : top + _SIDE, left : left + _SIDE]
        crops.append(to_tensor(np.ascontiguousarray(pixels)))
    return torch.cat(crops)
