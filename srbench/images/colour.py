"""RGB ↔ YCbCr by ITU-R BT.601 in studio range, as MATLAB's rgb2ycbcr and ycbcr2rgb."""

import numpy as np
import torch
from torch import Tensor

# Rows Y, Cb, Cr; columns R, G, B; for values in [0, 1], in 255ths. Source: ITU-R BT.601, MATLAB's rgb2ycbcr.
_FORWARD = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
_OFFSET = np.array([16.0, 128.0, 128.0]) / 255
_INVERSE = np.linalg.inv(_FORWARD)


def rgb_to_y(rgb: Tensor) -> Tensor:
    """Luma of an RGB picture, black at 16/255 and white at 235/255.

    Args:
        rgb: (N, 3, H, W) in [0, 1], floating point.

    Returns:
        (N, 1, H, W), the dtype of `rgb`.

    Raises:
        ValueError: `rgb` has another shape.
    """
    _check_three_planes(rgb, "RGB")
    return _weigh(rgb, _FORWARD[0], _OFFSET[0])


def rgb_to_ycbcr(rgb: Tensor) -> Tensor:
    """Luma and chroma; luma in [16, 235] / 255, chroma in [16, 240] / 255 with grey at 128/255.

    Args:
        rgb: (N, 3, H, W) in [0, 1], floating point.

    Returns:
        (N, 3, H, W): Y, Cb, Cr; the dtype of `rgb`.

    Raises:
        ValueError: `rgb` has another shape.
    """
    _check_three_planes(rgb, "RGB")
    return torch.cat([_weigh(rgb, row, offset) for row, offset in zip(_FORWARD, _OFFSET, strict=True)], dim=1)


def ycbcr_to_rgb(ycbcr: Tensor) -> Tensor:
    """The exact inverse of `rgb_to_ycbcr`; differentiable and not clamped.

    Args:
        ycbcr: (N, 3, H, W): Y, Cb, Cr, floating point.

    Returns:
        (N, 3, H, W) RGB, the dtype of `ycbcr`; outside [0, 1] where no colour has these values.

    Raises:
        ValueError: `ycbcr` has another shape.
    """
    _check_three_planes(ycbcr, "YCbCr")
    return torch.cat([_weigh(ycbcr, row, -float(row @ _OFFSET)) for row in _INVERSE], dim=1)


def _weigh(x: Tensor, weights: np.ndarray, offset: float) -> Tensor:
    # Sums of products, not a matmul or convolution: those would round to bf16 or TF32 where training has
    # turned autocast or fast matmuls on.
    first, second, third = (float(weight) for weight in weights)
    return x[:, :1] * first + x[:, 1:2] * second + x[:, 2:] * third + float(offset)


def _check_three_planes(x: Tensor, what: str) -> None:
    if x.ndim != 4 or x.shape[1] != 3:
        raise ValueError(f"{what} is (N, 3, H, W), not {tuple(x.shape)}")
