"""The photographs that scikit-image ships, each with an LR picture of its own at the run's scale."""

import math

import numpy as np
from numpy.typing import NDArray
from skimage import data
from srbench.api import Dataset, DatasetError, Picture

from srbench_example_dataset.camera import photograph

TRAIN = ("coffee", "rocket", "hubble_deep_field")
VAL = ("chelsea",)
TEST = ("astronaut", "immunohistochemistry")


def build(side: int = 288, noise: float = 0.02, scale: int | None = None) -> Dataset:
    """Six photographs: three to train on, one to validate on, two to be scored on.

    Args:
        side: of HR, cut from the middle of each photograph, in pixels; from 48 to 300.
        noise: of the camera, in full light, in units of the [0, 1] range; from 0.
        scale: of the run: srbench gives it, for LR pictures of that scale. None where there is none, as when
            pictures are counted: HR alone.

    Raises:
        DatasetError: an argument is out of range. The user sees the message and no more.
    """
    if not 48 <= side <= 300 or not 0 <= noise < math.inf:
        raise DatasetError(f"snapshots takes side from 48 to 300 and noise from 0, not {side} and {noise}.")
    train, val, test = ([_pair(name, side, noise, scale) for name in half] for half in (TRAIN, VAL, TEST))
    return Dataset(train, val, test)


def _pair(name: str, side: int, noise: float, scale: int | None) -> Picture:
    pixels: NDArray[np.uint8] = getattr(data, name)()
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    hr = np.ascontiguousarray(pixels[top : top + side, left : left + side])
    lr = None if scale is None else photograph(hr, scale, noise, name)
    return Picture(name, hr, lr=lr)
