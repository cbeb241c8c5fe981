"""The second-order degradation of Real-ESRGAN: blur, resize, noise and JPEG, twice, and ringing.

Source: Wang et al. 2021, arXiv:2107.10833; probabilities and ranges as in the authors' published training
configuration for ×4 (xinntao/Real-ESRGAN, options/train_realesrgan_x4plus.yml), kernel sizes and cutoffs as
their data loader draws them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from srbench_degradations.draws import Draws, one_by_one
from srbench_degradations.kernels import Kernel, gaussian, plateau, sinc
from srbench_degradations.steps import (
    Interpolation,
    blurred,
    gaussian_noise,
    jpeg,
    poisson_noise,
    resized,
    rounded,
)

SIZES = (7, 9, 11, 13, 15, 17, 19, 21)
"""Of kernels."""

SHAPES = {
    ("gaussian", "iso"): 0.45,
    ("gaussian", "aniso"): 0.25,
    ("generalised", "iso"): 0.12,
    ("generalised", "aniso"): 0.03,
    ("plateau", "iso"): 0.12,
    ("plateau", "aniso"): 0.03,
}
"""Kernel that is no sinc → how often."""

BETA = {"generalised": (0.5, 4.0), "plateau": (1.0, 2.0)}
"""Range of the shape; half of the draws are below 1, half above."""

SINC = 0.1
"""How often a blur is a sinc filter."""

SINC_AT_THE_END = 0.8
"""How often the last filter, a sinc, is there."""

GREY = 0.4
"""How often noise is the same in all planes."""

GAUSSIAN = 0.5
"""How often noise is Gaussian; else it is Poisson's."""

QUALITY = range(30, 96)
"""Of JPEG."""

INTERPOLATIONS: tuple[Interpolation, ...] = ("area", "bilinear", "bicubic")


@dataclass(frozen=True)
class Round:
    """What differs between the two rounds; ranges are uniform.

    Args:
        blur: how often there is a blur.
        sigma: of kernels, in pixels.
        directions: how often the picture grows, shrinks, or stays as it is.
        factors: the least and the greatest of the resize.
        noise: σ of Gaussian noise, in grey levels.
        poisson: strength of Poisson noise.
    """

    blur: float
    sigma: tuple[float, float]
    directions: tuple[float, float, float]
    factors: tuple[float, float]
    noise: tuple[float, float]
    poisson: tuple[float, float]


FIRST = Round(1.0, (0.2, 3.0), (0.2, 0.7, 0.1), (0.15, 1.5), (1, 30), (0.05, 3.0))
SECOND = Round(0.8, (0.2, 1.5), (0.3, 0.4, 0.3), (0.3, 1.2), (1, 25), (0.05, 2.5))


def realesrgan(seed: int = 0) -> Callable[..., Tensor]:
    """LR as Real-ESRGAN is trained on, everything drawn anew for each picture.

    Args:
        seed: another one draws everything anew, in training and for the pictures that are scored.

    Differs from the authors' program: HR is not sharpened; JPEG is libjpeg's, with whole qualities; the
    resize is drawn for each picture, where theirs is one a batch (and mixed by a pool).
    """

    def degrade(hr: Tensor, scale: int, draws: Draws) -> Tensor:
        height, width = hr.shape[-2:]
        x = blurred(hr, _kernel(draws, FIRST.sigma))
        factor = _factor(draws, FIRST)
        x = resized(x, int(height * factor), int(width * factor), draws.one_of(INTERPOLATIONS))
        x = jpeg(_noisy(x, draws, FIRST), draws.one_of(QUALITY))

        if draws.chance(SECOND.blur):
            x = blurred(x, _kernel(draws, SECOND.sigma))
        factor = _factor(draws, SECOND) / scale
        x = resized(x, int(height * factor), int(width * factor), draws.one_of(INTERPOLATIONS))
        x = _noisy(x, draws, SECOND)

        if draws.chance(0.5):
            return rounded(jpeg(_ending(x, height // scale, width // scale, draws), draws.one_of(QUALITY)))
        return rounded(_ending(jpeg(x, draws.one_of(QUALITY)), height // scale, width // scale, draws))

    return one_by_one(degrade, seed)


def margin(scale: int) -> int:
    """HR pixels that the first filter reaches at full size, and the last one at LR's.

    What lies between works at a size that is drawn; what it sees beyond the margin is mirrored.
    """
    reach = SIZES[-1] // 2
    return reach + reach * scale


def _kernel(draws: Draws, sigma: tuple[float, float]) -> Kernel:
    size = draws.one_of(SIZES)
    if draws.chance(SINC):
        return sinc(size, draws.uniform(math.pi / 3 if size < 13 else math.pi / 5, math.pi))
    shape, axes = draws.one_of(list(SHAPES), list(SHAPES.values()))
    sigma_x = sigma_y = draws.uniform(*sigma)
    angle = 0.0
    if axes == "aniso":
        sigma_y, angle = draws.uniform(*sigma), draws.uniform(-math.pi, math.pi)
    if shape == "gaussian":
        return gaussian(size, sigma_x, sigma_y, angle)
    low, high = BETA[shape]
    beta = draws.uniform(low, 1) if draws.chance(0.5) else draws.uniform(1, high)
    return (gaussian if shape == "generalised" else plateau)(size, sigma_x, sigma_y, angle, beta)


def _factor(draws: Draws, of: Round) -> float:
    direction = draws.one_of(("up", "down", "keep"), of.directions)
    if direction == "keep":
        return 1.0
    return draws.uniform(1, of.factors[1]) if direction == "up" else draws.uniform(of.factors[0], 1)


def _noisy(x: Tensor, draws: Draws, of: Round) -> Tensor:
    is_gaussian, grey = draws.chance(GAUSSIAN), draws.chance(GREY)
    generator = draws.generator(x.device)
    if is_gaussian:
        return gaussian_noise(x, draws.uniform(*of.noise), generator, grey=grey).clamp(0, 1)
    return poisson_noise(x, draws.uniform(*of.poisson), generator, grey=grey).clamp(0, 1)


def _ending(x: Tensor, height: int, width: int, draws: Draws) -> Tensor:
    """LR's own size, and the ringing of a sinc filter."""
    x = resized(x, height, width, draws.one_of(INTERPOLATIONS))
    if not draws.chance(SINC_AT_THE_END):
        return x
    return blurred(x, sinc(draws.one_of(SIZES), draws.uniform(math.pi / 3, math.pi)))
