"""A metric, called as scoring calls it, and pictures that are worse and worse: what its checks look at."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from srbench.components import Metric
from srbench.errors import MetricUnavailable, SrbenchError
from srbench.images.png import quantise, to_tensor
from srbench.images.resize import bicubic
from srbench.metrics.protocol import crop, planes_of, prepare
from srbench.parameters import called_with
from srbench.testing.asked import said
from srbench.testing.conformance import Fault, NotDemanded, Subject
from srbench.testing.photographs import enlarged, photographs

SCALE = 4
_BORDER = 4
_SIZES = ((72, 104), (104, 200), (288, 288))
"""With their border; the first for which a metric has an answer is used. NIQE wants two blocks of 96×96."""


@dataclass(frozen=True)
class Trial:
    """A metric with its settings.

    Args:
        component: as registered.
        function: what is called.
    """

    component: Metric
    function: Callable[..., Any]

    @property
    def is_joint(self) -> bool:
        """Whether it looks at RGB as one."""
        return self.component.planes == ("rgb",)

    def given(self, sr: Tensor, hr: Tensor) -> Mapping[str, Any]:
        """All that the metric may ask for, prepared as scoring prepares it.

        Args:
            sr, hr: (N, 3, H, W), sides multiples of `SCALE`; `hr` in [0, 1].
        """
        planes, degrade = self.component.planes, bicubic()
        first, second = prepare(sr, hr, planes, _BORDER)
        inside = _BORDER // SCALE
        degraded, lr = (
            crop(planes_of(one, planes), inside)
            for one in (degrade(quantise(sr), SCALE).float(), degrade(hr, SCALE))
        )
        return {"sr": first, "hr": second, "degraded": degraded, "lr": lr, "scale": SCALE}

    def outcome(self, given: Mapping[str, Any]) -> Any:
        """What it returns.

        Raises:
            Fault: it raises.
            NotDemanded: something that it needs is not to be had here.
        """
        try:
            with torch.no_grad():
                return self.function(**called_with(self.function, given))
        except MetricUnavailable as reason:
            raise NotDemanded(str(reason)) from reason
        except Exception as error:
            shape = tuple(given["sr"].shape)
            raise Fault(
                f"Given sr and hr {shape}, in [0, 1], it raised {said(error)}. Whatever it cannot answer is "
                "NaN: an exception ends the scoring of a run."
            ) from error

    def values(self, sr: Tensor, hr: Tensor) -> Tensor:
        """(N, planes), float64; planes is 1 for one that looks at RGB as one. Raises as `outcome` does."""
        return self.picked(self.outcome(self.given(sr, hr)), sr)

    def picked(self, outcome: Any, sr: Tensor) -> Tensor:
        """The metric's own part of what it returned for pictures, (N, planes), float64.

        Raises:
            Fault: it is not there, of another shape, or on another device.
        """
        number = len(sr)
        field = self.component.field
        if field and not hasattr(outcome, field):
            raise Fault(
                f"It is registered with field={field!r}, and returned {type(outcome).__name__} without such "
                "a field. Return a typing.NamedTuple that has it, or correct the registration."
            )
        scores = getattr(outcome, field) if field else outcome
        planes = len(self.component.planes)
        wanted = (number,) if self.is_joint else (number, planes)
        kind = "one for each picture" if self.is_joint else "one for each picture and plane"
        if not isinstance(scores, Tensor) or not scores.is_floating_point() or scores.shape != wanted:
            found = (
                f"{scores.dtype} {tuple(scores.shape)}"
                if isinstance(scores, Tensor)
                else type(scores).__name__
            )
            raise Fault(
                f"For {number} pictures of planes {', '.join(self.component.planes)} it gave {found}, and a "
                f"metric gives floating-point scores {wanted}, {kind}. Take means over height and width"
                + (", and over channels." if self.is_joint else " alone.")
            )
        if scores.device != sr.device:
            raise Fault(
                f"Its scores are on {scores.device}, and its pictures on {sr.device}. Make what it needs by "
                "device=sr.device, and leave the scores there."
            )
        return scores.double().reshape(number, -1)


def trial_of(subject: Subject) -> Trial:
    """The metric, where it can be computed.

    Raises:
        NotDemanded: something that it needs is not to be had here.
    """
    component: Metric = subject.component
    try:
        component.read_facts(subject.settings)
    except (MetricUnavailable, SrbenchError) as reason:
        raise NotDemanded(str(reason)) from reason
    return Trial(component, partial(component.build, **subject.settings))


def pictures_for(trial: Trial) -> Tensor:
    """HR, (2, 3, H, W), of the first size for which the metric has an answer.

    Raises:
        Fault: there is none.
    """
    for height, width in _SIZES:
        hr = photographs(height, width)[:2]
        if not trial.values(worse("noise", hr)[0], hr).isnan().any():
            return hr
    raise Fault(
        f"It gives NaN for photographs of {_SIZES[-1][1] - 2 * _BORDER}×{_SIZES[-1][0] - 2 * _BORDER} "
        "pixels, which test sets are made of. NaN is for pictures that have no answer."
    )


def worse(how: str, hr: Tensor) -> tuple[Tensor, Tensor]:
    """Two SR of HR, the second one worse than the first, by a way of `WAYS`."""
    first, second = WAYS[how]
    return first(hr), second(hr)


def _noisy(levels: float) -> Callable[[Tensor], Tensor]:
    def change(hr: Tensor) -> Tensor:
        noise = torch.randn(hr.shape, generator=torch.Generator().manual_seed(0))
        return hr + levels / 255 * noise

    return change


def _blurred(factor: int) -> Callable[[Tensor], Tensor]:
    return lambda hr: enlarged(hr, factor)[0]


def _misplaced(share: float) -> Callable[[Tensor], Tensor]:
    def change(hr: Tensor) -> Tensor:
        low = enlarged(hr, SCALE)[0]
        texture = hr - low
        return low + (1 - share) * texture + share * texture.roll((5, 7), (2, 3))

    return change


def _jpeg(quality: int) -> Callable[[Tensor], Tensor]:
    def one(hr: Tensor) -> Tensor:
        pixels = (quantise(hr) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=quality)
        with Image.open(file) as image:
            return to_tensor(np.array(image))

    return lambda hr: torch.cat([one(picture) for picture in hr])


WAYS: Mapping[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "noise": (_noisy(5), _noisy(20)),
    "blur": (_blurred(2), _blurred(4)),
    "misplaced texture": (_misplaced(0.3), _misplaced(0.9)),
    "JPEG": (_jpeg(70), _jpeg(15)),
}
"""How a picture gets worse → a little of it, and much."""
