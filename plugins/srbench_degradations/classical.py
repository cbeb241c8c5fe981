"""The classical degradation: blur, reduce, add noise, and save as JPEG, in any order."""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from srbench.api import resize_bicubic
from srbench_degradations.draws import Draws, one_by_one
from srbench_degradations.kernels import gaussian
from srbench_degradations.steps import blurred, gaussian_noise, jpeg, rounded

STEPS = ("blur", "down", "noise", "jpeg")


def classical(
    kernel: Literal["gaussian", "aniso"] = "gaussian",
    sigma_min: float = 0.2,
    sigma_max: float | None = None,
    size: int = 15,
    resize: Literal["bicubic", "area", "direct"] = "bicubic",
    noise_min: float = 0.0,
    noise_max: float = 75.0,
    jpeg_min: int = 30,
    jpeg_max: int = 95,
    order: str = "blur-down-noise",
    seed: int = 0,
) -> Callable[..., Tensor]:
    """LR = (HR blurred, reduced) + noise; every range is uniform, and drawn anew for each picture.

    Args:
        kernel: `gaussian` is round; `aniso` has a σ along each of two axes, turned by any angle.
        sigma_min: least σ of the kernel in pixels.
        sigma_max: greatest; None: the scale, which gives 2, 3 and 4 as in the paper (`sigma_min`, where
            that is more).
        size: side of the kernel, odd.
        resize: `bicubic` is MATLAB's; `area` the mean of each square; `direct` takes every `scale`-th pixel.
        noise_min: least σ of the noise in grey levels.
        noise_max: greatest.
        jpeg_min: least JPEG quality.
        jpeg_max: greatest.
        order: which of `blur`, `down`, `noise` and `jpeg` are done, one after another, joined by hyphens.
        seed: another one draws everything anew, in training and for the pictures that are scored.

    Raises:
        ValueError: a range is empty or beyond what can be, or `order` is no order.

    Source: Zhang et al. 2018, arXiv:1712.06116 (SRMD), section 4.1: round kernels, 15×15, and noise.
    """
    steps = _steps(order)
    if size < 1 or size % 2 == 0:
        raise ValueError(f"size is odd and at least 1, not {size}")
    _check_range("sigma", sigma_min, sigma_max, above=1e-3, below=math.inf)
    _check_range("noise", noise_min, noise_max, above=0, below=math.inf)
    _check_range("jpeg", jpeg_min, jpeg_max, above=1, below=100)

    def degrade(hr: Tensor, scale: int, draws: Draws) -> Tensor:
        widest = max(scale, sigma_min) if sigma_max is None else sigma_max
        x = hr
        for step in steps:
            if step == "blur":
                sigma_x = sigma_y = draws.uniform(sigma_min, widest)
                angle = 0.0
                if kernel == "aniso":
                    sigma_y, angle = draws.uniform(sigma_min, widest), draws.uniform(0, math.pi)
                x = blurred(x, gaussian(size, sigma_x, sigma_y, angle))
            elif step == "down":
                x = _reduced(x, scale, resize)
            elif step == "noise":
                x = gaussian_noise(x, draws.uniform(noise_min, noise_max), draws.generator(x.device))
            else:
                x = jpeg(x, draws.one_of(range(jpeg_min, jpeg_max + 1)))
        return rounded(x)

    return one_by_one(degrade, seed)


def margin(scale: int, size: int, order: str) -> int:
    """HR pixels that kernel and bicubic reach. JPEG's blocks begin at the corner of what is cut."""
    steps = _steps(order)
    blur = size // 2 if "blur" in steps else 0
    after = "blur" in steps and steps.index("blur") > steps.index("down")
    return blur * (scale if after else 1) + 2 * scale


def _reduced(x: Tensor, scale: int, how: str) -> Tensor:
    if how == "direct":
        return x[..., ::scale, ::scale]
    if how == "area":
        return torch.nn.functional.avg_pool2d(x, scale)
    return resize_bicubic(x, x.shape[-2] // scale, x.shape[-1] // scale)


def _steps(order: str) -> list[str]:
    steps = [step.strip() for step in order.split("-")]
    if "down" not in steps or len(set(steps)) != len(steps) or not set(steps) <= set(STEPS):
        raise ValueError(
            f"order joins some of {', '.join(STEPS)} by hyphens, each once and down among them, not {order!r}"
        )
    return steps


def _check_range(name: str, low: float, high: float | None, above: float, below: float) -> None:
    if not above <= low < math.inf or (high is not None and not (low <= high <= below and high < math.inf)):
        most = " and finite" if below == math.inf else f" and at most {below}"
        raise ValueError(
            f"{name}_min is at least {above:g}, and {name}_max no less{most}, not {low:g} and {high}"
        )
