"""Arrays in Python → arrays, as files go."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from srbench.errors import UsageError
from srbench.upscale.enlarge import Enlarger
from srbench.upscale.raster import Raster


def upscaled(enlarger: Enlarger, picture: NDArray[Any]) -> NDArray[Any]:
    """A picture enlarged; see `LoadedRun.upscale`."""
    is_picture = picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] in (3, 4))
    is_sample = picture.dtype in (np.uint8, np.uint16) or np.issubdtype(picture.dtype, np.floating)
    if not (is_picture and is_sample and picture.size):
        raise UsageError(
            "A picture to upscale is (H, W, 3), (H, W, 4) or (H, W), 8-bit, 16-bit or floating point in "
            f"[0, 1], not {picture.shape} of {picture.dtype}."
        )
    has_alpha = picture.ndim == 3 and picture.shape[2] == 4
    made = enlarger(
        Raster(picture[..., :3] if has_alpha else picture, picture[..., 3] if has_alpha else None)
    )
    if made.alpha is None:
        return made.colour
    colour = np.stack([made.colour] * 3, axis=2) if made.is_grey else made.colour
    return np.concatenate([colour, made.alpha[..., None]], axis=2)
