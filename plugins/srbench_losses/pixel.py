"""Losses of one pixel at a time, on `sr` and `hr` of equal shape `(N, C, H, W)`; 0 or `eps` is perfect."""

import math
from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

from torch import Tensor

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]

Reduction: TypeAlias = Literal["mean", "sum"]
"""`mean` over everything; or `sum` over planes and pixels of a picture, and the mean over the batch, which
makes the gradient, and so the learning rate that suits it, depend on the area of a patch."""


def charbonnier(eps: float = 1e-3, reduction: Reduction = "mean") -> Loss:
    """√(d² + eps²): the absolute difference, rounded off where it is below about `eps`.

    Args:
        eps: in units of the [0, 1] range; the loss of a perfect pixel.
        reduction: see `Reduction`.

    Raises:
        ValueError: `eps` is not a finite number of at least 1e-15, or `reduction` is neither of the two.

    Source: Charbonnier et al. 1994, doi:10.1109/ICIP.1994.413553; eps 1e-3 and the sum as in LapSRN
    (Lai et al. 2017).
    """
    # The square must be a float32 above 0: with a zero under the root the gradient of equal pixels is NaN.
    if not 1e-15 <= eps < math.inf:
        raise ValueError(f"charbonnier needs a positive, finite eps (at least 1e-15), not {eps}")
    return _loss(lambda difference: (difference.square() + eps * eps).sqrt(), reduction)


def l1(reduction: Reduction = "mean") -> Loss:
    """The absolute difference; its gradient is 0 where the two are equal.

    Raises:
        ValueError: `reduction` is neither of the two.
    """
    return _loss(lambda difference: difference.abs(), reduction)


def l2(reduction: Reduction = "mean") -> Loss:
    """The squared difference, without a factor ½.

    Raises:
        ValueError: `reduction` is neither of the two.
    """
    return _loss(lambda difference: difference.square(), reduction)


def _loss(of_pixel: Callable[[Tensor], Tensor], reduction: Reduction) -> Loss:
    if reduction not in get_args(Reduction):
        raise ValueError(f"reduction is 'mean' or 'sum', not {reduction!r}")

    def loss(sr: Tensor, hr: Tensor) -> Tensor:
        check_same_shape(sr, hr)
        pixels = of_pixel(sr - hr)
        return pixels.mean() if reduction == "mean" else pixels.sum() / len(sr)

    return loss


def check_same_shape(sr: Tensor, hr: Tensor) -> None:
    """Raise ValueError where shapes differ: one plane would be taken against three without a word."""
    if sr.shape != hr.shape:
        raise ValueError(f"SR {tuple(sr.shape)} and HR {tuple(hr.shape)} differ in shape")
