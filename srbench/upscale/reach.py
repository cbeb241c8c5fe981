"""How far networks look around a pixel: so much must tiles share for no seam to be left."""

import math

import torch

from srbench.inference import WHOLE
from srbench.predict import NetworkUpscaler

FURTHEST = 64
"""LR pixels; tiles of networks that look further may leave seams."""

_NOTICED = 0.5 / 65535
"""Half a level of a 16-bit file."""


def reach(upscaler: NetworkUpscaler) -> int:
    """LR pixels from one that changes to the furthest SR pixel that changes with it; at most `FURTHEST`.

    Measured on noise, in windows that grow until what changes ends inside them. Networks that lay a grid over
    a picture may see a pixel at any place of a cell: a cell is added.
    """
    for radius in (16, 32, FURTHEST):
        side = math.ceil((2 * radius + 1) / upscaler.size_multiple) * upscaler.size_multiple
        noise = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
        lr = noise.to(upscaler.device)
        changed, centre = lr.clone(), side // 2
        changed[..., centre, centre] = (changed[..., centre, centre] + 0.5) % 1
        before, after = (upscaler.predicted(one, WHOLE)[upscaler.run_scale] for one in (lr, changed))
        # What is not finite has changed, too: a network may divide by what the pixel was.
        moved = ~((after - before).abs().amax(dim=(0, 1)) <= _NOTICED)
        away = (torch.arange(side * upscaler.run_scale) // upscaler.run_scale - centre).abs()
        far = max(int((away * moved.any(dim=axis).cpu()).max()) for axis in (0, 1))
        if moved.any() and far < radius - 1:
            return min(far + upscaler.size_multiple - 1, FURTHEST)
    return FURTHEST
