"""Flow matching along straight lines from the bicubic picture to HR."""

import math
from collections.abc import Callable, Mapping

import torch
from srbench.api import Trainer
from torch import Tensor, nn
from torch.nn import functional as F

from srbench_example_flow.network import Velocity


class Flow(Trainer):
    """Learn the velocity HR − start at a random point of the way; predict by walking it.

    Args:
        walk: steps of Euler's method, from 1.
        noise: standard deviation of what is added to the bicubic picture at the start; 0: none.

    Raises:
        ValueError: an argument is out of range, or the model has no velocity.

    Source: Liu et al. 2023, arXiv:2209.03003, equations 1 and 2, with the enlarged LR picture as the start.
    """

    def __init__(self, walk: int = 4, noise: float = 0.05) -> None:
        if walk < 1 or not 0 <= noise < math.inf:
            raise ValueError(f"walk={walk} must be 1 or more, and noise={noise} 0 or more and finite")
        self.walk, self.noise = walk, noise

    def modules(self, network: nn.Module, planes: int, scale: int) -> Mapping[str, nn.Module]:
        """The network itself, which must be a `Velocity`."""
        if not isinstance(network, Velocity):
            raise ValueError("flow trains the model velocity and no other: --model velocity")
        return {"network": network}

    def step(
        self,
        modules: Mapping[str, nn.Module],
        lr: Tensor,
        hr: Mapping[int, Tensor],
        step: int,
        update: Callable[..., None],
    ) -> Mapping[str, Tensor]:
        """One step on pictures at random times."""
        network = velocity_of(modules)
        with torch.no_grad():
            start = network.enlarged(lr)
            start = start + self.noise * torch.randn_like(start)
            time = torch.rand(len(lr), device=lr.device)
            target = hr[network.scale]
            at = time.view(-1, 1, 1, 1)
            picture = (1 - at) * start + at * target
        velocity = network.velocity(picture, start, time)
        loss = F.mse_loss(velocity.float(), target - start)
        update(loss, "network")
        return {"loss": loss}

    def predict(
        self, modules: Mapping[str, nn.Module], lr: Tensor, scale: int, rng: torch.Generator
    ) -> Tensor:
        """Walk from the enlarged LR picture, with the same noise for every picture of a size."""
        network = velocity_of(modules)
        start = network.enlarged(lr)
        start = start + self.noise * torch.randn(start.shape, generator=rng, device=lr.device)
        picture = start
        for number in range(self.walk):
            time = torch.full((len(lr),), number / self.walk, device=lr.device)
            picture = picture + network.velocity(picture, start, time) / self.walk
        return picture


def velocity_of(modules: Mapping[str, nn.Module]) -> Velocity:
    """The network among the modules, which `Flow.modules` has let in."""
    network = modules["network"]
    assert isinstance(network, Velocity)
    return network
