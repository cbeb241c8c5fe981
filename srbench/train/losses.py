"""The losses of a run, bound to what they look at: one instance a network, or one for the RGB picture."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from srbench.components import Loss
from srbench.parameters import called_with
from srbench.registry import registry
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
        title: the same for people: what it looks at and its name (`r/charbonnier`).
        weight: its factor in the sum.
        component: what the plugin registered.
        function: what the plugin built. Where it has `critic_parameters()`, it is adversarial: these are
            trained by its `critic_loss`, after the networks have taken their step against it.
    """

    key: str
    title: str
    weight: float
    component: Loss
    function: Callable[..., Tensor]

    def __call__(
        self, sr: "Prediction", hr: Mapping[int, Tensor], lr: Tensor, run_scale: int, step: int
    ) -> Tensor:
        """Weighted sum over the scales the loss looks at; a scalar in float32."""
        asked = self.module.forward if self.module is not None else self.function
        total = torch.zeros((), device=lr.device)
        for value in self._each_scale(self.function, asked, sr, hr, lr, run_scale, step):
            total = total + value
        return self.weight * total

    def critic_loss(
        self, sr: "Prediction", hr: Mapping[int, Tensor], lr: Tensor, run_scale: int, step: int
    ) -> Tensor | None:
        """What the critic is trained by: the sum over scales, or None where it rests at this step.

        Args:
            sr: the pictures that the networks were judged by; no gradient goes back to them.
        """
        judge = getattr(self.function, "critic_loss")  # noqa: B009 - only adversarial losses have one
        before = {scale: picture.detach() for scale, picture in sr.items()}
        values = self._each_scale(judge, judge, before, hr, lr, run_scale, step)
        awake = [value for value in values if value is not None]
        return torch.stack(awake).sum() if awake else None

    def _each_scale(
        self,
        call: Callable[..., Any],
        asked: Callable[..., Any],
        sr: "Prediction",
        hr: Mapping[int, Tensor],
        lr: Tensor,
        run_scale: int,
        step: int,
    ) -> list[Any]:
        scales = sorted(sr) if self.component.scales == "all" else [run_scale]
        values = []
        for scale in scales:
            available = {"sr": sr[scale].float(), "hr": hr[scale], "lr": lr, "scale": scale, "step": step}
            value = call(**called_with(asked, available))
            if value is not None or call is self.function:  # a critic may rest
                self.component.check_value(value, scale)
            values.append(value)
        return values

    @property
    def module(self) -> nn.Module | None:
        """The loss as a module, where it is one."""
        return self.function if isinstance(self.function, nn.Module) else None

    @property
    def critic(self) -> dict[str, nn.Parameter]:
        """What is trained against the networks, by stable name; empty where the loss is not adversarial."""
        parameters = getattr(self.module, "critic_parameters", None)
        of_critic = {id(parameter) for parameter in parameters()} if parameters is not None else set()
        return {name: one for name, one in self._trained() if id(one) in of_critic}

    @property
    def trainable(self) -> dict[str, nn.Parameter]:
        """Its other trained parameters, which are stepped with the networks, by stable name."""
        return {name: one for name, one in self._trained() if name not in self.critic}

    @property
    def buffers(self) -> dict[str, Tensor]:
        """Its buffers that are saved, by stable name."""
        if self.module is None:
            return {}
        saved = self.module.state_dict()
        return {f"{self.key}.{name}": one for name, one in self.module.named_buffers() if name in saved}

    def _trained(self) -> Iterator[tuple[str, nn.Parameter]]:
        if self.module is not None:
            for name, parameter in self.module.named_parameters():
                if parameter.requires_grad:
                    yield f"{self.key}.{name}", parameter


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
                BoundLoss(
                    f"{number}.{owner}", f"{owner}/{_title(terms, number)}", term.weight, component, function
                )
            )
    return bound


def _title(terms: tuple[LossSpec, ...], number: int) -> str:
    """The name of a term, with its number where another one has that name too."""
    names = [term.name for term in terms]
    return names[number] if names.count(names[number]) == 1 else f"{names[number]} {number + 1}"


def learned(losses: Mapping[Plane, list[BoundLoss]]) -> Iterator[tuple[str, Tensor]]:
    """All that losses keep in a checkpoint, trained parameters and buffers, by the name they have there."""
    for bound in losses.values():
        for loss in bound:
            for name, tensor in {**loss.trainable, **loss.critic, **loss.buffers}.items():
                yield f"loss.{name}", tensor
