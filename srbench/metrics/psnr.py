"""Peak signal-to-noise ratio."""

import torch
from torch import Tensor

from srbench.metrics.protocol import check_same_shape


def psnr(sr: Tensor, hr: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each plane, in decibels; higher is better.

    10·log10(1 / MSE), the mean over one plane. `protocol.prepare` has already rounded and cropped.

    Args:
        sr: model output, (N, C, H, W), floating point, in [0, 1].
        hr: ground truth, same shape and range.

    Returns:
        (N, C), float64, on the device of `sr`. `inf` for equal planes, NaN where `sr` is not finite.

    Raises:
        ValueError: the shapes differ or are not four-dimensional; the message shows both.

    Source: Huynh-Thu and Ghanbari 2008, doi:10.1049/el:20080522.
    """
    check_same_shape(sr, hr)
    # float64: a float32 mean strays up to 8e-6 dB, past the 1e-6 we promise against scikit-image.
    mse = (sr.double() - hr.double()).square().mean(dim=(2, 3))
    return torch.where(mse.isfinite(), -10 * mse.log10(), torch.nan)
