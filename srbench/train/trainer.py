"""Training of a plugin's own, for what is no loss: the base class, and how the core has it as one network."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from srbench.registry import registry
from srbench.spec import RunSpec

if TYPE_CHECKING:
    from srbench.types import Prediction

Update: TypeAlias = Callable[..., None]
"""`update(loss, *names)`: gradients of a scalar, and a step of the optimizers named; of all where none is."""


class Trainer(ABC):
    """How a plugin trains the networks of a run in its own way; each method has a default.

    A run with separate networks has a trainer each. Everything in the modules and optimizers is saved and
    resumed; a trainer itself keeps nothing.
    """

    def modules(self, network: nn.Module, planes: int, scale: int) -> Mapping[str, nn.Module]:
        """All modules that are trained, used or saved, by name; drawn from a seeded generator.

        Args:
            network: as the run's model builds it.
            planes: of LR and SR: 3 or 1.
            scale: the run scale.
        """
        return {"network": network}

    def optimizers(
        self, modules: Mapping[str, nn.Module], build: Callable[[Iterable[nn.Parameter]], Optimizer]
    ) -> Mapping[str, Optimizer]:
        """One for each module that has anything to train; the run's schedule sets their learning rate.

        Args:
            modules: as above.
            build: parameters → the optimizer that the run's settings describe.
        """
        trained = {
            name: [one for one in module.parameters() if one.requires_grad]
            for name, module in modules.items()
        }
        return {name: build(parameters) for name, parameters in trained.items() if parameters}

    @abstractmethod
    def step(
        self,
        modules: Mapping[str, nn.Module],
        lr: Tensor,
        hr: Mapping[int, Tensor],
        step: int,
        update: Update,
    ) -> Mapping[str, Tensor]:
        """Train one step; torch's generator is seeded from run and step, so that noise needs no state.

        Args:
            modules: as above, in training mode.
            lr: `(N, planes, h, w)` in [0, 1].
            hr: scale → `(N, planes, h·scale, w·scale)`, for each scale that `predict` gives.
            step: counts from 0.
            update: `update(loss, "network")` does the backward pass and lets that optimizer step, with the
                run's gradient clipping, scaling and number of processes.

        Returns:
            Scalars for the history, under the same names at every step. `loss`, which there must be, is
            looked at for NaN.
        """

    def predict(
        self, modules: Mapping[str, nn.Module], lr: Tensor, scale: int, rng: torch.Generator
    ) -> "Tensor | Prediction":
        """LR `(N, planes, h, w)` → SR at the run scale, or scale → SR.

        Args:
            modules: as above, in evaluation mode.
            lr: in [0, 1].
            scale: the run scale.
            rng: for noise; the same at every call, so that a picture has one score.
        """
        output: Tensor | Prediction = modules["network"](lr)
        return output


class Trained(nn.ModuleDict):
    """The modules of a trainer as a network like any other: what it is called with goes to `predict`.

    Args:
        trainer: how they predict.
        modules: what they are.
        scale: the run scale.
    """

    def __init__(self, trainer: Trainer, modules: Mapping[str, nn.Module], scale: int) -> None:
        super().__init__(modules)
        self.trainer, self._scale = trainer, scale

    @property
    def parts(self) -> dict[str, nn.Module]:
        """The modules by name."""
        return dict(self.items())

    def forward(self, lr: Tensor) -> "Tensor | Prediction":
        """LR → SR."""
        rng = torch.Generator(lr.device).manual_seed(0)
        return self.trainer.predict(self.parts, lr, self._scale, rng)


def trainer_of(spec: RunSpec) -> Trainer | None:
    """The trainer that a run names in place of a loss."""
    term = spec.trainer
    if term is None:
        return None
    trainer: Trainer = registry().find("trainer", term.name).make(**term.params)
    return trainer
