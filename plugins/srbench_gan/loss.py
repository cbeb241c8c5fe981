"""The adversarial loss: a critic learns to tell SR from HR, and networks learn to look like HR to it."""

from collections.abc import Callable, Iterable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from srbench.api import SizeError
from srbench_gan.critics import PatchCritic, UNetCritic

Kind = Literal["vanilla", "lsgan", "hinge", "relativistic"]


class Gan(nn.Module):
    """A critic, and what it says of SR. It is trained beside the networks, in steps of its own.

    Used beside a pixel loss and at a small weight (`l1+vgg+0.005*gan`), mostly on networks that were trained
    without it (`--fork RUN --loss …`).

    Args:
        kind: how the critic's logits become losses. `vanilla`: cross-entropy. `lsgan`: squared distance to 1
            and 0. `hinge`: hinges at 1 and −1, and the mean logit for the networks. `relativistic`:
            cross-entropy of how much more real a picture is than the other ones on average.
        critic: `patch` judges patches of 70×70 pixels, `unet` every pixel.
        features: width of the critic, from 1.
        start: the step from which it counts; until then the critic rests too.

    Raises:
        ValueError: `features` or `start` is out of range.
        SizeError: a patch is smaller than the critic can take: 24 pixels for `patch`, 8 for `unet`.

    Source: Goodfellow et al. 2014, arXiv:1406.2661 (vanilla, with the non-saturating loss of its section 3);
    Mao et al. 2017, arXiv:1611.04076, equation 9; Lim and Ye 2017, arXiv:1705.02894; Jolicoeur-Martineau
    2018, arXiv:1807.00734, as in Wang et al. 2018 (ESRGAN), arXiv:1809.00219, section 3.2.
    """

    def __init__(
        self,
        kind: Kind = "relativistic",
        critic: Literal["patch", "unet"] = "unet",
        features: int = 64,
        start: int = 0,
    ) -> None:
        super().__init__()
        if features < 1:
            raise ValueError(f"features={features}; the critic needs 1 or more")
        if start < 0:
            raise ValueError(f"start={start}; steps are counted from 0")
        self._kind, self._critic, self._start = kind, critic, start
        self.critic = PatchCritic(features) if critic == "patch" else UNetCritic(features)

    def forward(self, sr: Tensor, hr: Tensor, step: int) -> Tensor:
        """What networks are trained by: how far the critic is from taking `sr` for real. A scalar."""
        if min(sr.shape[-2:]) < self.critic.smallest:
            height, width = sr.shape[-2:]
            raise SizeError(
                f"gan with critic={self._critic} needs at least {self.critic.smallest} pixels a side, "
                f"not {width}×{height}"
            )
        if step < self._start:
            return sr.new_zeros(())
        fake: Tensor = self.critic(sr)
        if self._kind == "relativistic":
            real = self.critic(hr)
            return (_entropy(fake - real.mean(), 1.0) + _entropy(real - fake.mean(), 0.0)) / 2
        if self._kind == "hinge":
            return -fake.mean()
        loss: Tensor = _distances[self._kind](fake, 1.0)
        return loss

    def critic_loss(self, sr: Tensor, hr: Tensor, step: int) -> Tensor | None:
        """What the critic is trained by: the mean of its losses on `hr` and on `sr`. A scalar."""
        if step < self._start:
            return None
        real, fake = self.critic(hr), self.critic(sr)
        if self._kind == "relativistic":
            return (_entropy(real - fake.mean(), 1.0) + _entropy(fake - real.mean(), 0.0)) / 2
        if self._kind == "hinge":
            return (F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2
        distance = _distances[self._kind]
        return (distance(real, 1.0) + distance(fake, 0.0)) / 2

    def critic_parameters(self) -> Iterable[nn.Parameter]:
        """What is trained by `critic_loss`."""
        return self.critic.parameters()


def _entropy(logits: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def _squared(logits: Tensor, target: float) -> Tensor:
    return (logits - target).square().mean()


_distances: dict[str, Callable[[Tensor, float], Tensor]] = {"vanilla": _entropy, "lsgan": _squared}
