"""Blur kernels: float64 arrays with odd sides that sum to 1 and are the same turned by 180°."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import j1

Kernel = NDArray[np.float64]


def gaussian(size: int, sigma_x: float, sigma_y: float, angle: float, beta: float = 1.0) -> Kernel:
    """A Gaussian, or with another `beta` the generalised one: exp(−½ q^beta), q the squared distance in σ.

    Args:
        size: side, odd.
        sigma_x: standard deviation along the first axis, in pixels.
        sigma_y: along the second.
        angle: of the first axis, in radians.
        beta: 1 is the normal distribution; below, its tails are heavier, above, its top is flatter.

    Source: Pascal et al. 2013, arXiv:1302.6498, as in Wang et al. 2021, arXiv:2107.10833, section 3.1.
    """
    return _summing_to_one(np.exp(-0.5 * _distance(size, sigma_x, sigma_y, angle) ** beta))


def plateau(size: int, sigma_x: float, sigma_y: float, angle: float, beta: float) -> Kernel:
    """1 / (1 + q^beta), flat about its centre; arguments as for `gaussian`.

    Source: Wang et al. 2021, arXiv:2107.10833, section 3.1.
    """
    return _summing_to_one(1 / (1 + _distance(size, sigma_x, sigma_y, angle) ** beta))


def sinc(size: int, cutoff: float) -> Kernel:
    """The circular low-pass filter, which rings: cutoff · J1(cutoff · r) / (2π r).

    Args:
        size: side, odd.
        cutoff: the highest frequency it lets through, in radians a pixel; at most π.

    Source: Wang et al. 2021, arXiv:2107.10833, equation 6.
    """
    axis = np.arange(size) - size // 2
    radius = np.hypot(axis[:, None], axis[None, :])
    radius[size // 2, size // 2] = 1
    kernel = cutoff * j1(cutoff * radius) / (2 * math.pi * radius)
    kernel[size // 2, size // 2] = cutoff**2 / (4 * math.pi)
    return _summing_to_one(kernel)


def _distance(size: int, sigma_x: float, sigma_y: float, angle: float) -> Kernel:
    axis = np.arange(size) - size // 2
    y, x = axis[:, None], axis[None, :]
    along = (math.cos(angle) * x + math.sin(angle) * y) / sigma_x
    across = (math.cos(angle) * y - math.sin(angle) * x) / sigma_y
    distance: Kernel = along**2 + across**2
    return distance


def _summing_to_one(kernel: Kernel) -> Kernel:
    scaled: Kernel = kernel / kernel.sum()
    return scaled
