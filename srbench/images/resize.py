"""MATLAB's antialiased imresize(..., 'bicubic') and the bicubic degradation built on it."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srbench.images.banded import Banded, cut_into_blocks
from srbench.images.png import quantise


def resize_bicubic(x: Tensor, height: int, width: int, *, antialias: bool = True) -> Tensor:
    """Resize to `height` × `width` as MATLAB's `imresize(x, [height width], 'bicubic')` does for doubles.

    Keys' cubic kernel (a = −0.5), widened when shrinking, mirrored edges, weights normalised to sum 1; the
    axis that shrinks most goes first. Nothing is clamped or rounded. Differentiable.

    Args:
        x: (N, C, H, W), floating point. Computed in float64 whatever the dtype, so that a later rounding to
            8 bits does not depend on device or thread count.
        height: rows of the result, at least 1.
        width: columns of the result, at least 1.
        antialias: widen the kernel when shrinking; False is MATLAB's `'Antialiasing', false`.

    Returns:
        (N, C, height, width), the dtype of `x`, on its device.

    Raises:
        ValueError: `x` is not (N, C, H, W) in floating point, or a side of either size is below 1.

    Source: Keys 1981, doi:10.1109/TASSP.1981.1163711; MATLAB R2023a imresize.
    """
    if x.ndim != 4 or not x.is_floating_point():
        raise ValueError(
            f"resize_bicubic takes (N, C, H, W) in floating point, not {tuple(x.shape)} {x.dtype}"
        )
    rows, columns = x.shape[-2:]
    if min(rows, columns, height, width) < 1:
        raise ValueError(f"cannot resize {tuple(x.shape)} to {height}×{width}: a side has no pixels")
    down = _weights(rows, height, antialias, x.device).along_height
    across = _weights(columns, width, antialias, x.device).along_width
    first, second = (down, across) if height / rows <= width / columns else (across, down)
    return second(first(x.double())).to(x.dtype)


def bicubic(round: bool = True) -> Callable[[Tensor, int], Tensor]:
    """The bicubic degradation: HR → LR by `resize_bicubic` at 1 / scale.

    Args:
        round: round LR to 8 bits, as a file would be; False keeps the exact values (LapSRN's protocol).

    Returns:
        `(hr, scale) -> lr`: hr (N, C, H, W) in [0, 1] → (N, C, H / scale, W / scale), the dtype of `hr`. With
        `round`, the same bits for float32 and float64 input, on every device and with any thread count.
        It raises ValueError where a side of `hr` is not a multiple of `scale`.
    """

    def degrade(hr: Tensor, scale: int) -> Tensor:
        height, width = hr.shape[-2:]
        if scale < 1 or height % scale or width % scale:
            raise ValueError(
                f"sides of {tuple(hr.shape)} are not multiples of the scale {scale}; crop it first"
            )
        if not round:
            return resize_bicubic(hr, height // scale, width // scale)
        # float32 carries k / 255 with an error of up to 8e-6 levels, enough to lift one LR value in a million
        # over a tie: a value that is an 8-bit level but for that error is taken as that level.
        levels = hr.double() * 255
        nearest = levels.round()
        exact = torch.where((levels - nearest).abs() < 1e-4, nearest, levels) / 255
        return quantise(resize_bicubic(exact, height // scale, width // scale)).to(hr.dtype)

    return degrade


@lru_cache(maxsize=64)  # the sizes of a test set at two scales; blocks of one 2K axis take about 100 KB
def _weights(size_in: int, size_out: int, antialias: bool, device: torch.device) -> Banded:
    return cut_into_blocks(_contributions(size_in, size_out, antialias), device)


def _contributions(size_in: int, size_out: int, antialias: bool) -> NDArray[np.float64]:
    """The weight of each input pixel (columns) in each output pixel (rows)."""
    scale = size_out / size_in
    stretch = min(scale, 1.0) if antialias else 1.0
    reach = 4 / stretch  # width of the kernel in input pixels
    # Centres of the output pixels in input coordinates, both counted from 1 as MATLAB does: the same sums
    # in the same order give the same last digit, so that `floor` falls on the same side.
    centres = np.arange(1, size_out + 1) / scale + 0.5 * (1 - 1 / scale)
    taps = np.floor(centres - reach / 2)[:, None] + np.arange(int(np.ceil(reach)) + 2)
    weights = stretch * _cubic(stretch * (centres[:, None] - taps))
    weights /= weights.sum(axis=1, keepdims=True)
    mirrored = (taps.astype(np.int64) - 1) % (2 * size_in)
    columns = np.minimum(mirrored, 2 * size_in - 1 - mirrored)
    matrix = np.zeros((size_out, size_in))
    np.add.at(matrix, (np.arange(size_out)[:, None], columns), weights)
    return matrix


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' kernel with a = −0.5; zero from 2 on."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    kernel: NDArray[np.float64] = np.where(x <= 1, near, np.where(x <= 2, far, 0.0))
    return kernel
