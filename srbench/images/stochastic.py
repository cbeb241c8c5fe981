"""Degradations with chance in them: each patch, and each whole picture, is degraded by a seed of its own."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from srbench.images.resize import bicubic


@dataclass(frozen=True)
class Stochastic:
    """A degradation as its plugin built it, applied to patches in training and frozen by name elsewhere.

    Args:
        function: `(hr, scale, seeds) -> lr`: hr (N, 3, H, W) in [0, 1], seeds (N,) uint64, lr
            (N, 3, H / scale, W / scale). A picture's LR depends on that picture and its seed alone.
        reach: scale → how many HR pixels around a patch have a part in its LR.
    """

    function: Callable[..., Tensor]
    reach: Callable[[int], int]

    def margin(self, scale: int) -> int:
        """HR pixels to cut around a patch: what is reached, in whole LR pixels."""
        return -(-self.reach(scale) // scale) * scale

    def patches(self, hr: Tensor, scale: int, seeds: NDArray[np.uint64]) -> Tensor:
        """LR of patches that come with `margin(scale)` HR pixels around them; LR comes without.

        Args:
            hr: (N, 3, p + 2·margin, p + 2·margin) in [0, 1].
            scale: factor.
            seeds: (N,), one a patch.
        """
        lr = self.function(hr, scale, seeds=seeds)
        return centre(lr, self.margin(scale) // scale)

    def of(self, name: str) -> "Frozen":
        """The degradation of the whole picture of that name, the same one every time."""
        digest = hashlib.sha256(name.encode()).digest()
        return Frozen(self.function, int.from_bytes(digest[:8], "little"))


@dataclass(frozen=True)
class Frozen:
    """A stochastic degradation with one seed: `(hr, scale) -> lr`, as deterministic ones are.

    Args:
        function: as in `Stochastic`.
        seed: what all pictures are degraded by.
    """

    function: Callable[..., Tensor]
    seed: int

    def __call__(self, hr: Tensor, scale: int) -> Tensor:
        """LR, computed on the CPU in float64 so that its 8 bits depend on no device or thread count."""
        seeds = np.full(len(hr), self.seed, dtype=np.uint64)
        lr = self.function(hr.detach().cpu().double(), scale, seeds=seeds)
        return lr.to(hr.device, hr.dtype)


Degrade = Callable[[Tensor, int], Tensor]
"""HR (N, 3, H, W) in [0, 1] and the scale → LR."""

Degradation = Degrade | Stochastic
"""What a run's specification names."""


def of_picture(degradation: Degradation, name: str) -> Degrade:
    """How the whole picture of that name is degraded, wherever it is scored or validated on."""
    return degradation.of(name) if isinstance(degradation, Stochastic) else degradation


def reducing(degradation: Degradation) -> Degrade:
    """What makes references of inner scales: the degradation, or bicubic where chance would spoil them."""
    return bicubic() if isinstance(degradation, Stochastic | Frozen) else degradation


def centre(x: Tensor, margin: int) -> Tensor:
    """`x` without `margin` pixels at each side."""
    height, width = x.shape[-2:]
    return x[..., margin : height - margin, margin : width - margin]
