"""The losses of a run, bound to what they look at: one instance a network, or one for the RGB picture."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from srbench.parameters import called_with
from srbench.registry import Loss, registry
from srbench.spec import LossSpec
from srbench.train.sampling import seed_of
from srbench.types import Plane

if TYPE_CHECKING:
    from srbench.types import Prediction

RGB_LOSSES: Plane = "rgb"


@dataclass(frozen=True)
class BoundLoss:
    """One term of the sum, for one network or for the recomposed picture.

    Args:
        key: unique in the run and stable: number of the term and what it looks at (`0.r`).
        weight: its factor in the sum.
        component: what the plugin registered.
        function: what the plugin built.
    """

    key: str
    weight: float
    component: Loss
    function: Callable[..., Tensor]

    def __call__(
        self, sr: "Prediction", hr: Mapping[int, Tensor], lr: Tensor, run_scale: int, step: int
    ) -> Tensor:
        """Weighted sum over the scales the loss looks at; a scalar in float32."""
        scales = sorted(sr) if self.component.scales == "all" else [run_scale]
        total = torch.zeros((), device=lr.device)
        for scale in scales:
            available = {"sr": sr[scale].float(), "hr": hr[scale], "lr": lr, "scale": scale, "step": step}
            function = self.function.forward if isinstance(self.function, nn.Module) else self.function
            total = total + self.function(**called_with(function, available))
        return self.weight * total

    @property
    def module(self) -> nn.Module | None:
        """The loss as a module, where it is one."""
        return self.function if isinstance(self.function, nn.Module) else None


def bind_losses(
    terms: tuple[LossSpec, ...], networks: tuple[Plane, ...], seed: int, device: torch.device
) -> dict[Plane, list[BoundLoss]]:
    """Losses of plane domain an instance each network, so that separate networks stay independent; losses
    of RGB domain once, under the key `rgb` (with a single RGB network, the two are the same place)."""
    bound: dict[Plane, list[BoundLoss]] = {plane: [] for plane in networks}
    for number, term in enumerate(terms):
        component: Loss = registry().find("loss", term.name)
        owners = networks if component.domain == "plane" else (RGB_LOSSES,)
        for owner in owners:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed_of("loss", seed, number, owner))
                function = component.make(**term.params)
            if isinstance(function, nn.Module):
                function.to(device)
            bound.setdefault(owner, []).append(
                BoundLoss(f"{number}.{owner}", term.weight, component, function)
            )
    return bound


def trainable(losses: list[BoundLoss]) -> Iterator[tuple[str, nn.Parameter]]:
    """The trainable parameters of losses, by stable name."""
    for loss in losses:
        if loss.module is not None:
            for name, parameter in loss.module.named_parameters():
                if parameter.requires_grad:
                    yield f"{loss.key}.{name}", parameter


def learned(losses: Mapping[Plane, list[BoundLoss]]) -> Iterator[tuple[str, Tensor]]:
    """All that losses keep in a checkpoint, trainable parameters and buffers, by the name they have there."""
    for bound in losses.values():
        yield from ((f"loss.{name}", parameter) for name, parameter in trainable(bound))
        for loss in bound:
            if loss.module is not None:
                for name, buffer in loss.module.named_buffers():
                    yield f"loss.{loss.key}.{name}", buffer
