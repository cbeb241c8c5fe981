"""Whether a run's patch suits its scale and its losses: said before anything runs."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

from srbench.components import Loss, Model
from srbench.errors import SizeError, SrbenchError, UsageError
from srbench.parameters import called_with
from srbench.predict import predicted_scales
from srbench.registry import registry
from srbench.spec import RunSpec
from srbench.types import networks_of

_LARGEST = 512
"""Side of a patch up to which one that suits is looked for."""


class _Refusal(NamedTuple):
    loss: str
    scale: int
    reason: str


def check_patch(spec: RunSpec) -> None:
    """Refuse a patch that has no whole LR size, or that a loss cannot work on at a scale the model predicts.

    Each loss is built and called once, on empty pictures of that size.

    Raises:
        UsageError: naming the loss, what it needs, and a patch that suits where there is one.
    """
    patch, scale = spec.patch, spec.scale
    if patch is None:
        return
    if patch % scale:
        raise UsageError(
            f"--patch {patch} is not a multiple of --scale {scale}, so its LR patch would have no whole "
            f"size. Take {patch // scale * scale or scale} or {(patch // scale + 1) * scale}."
        )
    scales = cache(lambda: _scales(spec))  # a network is built and asked only where its answer matters
    refusal = _refusal(spec, patch, scales)
    if refusal is None:
        return
    side = patch // scale * refusal.scale
    inner = f" at ×{refusal.scale} of ×{scale}" if refusal.scale < scale else ""
    larger = range(patch + scale, _LARGEST + 1, scale)
    suits = next((one for one in larger if _refusal(spec, one, scales) is None), None)
    advice = f"Take --patch {suits}." if suits else "Take another --patch, or other parameters of the loss."
    raise UsageError(
        f"Loss {refusal.loss!r} cannot work with --patch {patch}, which gives it pictures of {side}×{side} "
        f"pixels{inner}: {refusal.reason}. {advice}"
    )


def _refusal(spec: RunSpec, patch: int, scales: Callable[[], list[int]]) -> _Refusal | None:
    """The first loss that cannot work on a patch, at the largest scale where it cannot."""
    for term in spec.losses:
        loss: Loss = registry().find("loss", term.name)
        inner = range(spec.scale - 1, 1, -1) if loss.scales == "all" else ()
        for scale in (spec.scale, *(one for one in inner if spec.scale % one == 0)):
            reason = _reason(loss, term.params, spec, patch, scale)
            if reason is not None and (scale == spec.scale or scale in scales()):
                return _Refusal(loss.name, scale, reason)
    return None


def _reason(loss: Loss, params: Mapping[str, Any], spec: RunSpec, patch: int, scale: int) -> str | None:
    """What a new instance of a loss says of a patch at a scale; None: it can work on it."""
    import torch

    is_rgb = loss.domain == "rgb" or networks_of(spec.network_channels) == ("rgb",)
    planes, low = 3 if is_rgb else 1, patch // spec.scale
    # Two, where training has them: what normalises over a batch needs more than one.
    number = min(spec.batch or 1, 2)
    sr, lr = torch.zeros(number, planes, low * scale, low * scale), torch.zeros(number, planes, low, low)
    available = {"sr": sr, "hr": sr.clone(), "lr": lr, "scale": scale, "step": 0}
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        function = loss.make(**params)
        asked = function.forward if isinstance(function, torch.nn.Module) else function
        try:
            loss.check_value(function(**called_with(asked, available)), scale)
        except SizeError as error:
            return str(error)
        except SrbenchError:
            raise
        except Exception:
            return None  # a fault of the loss: training meets it, and tells of it with its trace
    return None


def _scales(spec: RunSpec) -> list[int]:
    """The scales that a run's networks predict."""
    import torch

    model: Model = registry().find("model", spec.model.name)
    plane = networks_of(spec.network_channels)[0]
    with torch.random.fork_rng(devices=[]):
        network = model.make(planes=3 if plane == "rgb" else 1, scale=spec.scale, **spec.model.params)
    return predicted_scales(
        {plane: network},
        spec.scale,
        model.padded_to(spec.model.params),
        torch.device("cpu"),
        model.title,
    )
