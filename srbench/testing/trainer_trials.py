"""A trainer with a small network to train, built and stepped as a run does."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from srbench.components import Model
from srbench.errors import SrbenchError, UsageError
from srbench.grammar import parse_sum
from srbench.images.tiles import Batch
from srbench.predict import plane_of, predict, predicted_scales
from srbench.registry import registry
from srbench.spec import LossSpec, RunSpec
from srbench.testing.conformance import Fault, NotDemanded, Subject
from srbench.testing.networks import (
    CPU,
    lr_side,
    multiple_of,
    patches,
    scales_of,
    spec_of,
    wrong_size,
)
from srbench.testing.registration import Registration
from srbench.train.state import TrainingState
from srbench.train.step import TrainStep
from srbench.train.trainer import Trained, Trainer

_NETWORK = "conformance_network"


class SmallNetwork(nn.Module):
    """What a trainer is tried on, if it takes any network: two convolutions on top of repeated pixels."""

    def __init__(self, planes: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.layers = nn.Sequential(
            nn.Conv2d(planes, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, planes * scale**2, 3, padding=1)
        )

    def forward(self, lr: Tensor) -> Tensor:
        """LR → SR."""
        repeated = lr.repeat_interleave(self.scale, dim=2).repeat_interleave(self.scale, dim=3)
        sr: Tensor = repeated + nn.functional.pixel_shuffle(self.layers(lr), self.scale)
        return sr


@dataclass
class TrialRun:
    """A run of the trainer, step by step."""

    spec: RunSpec
    multiple: int
    state: TrainingState
    train_step: TrainStep
    batch: Batch
    done: int = 0

    def train(self, steps: int) -> list[dict[str, float]]:
        """What each of some more steps reports, by name."""
        told = []
        for _ in range(steps):
            try:
                losses = self.train_step(self.batch, self.done, 1.0)
            except SrbenchError as error:
                raise Fault(str(error)) from error
            except KeyError as error:
                raise Fault(
                    f"update() was called with {error.args[0].partition('.')[2]!r}, and it has no such "
                    f"optimizer; it has {', '.join(self.optimizers)}."
                ) from error
            self.done += 1
            (loss,) = losses.totals.values()
            told.append({"loss": float(loss), **{name: float(one) for name, one in losses.terms.items()}})
        return told

    @property
    def trained(self) -> Trained:
        """Its one network, as the core has it."""
        (network,) = self.state.networks.values()
        assert isinstance(network, Trained)
        return network

    @property
    def optimizers(self) -> list[str]:
        """Their names, as the trainer gave them."""
        return [name.partition(".")[2] for name in self.state.optimizers]

    def sr(self, lr_rgb: Tensor) -> Mapping[int, Tensor]:
        """SR of an LR picture, as scoring makes it."""
        self.trained.eval()
        networks = self.state.networks
        sr = predict(networks, self.spec.network_channels, lr_rgb, self.spec.scale, self.multiple)
        self.trained.train()
        return sr


@contextmanager
def partner(subject: Subject) -> Iterator[Subject]:
    """A model that it trains: a small one, or else one whose recipe names it.

    Raises:
        NotDemanded: nobody says what it trains.
    """
    trainer: Trainer = subject.make()
    with Registration() as register:
        register("model", _NETWORK, SmallNetwork)
        model = registry().find("model", _NETWORK)
        try:
            trainer.modules(SmallNetwork(3, 2), 3, 2)
        except ValueError as refusal:
            found = next(
                (one for one in registry().all("model") if _names(one, subject.component.name)), None
            )
            if found is None:
                raise NotDemanded(
                    f"It does not take just any network ({refusal}), and no model's recipe names it in "
                    "place of its loss. Name it in a recipe of a model that it trains."
                ) from refusal
            model = found
        yield Subject(model, model.settings({}), model.name)


def _names(model: Model, trainer: str) -> bool:
    """Whether a recipe of the model names that trainer."""
    try:
        settings = model.settings({})
        losses = [model.recipe(name, settings, scales_of(model)[0]).get("loss", "") for name in model.recipes]
        return any(
            term.name.rpartition("/")[2] == trainer for loss in losses if loss for term in parse_sum(loss)
        )
    except UsageError:
        return False


@contextmanager
def trial(subject: Subject) -> Iterator[TrialRun]:
    """A run of it with its partner; raises as `started` does."""
    with partner(subject) as model:
        yield started(subject, model)


def started(subject: Subject, model: Subject) -> TrialRun:
    """A run of it with a model, before its first step; each call begins with the same bits.

    Raises:
        Fault: there can be none.
    """
    name = registry().spelling(subject.component)
    term = LossSpec(name=name, params=dict(subject.settings), kind="trainer")
    spec = spec_of(model, trainer=term)
    try:
        state = TrainingState(spec, CPU)
    except UsageError as error:
        raise Fault(f"It does not train {model.typed}: {error}") from error
    except KeyError as error:
        raise Fault(
            "One of its modules has a name with a dot, or one of its optimizers trains a parameter that is "
            f"in none of its modules ({error}). Modules need plain names, and hold all that is trained."
        ) from error
    multiple, scale = multiple_of(model), spec.scale
    lr, hr = patches("rgb", scale, lr_side(multiple), count=4)
    (plane,) = state.networks
    wrong = wrong_size(state.networks[plane], plane_of(lr, plane), scale)
    if wrong is not None:
        raise Fault(f"What its predict gives cannot be used: {wrong}.")
    scales = predicted_scales(state.networks, scale, multiple, CPU)
    batch = Batch(lr, {factor: hr[factor] for factor in scales})
    return TrialRun(spec, multiple, state, TrainStep(spec, state, CPU, None), batch)


def differing(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> list[str]:
    """The names of what differs."""
    return [name for name in one if name not in other or not torch.equal(one[name], other[name])]
