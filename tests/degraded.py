"""Pictures made worse in ways whose truth is known: how much of HR's detail is left, and what else is there.

Planes are (H, W) float64 in [0, 1] as they go in, unrounded as they come out. Blur and the split of detail
from the rest work in the Fourier domain of the plane mirrored at its borders, which is what a DCT is: no edge
is made that the picture does not have, and the frequency response is exact.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import fft
from torch import Tensor

from srbench.images.resize import bicubic, resize_bicubic

Plane = NDArray[np.float64]


def read_planes(folder: Path) -> list[Plane]:
    """The pictures of a folder, (3, H, W) each, cut to a multiple of 4."""
    pictures = []
    for path in sorted(folder.glob("*.png")):
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        height, width = (side // 4 * 4 for side in pixels.shape[:2])
        pictures.append(pixels[:height, :width].transpose(2, 0, 1) / 255)
    return pictures


def to_8_bits(plane: Plane) -> Plane:
    return np.clip(np.round(plane * 255), 0, 255) / 255


def as_tensor(*planes: Plane) -> Tensor:
    """(1, planes, H, W)."""
    return torch.from_numpy(np.stack(planes))[None]


def filtered(plane: Plane, response: Callable[[Plane], Plane]) -> Plane:
    """`response` maps a frequency squared, in cycles a pixel, to a factor."""
    y, x = (np.arange(side) / (2 * side) for side in plane.shape)
    return fft.idctn(fft.dctn(plane, norm="ortho") * response(y[:, None] ** 2 + x**2), norm="ortho")


def blurred(plane: Plane, sigma: float) -> Plane:
    """Gaussian blur of `sigma` pixels."""
    return filtered(plane, lambda f2: np.exp(-2 * (np.pi * sigma) ** 2 * f2))


def share_left_by_blur(sigma: float, scale: int) -> float:
    """What detail is by its definition: the mean, each octave alike, of blur's frequency response."""
    size = max(32, 2 ** int(np.ceil(np.log2(8 * scale))))
    k = np.arange(size // (2 * scale) + 1, size // 2 + 1)
    return float((np.exp(-2 * (np.pi * sigma * k / size) ** 2) / k).sum() / (1 / k).sum())


def noise(plane: Plane, level: float = 10 / 255, seed: int = 0) -> Plane:
    return np.random.default_rng(seed).normal(0, level, plane.shape)


def by_bicubic(plane: Plane, scale: int, recovered: float = 0.0) -> Plane:
    """Bicubic ×`scale` from 8-bit LR, and `recovered` of what it lacks."""
    lr = bicubic()(as_tensor(plane), scale)
    smooth = resize_bicubic(lr, *plane.shape)[0, 0].numpy()
    return smooth + recovered * (plane - smooth)


def moved(plane: Plane, by: float = 0.5) -> Plane:
    """Moved down and right, in the Fourier domain of the plane as it is."""
    y, x = (np.fft.fftfreq(side) for side in plane.shape)
    return np.fft.ifft2(np.fft.fft2(plane) * np.exp(-2j * np.pi * by * (y[:, None] + x))).real


def sharpened(plane: Plane, scale: int, factor: float = 1.5) -> Plane:
    """What LR could not carry, times `factor`."""
    return filtered(plane, lambda f2: np.where(f2 > 1 / (2 * scale) ** 2, factor, 1.0))


def invented(plane: Plane, scale: int, seed: int = 0) -> Plane:
    """What LR could not carry has the power that HR has there, and other phases: texture, but not HR's.

    Phases are drawn anew in each of overlapping windows of 16 pixels, so that it sits where HR's does.
    """
    low = filtered(plane, lambda f2: (f2 <= 1 / (2 * scale) ** 2).astype(float))
    size, stride = 16, 8
    height, width = plane.shape
    pad = [(size, size + -side % stride) for side in plane.shape]
    high = np.pad(plane - low, pad, mode="symmetric")
    window = np.sin(np.pi * (np.arange(size) + 0.5) / size)
    window = window[:, None] * window
    views = np.lib.stride_tricks.sliding_window_view(high, (size, size))[::stride, ::stride]
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, (*views.shape[:3], size // 2 + 1))
    made = np.fft.irfft2(np.abs(np.fft.rfft2(views * window)) * np.exp(1j * phases), (size, size)) * window
    texture = np.zeros_like(high)
    for row, column in np.ndindex(*made.shape[:2]):
        y, x = row * stride, column * stride
        texture[y : y + size, x : x + size] += made[row, column]
    texture = texture[size : size + height, size : size + width]
    # Windows of random phase add up in power, and an irfft2 of phases that are not Hermitian loses a little.
    return low + texture * np.sqrt((plane - low).var() / max(texture.var(), 1e-30))
