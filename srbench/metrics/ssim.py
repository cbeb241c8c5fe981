"""Structural similarity with a Gaussian window, under either of the two edge rules in use."""

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from srbench.images.banded import Banded, cut_into_blocks
from srbench.metrics.protocol import check_same_shape

_WINDOW, _SIGMA = 11, 1.5
_K1, _K2 = 0.01, 0.03
_C1, _C2 = _K1**2, _K2**2  # for a data range of 1


def facts(edge: Literal["valid", "replicate"] = "valid") -> dict[str, object]:
    """What a score depends on besides its settings."""
    del edge  # a setting, already in the protocol
    return {"window": _WINDOW, "sigma": _SIGMA, "k1": _K1, "k2": _K2, "statistics": "population"}


def ssim(sr: Tensor, hr: Tensor, edge: Literal["valid", "replicate"] = "valid") -> Tensor:
    """Structural similarity of each plane, 1 for equal planes; higher is better.

    11×11 Gaussian window (σ 1.5), K1 0.01, K2 0.03, data range 1, population statistics; the mean over the
    plane. Equal to scikit-image's `structural_similarity(gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=1)` for `edge="valid"`.

    Args:
        sr: model output, (N, C, H, W), floating point, in [0, 1].
        hr: ground truth, same shape and range.
        edge: `valid` averages where the window fits inside, as the original code and most Python toolboxes;
            `replicate` averages everywhere, the window seeing repeated edge pixels, as MATLAB's `ssim`.

    Returns:
        (N, C), float64, on the device of `sr`. NaN where a plane of `sr` is not finite, and with `valid`
        where a plane is smaller than the window.

    Raises:
        ValueError: the shapes differ or are not four-dimensional, or `edge` is neither word.

    Source: Wang et al. 2004, doi:10.1109/TIP.2003.819861.
    """
    check_same_shape(sr, hr)
    if edge not in ("valid", "replicate"):
        raise ValueError(f"edge is 'valid' or 'replicate', not {edge!r}")
    number, channels, height, width = sr.shape
    if edge == "valid" and min(height, width) < _WINDOW:
        return torch.full((number, channels), torch.nan, dtype=torch.float64, device=sr.device)
    rows = _window_matrix(height, edge, sr.device)
    columns = _window_matrix(width, edge, sr.device)
    # Plane by plane: four filtered maps of a whole 2K picture in float64 would not fit any cache.
    scores = [
        _mean_ssim(sr[n : n + 1, c : c + 1].double(), hr[n : n + 1, c : c + 1].double(), rows, columns)
        for n in range(number)
        for c in range(channels)
    ]
    return torch.stack(scores).reshape(number, channels)


def _mean_ssim(x: Tensor, y: Tensor, rows: Banded, columns: Banded) -> Tensor:
    """The mean of the SSIM map of one plane, (1, 1, H, W) each, float64."""
    mean_x, mean_y, mean_squares, mean_xy = (
        columns.along_width(rows.along_height(part)) for part in (x, y, x * x + y * y, x * y)
    )
    product, squares = mean_x * mean_y, mean_x.square() + mean_y.square()
    covariance, variances = mean_xy - product, mean_squares - squares
    structure = (2 * product + _C1) * (2 * covariance + _C2) / ((squares + _C1) * (variances + _C2))
    return structure.mean()


@lru_cache(maxsize=64)
def _window_matrix(size: int, edge: Literal["valid", "replicate"], device: torch.device) -> Banded:
    """The Gaussian window along an axis of `size` pixels: `size` − 10 rows for valid, else `size`."""
    reach = _WINDOW // 2
    window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / _SIGMA) ** 2)
    window /= window.sum()
    centres = np.arange(reach, size - reach) if edge == "valid" else np.arange(size)
    columns = np.clip(centres[:, None] + np.arange(-reach, reach + 1), 0, size - 1)
    matrix = np.zeros((len(centres), size))
    np.add.at(matrix, (np.arange(len(centres))[:, None], columns), window)
    return cut_into_blocks(matrix, device)
