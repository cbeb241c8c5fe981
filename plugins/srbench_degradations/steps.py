"""The steps that degradations are made of, each on one picture (1, 3, H, W), floating point."""

import io
import math
from typing import Literal, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.fft import next_fast_len
from torch import Tensor

from srbench_degradations.kernels import Kernel

Interpolation: TypeAlias = Literal["area", "bilinear", "bicubic"]


def blurred(x: Tensor, kernel: Kernel) -> Tensor:
    """`x` filtered by a kernel, with mirrored edges.

    By Fourier transforms: kernels of 21×21 take a third of the time of a convolution on a CPU, and float64,
    which convolutions are slow in, takes no more than twice that.
    """
    radius = len(kernel) // 2
    height, width = x.shape[-2:]
    padded = x[..., _mirrored(height, radius, x.device), :][..., _mirrored(width, radius, x.device)]
    size = [next_fast_len(side, real=True) for side in padded.shape[-2:]]
    response = torch.fft.rfft2(torch.from_numpy(kernel).to(x.device, x.dtype), s=size)
    whole: Tensor = torch.fft.irfft2(torch.fft.rfft2(padded, s=size) * response, s=size)
    return whole[..., 2 * radius : 2 * radius + height, 2 * radius : 2 * radius + width]


def resized(x: Tensor, height: int, width: int, how: Interpolation) -> Tensor:
    """`x` in another size: `area` averages; the others see the nearest pixels alone, also when shrinking."""
    aligned = {} if how == "area" else {"align_corners": False}
    return F.interpolate(x, (max(height, 1), max(width, 1)), mode=how, **aligned)


def gaussian_noise(x: Tensor, sigma: float, generator: torch.Generator, *, grey: bool = False) -> Tensor:
    """`x` with normal noise of `sigma` grey levels; `grey`: the same in all planes."""
    shape = (1, 1 if grey else x.shape[1], *x.shape[-2:])
    noise = torch.randn(shape, generator=generator, device=x.device, dtype=x.dtype)
    return x + sigma / 255 * noise


def poisson_noise(x: Tensor, strength: float, generator: torch.Generator, *, grey: bool = False) -> Tensor:
    """`x` with `strength` times the noise of counting photons, of which white has as many as `x` has levels.

    Levels are counted in 8 bits and their number is raised to a power of two. `grey`: the noise of BT.601
    luma in full range, in all planes.

    Source: Wang et al. 2021, arXiv:2107.10833, section 3.1, in the form of scikit-image's `random_noise`.
    """
    seen = x
    if grey:
        seen = (x * x.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    seen = rounded(seen)
    levels = int(torch.bincount((seen * 255).round().long().flatten()).count_nonzero())
    photons = 2.0 ** math.ceil(math.log2(levels))
    return x + strength * (torch.poisson(seen * photons, generator=generator) / photons - seen)


def jpeg(x: Tensor, quality: int) -> Tensor:
    """`x` in 8 bits as Pillow saves it as a JPEG file and reads it again, with chroma at half size."""
    pixels = (x[0].clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        decoded = torch.from_numpy(np.array(image)).to(x.device)
    return decoded.permute(2, 0, 1)[None].to(x.dtype) / 255


def rounded(x: Tensor) -> Tensor:
    """`x` as an 8-bit file would keep it."""
    return (x.clamp(0, 1) * 255).round() / 255


def _mirrored(side: int, margin: int, device: torch.device) -> Tensor:
    """Where the pixels of an axis and of its margins come from; the edge pixel is mirrored too."""
    index = torch.arange(-margin, side + margin, device=device) % (2 * side)
    return torch.minimum(index, 2 * side - 1 - index)
