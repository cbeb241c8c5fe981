"""Losses that ask for edges and texture, on `sr` and `hr` of equal shape `(N, C, H, W)`; 0 is perfect.

A pixel loss is content with an average wherever LR leaves doubt. These look at frequencies, and stand beside
a pixel loss (`charbonnier+0.1*gradient`). What each asks of high frequencies, `srbench probe` shows.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from srbench.api import SizeError
from srbench_losses.pixel import Loss, check_same_shape


def gradient() -> Loss:
    """L1 of the differences between neighbouring pixels, along height and along width.

    mean |∂y(sr − hr)| + mean |∂x(sr − hr)|, forward differences. A constant offset costs nothing, so it
    needs a pixel loss beside it. A single row or column has no difference along that axis: it adds 0.

    Source: Mathieu et al. 2016, arXiv:1511.05440, equation 6 with α = 1, without its inner absolute values.
    """

    def loss(sr: Tensor, hr: Tensor) -> Tensor:
        check_same_shape(sr, hr)
        error = sr - hr
        return _mean(error.diff(dim=-2).abs()) + _mean(error.diff(dim=-1).abs())

    return loss


def _mean(values: Tensor) -> Tensor:
    """The mean; 0 of nothing, where torch says NaN."""
    return values.mean() if values.numel() else values.sum()


def ffl(alpha: float = 1.0, patch_factor: int = 1) -> Loss:
    """Focal frequency loss: squared error of the spectrum, the frequencies that are worst weighing most.

    mean w · |F(sr) − F(hr)|², F the orthonormal 2-D Fourier transform of each plane; the weight w, which is
    |F(sr) − F(hr)|^α divided by its largest value in the plane, is no part of the gradient.

    Args:
        alpha: how much the worst frequencies are favoured; 0 is the plain squared error. From 0.
        patch_factor: cut pictures into so many pieces along each axis first; from 1.

    Raises:
        ValueError: an argument is out of range.
        SizeError: a picture cannot be cut evenly.

    Source: Jiang et al. 2021, arXiv:2012.12821, equations 6 to 8, and their settings.
    """
    if not 0 <= alpha < math.inf or patch_factor < 1:
        raise ValueError(f"ffl needs alpha from 0 and patch_factor from 1, not {alpha} and {patch_factor}")

    def loss(sr: Tensor, hr: Tensor) -> Tensor:
        check_same_shape(sr, hr)
        height, width = sr.shape[-2:]
        if height % patch_factor or width % patch_factor:
            raise SizeError(
                f"ffl with patch_factor={patch_factor} needs sides that are multiples of {patch_factor}, "
                f"not {width}×{height} pixels"
            )
        error = (sr - hr).to(torch.promote_types(sr.dtype, torch.float32))
        parts = (*error.shape[:-2], patch_factor, height // patch_factor, patch_factor, width // patch_factor)
        pieces = error.reshape(parts).transpose(-3, -2)
        spectrum = torch.fft.fft2(pieces, norm="ortho")
        squared = spectrum.real.square() + spectrum.imag.square()
        with torch.no_grad():
            # Divided before the power, since a large alpha would have nothing but zeros left to divide.
            # Equal pictures: 0 / 0 is no weight at all.
            relative = squared / squared.amax(dim=(-2, -1), keepdim=True)
            weight = relative.nan_to_num(0).pow(alpha / 2)
        focal: Tensor = weight * squared
        return focal.mean()

    return loss


def laplacian(levels: int = 3) -> Loss:
    """L1 of the Laplacian pyramid: what lies in each octave counts the same.

    Σⱼ mean |Lⱼ(sr) − Lⱼ(hr)| over `levels` band-pass pictures and what is left below them. Since level j has
    4⁻ʲ of the pixels, these are weights of 2²ʲ on sums over pixels, as in the source. Burt and Adelson's
    kernel [1 4 6 4 1] / 16, edges repeated.

    Args:
        levels: octaves, from 1.

    Raises:
        ValueError: `levels` is below 1.
        SizeError: a picture is smaller than 2^levels pixels a side.

    Source: Bojanowski et al. 2018, arXiv:1707.05776, equation 2; Burt and Adelson 1983,
    doi:10.1109/TCOM.1983.1095851.
    """
    if levels < 1:
        raise ValueError(f"laplacian needs at least 1 level, not {levels}")

    def loss(sr: Tensor, hr: Tensor) -> Tensor:
        check_same_shape(sr, hr)
        height, width = sr.shape[-2:]
        if min(height, width) < 2**levels:
            raise SizeError(
                f"laplacian with levels={levels} needs at least {2**levels} pixels a side, "
                f"not {width}×{height}"
            )
        # The pyramid is linear: that of the difference is the difference of the two.
        left = (sr - hr).flatten(0, 1)[:, None]
        total = sr.new_zeros(())
        for _ in range(levels):
            smaller = _blurred(left)[..., ::2, ::2]
            total = total + (left - _enlarged(smaller, left)).abs().mean()
            left = smaller
        return total + left.abs().mean()

    return loss


def _blurred(planes: Tensor) -> Tensor:
    """(N, 1, H, W) under Burt and Adelson's kernel, edges repeated."""
    tap = planes.new_tensor([1, 4, 6, 4, 1]) / 16
    return F.conv2d(F.pad(planes, (2, 2, 2, 2), mode="replicate"), (tap[:, None] * tap)[None, None])


def _enlarged(planes: Tensor, like: Tensor) -> Tensor:
    """Every second pixel of `like` from `planes`, the others between them."""
    sparse, mask = torch.zeros_like(like), torch.zeros_like(like[:1])
    sparse[..., ::2, ::2], mask[..., ::2, ::2] = planes, 1
    return _blurred(sparse) / _blurred(mask)
