"""A picture with all that srbench keeps of a file: colour, alpha, depth and colour profile."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SPACES = {True: b"GRAY", False: b"RGB "}


@dataclass(frozen=True)
class Raster:
    """A picture in memory, upright.

    Args:
        colour: (H, W, 3) RGB or (H, W) grey: 8-bit, 16-bit, or floating point in [0, 1].
        alpha: (H, W), of the same type, not premultiplied; None: opaque everywhere.
        profile: the ICC profile that says which colours these numbers are; None: sRGB, as far as is known.
    """

    colour: NDArray[Any]
    alpha: NDArray[Any] | None = None
    profile: bytes | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.colour.shape[0], self.colour.shape[1]

    @property
    def is_grey(self) -> bool:
        """Whether it has no colour."""
        return self.colour.ndim == 2

    @property
    def is_deep(self) -> bool:
        """Whether it has 16 bits a sample."""
        return bool(self.colour.dtype == np.uint16)

    @property
    def levels(self) -> int:
        """What stands for 1 in a file of it."""
        return 65535 if self.is_deep else 255

    def fitting(self, profile: bytes | None) -> bytes | None:
        """The profile, where it is one of such pictures: a file may hold any bytes."""
        space = _SPACES[self.is_grey]
        fits = profile is not None and profile[36:40] == b"acsp" and profile[16:20] == space
        return profile if fits else None
