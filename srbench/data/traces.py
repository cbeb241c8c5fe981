"""What a picture's pixels tell of its past: fingerprint, JPEG compression, being cut from another."""

import hashlib
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from srbench.images.png import read_picture
from srbench.types import Picture

Pixels: TypeAlias = NDArray[np.uint8]
"""(H, W, 3) RGB; a grey picture has three equal planes."""

_STEPS = range(2, 65)
_ENOUGH = 50  # coefficients: the mean cosine of so many random ones stays below 0.5, five of its deviations
_LUMA = np.array([0.299, 0.587, 0.114])  # JPEG's own, full range


def rgb_pixels(picture: Picture) -> Pixels:
    """The pixels of a picture, a grey one as three equal planes.

    Raises:
        PictureError: it cannot be decoded.
    """
    pixels = read_picture(picture)
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels


def fingerprint(pixels: Pixels) -> str:
    """16 hex digits that stand for size and pixels, whatever the file format."""
    height, width = pixels.shape[:2]
    content = f"{width}×{height}".encode() + pixels.tobytes()
    return hashlib.sha256(content).hexdigest()[:16]


def has_one_channel(picture: Picture) -> bool:
    """Whether the file has a single channel."""
    return read_picture(picture).ndim == 2


def is_grey(pixels: Pixels) -> bool:
    """Whether all three planes are equal."""
    return bool((pixels[..., :1] == pixels).all())


def is_jpeg_file(picture: Picture) -> bool:
    """Whether the file itself is a JPEG, whatever it is called."""
    if not isinstance(picture.hr, Path):
        return False
    with picture.hr.open("rb") as file:
        return file.read(3) == b"\xff\xd8\xff"


def was_jpeg(pixels: Pixels) -> bool:
    """Whether the pixels have been through JPEG on the grid they are on, whatever file holds them now.

    JPEG rounds each of the 63 frequencies of an 8×8 block to multiples of a step, and decoding keeps them
    close to it: seen as an angle, coefficient / step then has a mean cosine near 1. Elsewhere coefficients
    thin out smoothly, and it is about 0 or below. The 14 pictures of Set5 and Set14 that never were JPEG
    show it at no frequency, their copies of quality 50 to 97 at 66 % or more.
    """
    height, width = (side // 8 * 8 for side in pixels.shape[:2])
    luma = pixels[:height, :width] @ _LUMA - 128
    blocks = luma.reshape(height // 8, 8, width // 8, 8).transpose(0, 2, 1, 3).reshape(-1, 8, 8)
    # A block with black or white in it was clipped after decoding, which moves its coefficients.
    clipped = (blocks.max(axis=(1, 2), initial=0) > 126) | (blocks.min(axis=(1, 2), initial=0) < -127)
    coefficients = dctn(blocks[~clipped], axes=(1, 2), norm="ortho").reshape(-1, 64)
    found = asked = 0
    for values in coefficients.T[1:]:
        cosines = []
        for step in _STEPS:
            # Those under half a step are rounded to 0 by any step, and say nothing.
            past = values[np.abs(values) > step / 2]
            if len(past) < _ENOUGH:
                break  # larger steps leave fewer still
            cosines.append(np.cos(2 * np.pi / step * past).mean())
        asked += bool(cosines)
        found += max(cosines, default=0) > 0.5
    return asked >= 8 and found > asked / 2


def place_inside(part: Pixels, whole: Pixels) -> tuple[int, int] | None:
    """The row and column at which `part` is cut from `whole`, to the last pixel; None where it is not."""
    height, width = part.shape[:2]
    rows, columns = whole.shape[0] - height, whole.shape[1] - width
    if min(rows, columns) < 0:
        return None
    # Three corners leave few places to compare in full.
    fits = np.ones((rows + 1, columns + 1), dtype=bool)
    for row, column in ((0, 0), (height - 1, width - 1), (0, width - 1)):
        there = whole[row : row + rows + 1, column : column + columns + 1]
        fits &= (there == part[row, column]).all(axis=2)
    for row, column in np.argwhere(fits):
        if np.array_equal(whole[row : row + height, column : column + width], part):
            return int(row), int(column)
    return None
