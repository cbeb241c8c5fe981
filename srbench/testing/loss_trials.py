"""A loss, built and called as training does: what its checks look at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from srbench.components import Loss
from srbench.errors import MetricUnavailable, SizeError, UsageError
from srbench.parameters import called_with
from srbench.testing.asked import said
from srbench.testing.conformance import Fault, NotDemanded, Subject
from srbench.testing.photographs import enlarged, photographs
from srbench.train.losses import BoundLoss

SCALES = (2, 3, 4, 8)
LATER = 1_000_000
"""A step at which a loss that starts late has started."""

_SIDES = range(24, 241, 24)
"""Of HR patches, multiples of every scale; the first that a loss takes is used."""


@dataclass(frozen=True)
class Patches:
    """What a loss is called with."""

    sr: Tensor
    hr: Tensor
    lr: Tensor
    scale: int
    step: int = 0

    @property
    def available(self) -> Mapping[str, Any]:
        """What a loss may ask for, by name."""
        return {"sr": self.sr, "hr": self.hr, "lr": self.lr, "scale": self.scale, "step": self.step}

    def __str__(self) -> str:
        return f"sr and hr {tuple(self.sr.shape)} at ×{self.scale}, step {self.step:,}"


def built(subject: Subject) -> BoundLoss:
    """The loss, from the same random numbers at every call.

    Raises:
        Fault: the builder refuses or fails.
        NotDemanded: something that it needs is not to be had here.
    """
    component: Loss = subject.component
    try:
        component.read_facts(subject.settings)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            function = component.make(**subject.settings)
    except MetricUnavailable as reason:
        raise NotDemanded(str(reason)) from reason
    except UsageError as error:
        if isinstance(error.__cause__, MetricUnavailable):
            raise NotDemanded(str(error.__cause__)) from error
        raise Fault(str(error)) from error
    except Exception as error:
        raise Fault(
            f"Its builder raised {said(error)}. A builder raises ValueError where it refuses a setting, and "
            "MetricUnavailable where something is not to be had on this machine."
        ) from error
    if not callable(function):
        raise Fault(
            f"Its builder returned {type(function).__name__}, which cannot be called. What is registered is "
            "a builder: it takes the settings, and returns the function that takes sr and hr."
        )
    return BoundLoss("0", component.name, 1.0, component, function)


def asked(function: Callable[..., Any]) -> Callable[..., Any]:
    """What is asked for its arguments' names."""
    return function.forward if isinstance(function, nn.Module) else function


def planes_of(bound: BoundLoss) -> tuple[int, ...]:
    """How many planes its pictures may have."""
    return (1, 3) if bound.component.domain == "plane" else (3,)


def patches_of(planes: int, scale: int, side: int) -> Patches:
    """Two photographs, and what an unfinished network may make of them.

    Args:
        planes: 1 or 3.
        scale: factor.
        side: of HR in pixels, a multiple of `scale`.
    """
    hr = photographs(side, side)[:2, :planes]
    sr, lr = enlarged(hr, scale, noise=0.03)
    return Patches(sr, hr, lr, scale)


def side_of(bound: BoundLoss, planes: int) -> int:
    """The first side of patches that the loss takes."""
    refused = ""
    for side in _SIDES:
        try:
            with torch.no_grad():
                call(bound.function, patches_of(planes, 4, side))
        except SizeError as error:
            refused = str(error)
        except Exception:
            return side  # a fault, which the call that is looked at tells of
        else:
            return side
    raise NotDemanded(
        f"It takes none of the patches of {_SIDES[0]} to {_SIDES[-1]} pixels a side: {refused}."
    )


def awake(bound: BoundLoss, planes: int) -> Patches:
    """Patches at a step at which the loss has begun to count."""
    patches = patches_of(planes, 4, side_of(bound, planes))
    later = replace(patches, step=LATER)
    return patches if gradient_of(bound, patches) is not None or gradient_of(bound, later) is None else later


def call(function: Callable[..., Any], patches: Patches) -> Any:
    """Whatever it gives for patches."""
    return function(**called_with(asked(function), patches.available))


def number(bound: BoundLoss, patches: Patches, what: str = "") -> Tensor:
    """The loss of patches.

    Raises:
        Fault: it is no finite number, or there is none.
        NotDemanded: something that it needs is not to be had here.
    """
    try:
        value = call(bound.function, patches)
    except MetricUnavailable as reason:
        raise NotDemanded(str(reason)) from reason
    except Exception as error:
        raise Fault(
            f"Given {what + ', ' if what else ''}{patches}, it raised {said(error)}. A loss takes "
            "(N, C, H, W) in float32 with as many planes as its domain says"
            + (": 1 or 3." if bound.component.domain == "plane" else ": 3.")
        ) from error
    check_number(value, f"{what + ', ' if what else ''}{patches}")
    number: Tensor = value
    return number


def check_number(value: object, given: str) -> None:
    """Raise Fault unless a value is one finite number through which a gradient may go."""
    if not isinstance(value, Tensor):
        raise Fault(
            f"For {given} it gave {type(value).__name__}, through which no gradient goes. Return a tensor: "
            "the mean of what is computed, without .item() or float()."
        )
    if value.ndim or not value.is_floating_point():
        raise Fault(
            f"For {given} it gave a tensor {tuple(value.shape)} of {value.dtype}, and a loss is one number. "
            "Reduce it: .mean() over pictures, planes and pixels."
        )
    if not value.isfinite():
        raise Fault(
            f"For {given} it gave {float(value)}, which ends a run. Look for a division by 0, the logarithm "
            "of 0 or the exponential of a large number, and bound what goes in."
        )


def gradient_of(bound: BoundLoss, patches: Patches, what: str = "") -> Tensor | None:
    """What reaches SR while critics are frozen, as they are when networks are trained; None: nothing does."""
    critics = list(bound.critic.values())
    sr = patches.sr.detach().clone().requires_grad_()
    for parameter in critics:
        parameter.requires_grad_(False)
    try:
        value = number(bound, replace(patches, sr=sr), what)
    finally:
        for parameter in critics:
            parameter.requires_grad_(True)
    if not value.requires_grad:
        return None
    return torch.autograd.grad(value, sr, allow_unused=True)[0]


def critic_value(bound: BoundLoss, patches: Patches) -> Tensor | None:
    """What the critic is trained by, at that step or later; None: it rests, or there is none."""
    if not bound.critic:
        return None
    for step in (patches.step, LATER):
        given = f"critic_loss of {replace(patches, step=step)}"
        try:
            value = bound.critic_loss(
                {patches.scale: patches.sr}, {patches.scale: patches.hr}, patches.lr, patches.scale, step
            )
        except Exception as error:
            raise Fault(f"The {given} raised {said(error)}. It asks by name as forward does.") from error
        if value is not None:
            check_number(value, given)
            return value
    return None
