"""Whether SR still shows what LR shows: a measure that needs no HR."""

from torch import Tensor

from srbench.metrics.psnr import psnr


def lr_consistency(degraded: Tensor, lr: Tensor) -> Tensor:
    """PSNR of SR, degraded as HR was, against LR, in decibels; higher is better.

    Detail that lies above the Nyquist frequency of LR hardly moves it, whether it is recovered or invented;
    what contradicts LR (a tone, a moved edge, a structure that is not there) lowers it.

    Args:
        degraded: SR rounded to 8 bits and put through the run's degradation, (N, C, h, w), in [0, 1].
        lr: what SR was made from, same shape and range.

    Returns:
        (N, C), float64. `inf` for equal planes, NaN where `degraded` is not finite.

    Raises:
        ValueError: the shapes differ or are not four-dimensional.

    Source: Lugmayr et al. 2020, arXiv:2006.14200, as LR-PSNR.
    """
    return psnr(degraded, lr)
