"""What is promised of degradations."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srbench.components import DegradationComponent
from srbench.errors import UsageError
from srbench.images.stochastic import Stochastic
from srbench.testing.asked import said
from srbench.testing.conformance import Fault, NotDemanded, Subject, promise
from srbench.testing.photographs import photographs

_SCALES = (2, 3, 4, 8)
_ROWS, _COLUMNS = 13, 11
"""Of LR: odd, and not the same."""

_OVERSHOOT = 0.3
"""How far beyond [0, 1] LR may be: what a bicubic filter makes of the hardest edges, and no more."""
_LEVEL = 1 / 255
_ALIKE = 1e-6

_SEEDS = (2**64 - 1, 1, 2**63 + 11, 2**33 + 7, 5, 2**62 + 3)
_PATCH = 24
"""Side of LR patches that margins are looked at with."""
_DRAWS = 16
_LEAKS = 3.0
"""Grey levels of 255, on average over draws: rounding, and noise that depends on all of the picture."""


@promise("degradation", "shape")
def shape(subject: Subject) -> None:
    """LR is HR's size over the scale, floating point, at every scale and odd sizes."""
    degrade = _built(subject)
    for scale in _SCALES:
        for dtype in (torch.float32, torch.float64):
            hr = photographs(_ROWS * scale, _COLUMNS * scale)[:2].to(dtype)
            lr = _lr(degrade, hr, scale)
            if lr.shape != (2, 3, _ROWS, _COLUMNS) or not lr.is_floating_point():
                raise Fault(
                    f"HR {tuple(hr.shape)} at ×{scale} became {lr.dtype} {tuple(lr.shape)}, and LR is "
                    f"floating point, (2, 3, {_ROWS}, {_COLUMNS}). Reduce height and width to exactly "
                    "1/scale, whatever the scale and however odd the sides."
                )


@promise("degradation", "range")
def value_range(subject: Subject) -> None:
    """LR is finite and lies in [0, 1], but for what a filter overshoots."""
    degrade = _built(subject)
    for what, hr in _pictures(4).items():
        lr = _lr(degrade, hr, 4)
        if not lr.isfinite().all():
            raise Fault(
                f"LR of {what} has values that are not finite. Look for a division by 0, or the root of what "
                "rounding made negative."
            )
        low, high = float(lr.min()), float(lr.max())
        if low < -_OVERSHOOT or high > 1 + _OVERSHOOT:
            raise Fault(
                f"LR of {what} reaches from {low:.3g} to {high:.3g}, and pictures are in [0, 1]. End with "
                ".clamp(0, 1), and divide 8-bit values by 255."
            )


@promise("degradation", "constant picture")
def constant_picture(subject: Subject) -> None:
    """A picture of one tone keeps it, up to its edges; demanded where there is no chance in it."""
    degrade = _deterministic(subject, "noise may move any tone")
    for level in (0, 100, 255):
        hr = torch.full((1, 3, 4 * _ROWS, 4 * _COLUMNS), level / 255)
        lr = _lr(degrade, hr, 4)
        off = float((lr - level / 255).abs().max())
        if off > _LEVEL:
            edge = lr[..., 2:-2, 2:-2]
            where = "at its edges" if float((edge - level / 255).abs().max()) <= _LEVEL else "everywhere"
            raise Fault(
                f"A picture that is {level}/255 throughout becomes up to {255 * off:.3g} levels another, "
                f"{where}. Kernels sum to 1, and edges are mirrored or repeated, not filled with black."
            )


@promise("degradation", "planes")
def planes(subject: Subject) -> None:
    """A picture of one plane is degraded too; demanded where there is no chance in it."""
    degrade = _deterministic(subject, "SR of one plane is never degraded by one that draws for RGB")
    hr = photographs(4 * _ROWS, 4 * _COLUMNS)[:1, :1]
    lr = _lr(degrade, hr, 4)
    if lr.shape != (1, 1, _ROWS, _COLUMNS):
        raise Fault(
            f"HR {tuple(hr.shape)} became {tuple(lr.shape)}. Networks may see one plane alone, and "
            "lr_consistency degrades what they give: keep as many planes as there are."
        )


@promise("degradation", "repeatable")
def repeatable(subject: Subject) -> None:
    """LR is a function of the picture, and of its seed where it has one: the same bits each time."""
    hr = photographs(4 * _ROWS, 4 * _COLUMNS)[:2]
    with torch.random.fork_rng(devices=[]):
        states = random.getstate(), np.random.get_state()
        try:
            one, other = _built(subject), _built(subject)
            first, *others = (_after(seed, degrade, hr) for seed, degrade in enumerate((one, one, other)))
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
    apart = sum(int((first != one).sum()) for one in others)
    if apart:
        by = "Draw all from the picture's seed"
        if not _is_stochastic(subject):
            by = "Where chance is meant, register it with stochastic=True and draw from the seeds it is given"
        raise Fault(
            f"{apart} of {len(others) * first.numel()} values of LR differ when the same pictures are "
            f"degraded again. {by}; use no generator of the process (torch's, numpy's or random's), and keep "
            "no state between calls."
        )


@promise("degradation", "batch")
def batch(subject: Subject) -> None:
    """LR of a picture does not depend on what is beside it: bit for bit, where there is chance in it."""
    degrade = _built(subject)
    hr = photographs(4 * _ROWS, 4 * _COLUMNS)
    together = _lr(degrade, hr, 4)
    alone = torch.cat([_lr(degrade, hr[n : n + 1], 4, _SEEDS[n : n + 1]) for n in range(len(hr))])
    off = float((together - alone).abs().max())
    if off > (0 if _is_stochastic(subject) else _ALIKE):
        raise Fault(
            f"LR of a picture differs by up to {255 * off:.3g} levels with what is beside it in the batch. "
            "Take no statistics over the first dimension, and draw for each picture from a generator made of "
            "its own seed. Where rounding alone depends on the size of a batch, degrade pictures one by one."
        )


@promise("degradation", "seeds")
def seeds(subject: Subject) -> None:
    """Another seed draws something else, where there is chance in it."""
    degrade = _stochastic(subject)
    hr = photographs(4 * _ROWS, 4 * _COLUMNS)[:1].expand(len(_SEEDS), -1, -1, -1).contiguous()
    lr = _lr(degrade, hr, 4)
    if all(torch.equal(one, lr[0]) for one in lr):
        raise Fault(
            f"One picture becomes the same LR by {len(_SEEDS)} seeds. Make a generator of each seed and draw "
            "from it; or register without stochastic=True what has no chance in it."
        )


@promise("degradation", "margin")
def margin(subject: Subject) -> None:
    """What lies beyond its margin around a patch has hardly any part in the patch's LR."""
    degrade = _stochastic(subject)
    for scale in (2, 4):
        reach = degrade.margin(scale)
        around, patch = reach + 4 * scale, _PATCH * scale
        hr = torch.full((1, 3, patch + 2 * around, patch + 2 * around), 0.5)
        hr[..., around:-around, around:-around] = photographs(patch, patch)[:1]
        outside = torch.ones_like(hr, dtype=torch.bool)
        near = slice(around - reach, around + patch + reach)
        outside[..., near, near] = False
        leaks = []
        for seed in range(_DRAWS):
            black, white = (
                _lr(degrade, torch.where(outside, tone, hr), scale, (seed,)) for tone in (0.0, 1.0)
            )
            inside = around // scale
            difference = (white - black)[..., inside:-inside, inside:-inside]
            ring = torch.ones(difference.shape[-2:], dtype=torch.bool)
            ring[1:-1, 1:-1] = False
            leaks.append(float(difference[..., ring].mean()))
        leak = 255 * sum(leaks) / len(leaks)
        if abs(leak) > _LEAKS:
            raise Fault(
                f"At ×{scale} it declares a margin of {reach} HR pixels, and LR at the edge of a patch moves "
                f"by {leak:.3g} grey levels on average when what lies beyond turns from black to white. "
                "Declare how far its filters reach together: half a kernel at HR's size, and half of one at "
                "LR's times the scale."
            )


@promise("degradation", "inputs")
def inputs(subject: Subject) -> None:
    """It leaves HR as it was."""
    degrade = _built(subject)
    hr = photographs(4 * _ROWS, 4 * _COLUMNS)
    before = hr.clone()
    _lr(degrade, hr, 4)
    if not torch.equal(hr, before):
        raise Fault(
            "It changes HR in place, which the network is then compared with. Use operations without a "
            "trailing underscore, or hr.clone() first."
        )


Degrade = Callable[[Tensor, int], Tensor] | Stochastic


def _built(subject: Subject) -> Any:
    component: DegradationComponent = subject.component
    try:
        return component.make(**subject.settings)
    except UsageError as error:
        raise Fault(str(error)) from error
    except Exception as error:
        raise Fault(
            f"Its builder raised {said(error)}. A builder raises ValueError where it refuses a setting."
        ) from error


def _is_stochastic(subject: Subject) -> bool:
    return bool(subject.component.stochastic)


def _deterministic(subject: Subject, why: str) -> Any:
    if _is_stochastic(subject):
        raise NotDemanded(f"There is chance in it: {why}.")
    return _built(subject)


def _stochastic(subject: Subject) -> Stochastic:
    if not _is_stochastic(subject):
        raise NotDemanded("There is no chance in it.")
    degrade: Stochastic = _built(subject)
    return degrade


def _lr(degrade: Degrade, hr: Tensor, scale: int, numbers: Sequence[int] = _SEEDS) -> Tensor:
    """LR of pictures, each by its own number where there is chance in it."""
    try:
        if isinstance(degrade, Stochastic):
            given: NDArray[np.uint64] = np.array(numbers[: len(hr)], dtype=np.uint64)
            return degrade.function(hr, scale, seeds=given)
        return degrade(hr, scale)
    except Exception as error:
        takes = "(hr, scale, seeds)" if isinstance(degrade, Stochastic) else "(hr, scale)"
        raise Fault(
            f"Given hr {tuple(hr.shape)} of {hr.dtype} and scale {scale}, it raised {said(error)}. What a "
            f"builder returns takes {takes}, with sides that are multiples of the scale, whatever that is."
        ) from error


def _after(seed: int, degrade: Degrade, hr: Tensor) -> Tensor:
    """LR with all generators of the process at some place."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    return _lr(degrade, hr, 4)


def _pictures(scale: int) -> dict[str, Tensor]:
    height, width = _ROWS * scale, _COLUMNS * scale
    black = torch.zeros(2, 3, height, width)
    edges = black.clone()
    edges[..., width // 2 :] = 1
    return {
        "photographs": photographs(height, width)[:2],
        "black": black,
        "white": torch.ones_like(black),
        "an edge from black to white": edges,
        "noise": torch.rand(black.shape, generator=torch.Generator().manual_seed(0)).round(),
    }
