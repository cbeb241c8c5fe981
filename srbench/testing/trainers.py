"""What is promised of trainers: each trains a small network for some steps, as a run does."""

import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from srbench.checkpoint.format import Checkpoint
from srbench.checkpoint.read import read_checkpoint
from srbench.checkpoint.write import write_checkpoint
from srbench.components import Model
from srbench.errors import CheckpointError, SrbenchError, UsageError
from srbench.grammar import parse_sum
from srbench.images.tiles import Batch
from srbench.predict import plane_of, predict, predicted_scales
from srbench.registry import registry
from srbench.spec import LossSpec, RunSpec
from srbench.testing.builders import check_builder, check_offline, no_network
from srbench.testing.conformance import Fault, NotDemanded, Subject, promise
from srbench.testing.networks import (
    CPU,
    count_of,
    exactly,
    lr_side,
    multiple_of,
    patches,
    planes_seen,
    scales_of,
    spec_of,
    wrong_size,
)
from srbench.testing.photographs import photograph
from srbench.testing.registration import Registration
from srbench.train.state import TrainingState, weights
from srbench.train.step import TrainStep
from srbench.train.trainer import Trained, Trainer

STEPS = 300
"""Of training, in which it must have learnt something ..."""
FALL = 0.9
"""... so that this share, or less, of its loss or of its error is left. Looked at every so many steps: ..."""
LOOK_EVERY = 30

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
class _Run:
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
def _partner(subject: Subject) -> Iterator[Subject]:
    """A model that it trains: a small one, or else one whose recipe names it."""
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
def _run(subject: Subject, seed: int = 0) -> Iterator[_Run]:
    with _partner(subject) as model:
        yield _started(subject, model, seed)


def _started(subject: Subject, model: Subject, seed: int = 0) -> _Run:
    name = registry().spelling(subject.component)
    term = LossSpec(name=name, params=dict(subject.settings), kind="trainer")
    spec = spec_of(model, seed, term)
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
    return _Run(spec, multiple, state, TrainStep(spec, state, CPU, None), batch)


def _same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> list[str]:
    """The names of what differs."""
    return [name for name in one if name not in other or not torch.equal(one[name], other[name])]


@promise("trainer", "builder")
def builder(subject: Subject) -> None:
    """Its builder has a docstring and annotated parameters, and gives a srbench.api.Trainer."""
    check_builder(subject.component)
    made = subject.make()
    if not isinstance(made, Trainer):
        raise Fault(f"Its builder gives {type(made).__name__}. Derive it from srbench.api.Trainer.")


@promise("trainer", "offline")
def offline(subject: Subject) -> None:
    """It is imported and built, modules included, without the network."""
    with no_network() as hosts:
        try:
            with _run(subject):
                pass
        finally:
            check_offline(hosts, "Building it")


@promise("trainer", "modules")
def modules(subject: Subject) -> None:
    """Its modules are torch modules by plain names, and the same ones when drawn from the same seed."""
    with _partner(subject) as model:
        component: Model = model.component
        planes, scale = planes_seen(component), scales_of(component)[0]
        drawn = []
        for _ in range(2):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                made = subject.make().modules(model.make(planes=planes, scale=scale), planes, scale)
            wrong = [
                f"{name!r} is {type(one).__name__}"
                for name, one in made.items()
                if not isinstance(one, nn.Module)
            ]
            if wrong or not made:
                raise Fault(
                    f"Its modules must be torch.nn.Module by name: {', '.join(wrong) or 'there are none'}."
                )
            bad = [name for name in made if not name.isidentifier() or hasattr(nn.ModuleDict, name)]
            if bad:
                raise Fault(
                    f"No module can be called {bad[0]!r}: take a plain word, such as 'network' or 'critic'."
                )
            drawn.append(nn.ModuleDict(made).state_dict())
        different = _same(*drawn)
        if different:
            raise Fault(
                f"Two draws from one seed differ in {count_of(different)}. Draw from torch's own generator "
                "(torch.rand, nn.init): srbench seeds it before modules() is called."
            )


@promise("trainer", "optimizers")
def optimizers(subject: Subject) -> None:
    """Each trainable parameter of its modules is in one optimizer, and in no other."""
    with _run(subject) as run:
        names = {parameter: name for name, parameter in run.trained.named_parameters()}
        odd = [name for name in run.optimizers if "/" in name]
        if odd:
            raise Fault(f"No optimizer can be called {odd[0]!r}: leave the stroke out.")
        owners: dict[str, list[str]] = {name: [] for name in names.values()}
        for owner, optimizer in run.state.optimizers.items():
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    owners[names[parameter]].append(owner.partition(".")[2])
        twice = [f"{name} in {' and '.join(found)}" for name, found in owners.items() if len(found) > 1]
        if twice:
            raise Fault(f"Two optimizers train one parameter: {twice[0]}. Give each its own.")
        none = [
            name for name, one in run.trained.named_parameters() if one.requires_grad and not owners[name]
        ]
        if none:
            raise Fault(
                f"No optimizer trains {count_of(none)}. Build one for that module in optimizers(), or set "
                "requires_grad_(False) in modules() for what is not trained by gradients."
            )


@promise("trainer", "logs")
def logs(subject: Subject) -> None:
    """Each step reports loss and the same other scalars, all of them numbers."""
    with _run(subject) as run:
        network, told = run.trained, []
        original = network.trainer.step

        def step(*arguments: object, **named: object) -> Mapping[str, Tensor]:
            told.append(original(*arguments, **named))  # type: ignore[arg-type]
            return told[-1]

        network.trainer.step = step  # type: ignore[method-assign]
        for values in run.train(4):
            for name, value in values.items():
                if not math.isfinite(value):
                    raise Fault(f"It reports {value} for {name!r} at step {run.done}.")
        for name, one in told[-1].items():
            if not isinstance(one, Tensor) or one.ndim:
                raise Fault(
                    f"It reports {name!r} as {type(one).__name__} of shape "
                    f"{tuple(getattr(one, 'shape', ()))}. Report tensors without dimensions: .mean() of "
                    "what there is."
                )


@promise("trainer", "trains")
def trains(subject: Subject) -> None:
    """Every module that has an optimizer changes within the first steps."""
    with _run(subject) as run:
        owned = {parameter for owner in run.state.optimizers for parameter in run.state.parameters(owner)}
        before = {
            name: [one.detach().clone() for one in module.parameters() if one in owned]
            for name, module in run.trained.parts.items()
        }
        run.train(8)
        for name, module in run.trained.parts.items():
            after = [one for one in module.parameters() if one in owned]
            if after and all(torch.equal(one, other) for one, other in zip(before[name], after, strict=True)):
                raise Fault(
                    f"After eight steps module {name!r} is as it was. Call update(loss, …) with the name of "
                    "its optimizer, and a loss that it has a part in."
                )


@promise("trainer", "repeatable")
def repeatable(subject: Subject) -> None:
    """Training from the same seeds gives the same bits."""
    with exactly(), _partner(subject) as model:
        ends = []
        for _ in range(2):
            run = _started(subject, model)
            run.train(3)
            ends.append(run.state.tensors())
        different = _same(*ends)
        if different:
            raise Fault(
                f"Two trainings from the same seeds part within three steps, in {count_of(different)}. Draw "
                "noise from torch's generator alone: srbench seeds it from run and step before each step."
            )


@promise("trainer", "resume")
def resume(subject: Subject) -> None:
    """Stopped and resumed from a checkpoint, it ends with the bits of training without a stop."""
    with exactly(), _partner(subject) as model, tempfile.TemporaryDirectory() as folder:
        whole = _started(subject, model)
        whole.train(6)
        first = _started(subject, model)
        first.train(3)
        state, sha256 = first.state, first.spec.sha256
        saved = Checkpoint(3, weights(state.scored), state.tensors(), state.scalars())
        read = read_checkpoint(write_checkpoint(Path(folder), saved, sha256), sha256)
        second = _started(subject, model)
        try:
            second.state.load(read.model, read.state, read.scalars)
        except CheckpointError as error:
            raise Fault(f"Its own checkpoint does not fit it: {error}") from error
        second.done = 3
        second.train(3)
        different = _same(whole.state.tensors(), second.state.tensors())
        if different:
            raise Fault(
                f"Resumed after three steps of six, it ends with another {count_of(different)}. A trainer "
                "keeps nothing itself: what changes from step to step must be a parameter or buffer of one "
                "of its modules, or a function of `step`."
            )


@promise("trainer", "predict")
def prediction(subject: Subject) -> None:
    """It predicts SR of the right size, of odd sizes too, and the same one twice: noise comes from rng."""
    with exactly(), _run(subject) as run:
        for height, width in ((13, 10), (8, 17)):
            lr = photograph(height, width)
            torch.manual_seed(1)
            first = run.sr(lr)
            torch.manual_seed(2)
            second = run.sr(lr)
            for factor, sr in first.items():
                expected = (height * factor, width * factor)
                if tuple(sr.shape[-2:]) != expected:
                    raise Fault(
                        f"Of LR {height}×{width} it predicts {tuple(sr.shape[-2:])} at ×{factor}, not "
                        f"{expected}."
                    )
                if not sr.isfinite().all():
                    raise Fault(f"Of LR {height}×{width} it predicts NaN or infinite values at ×{factor}.")
                if not torch.equal(sr, second[factor]):
                    raise Fault(
                        "It predicts two pictures of one. Draw noise in predict from `rng`: "
                        "torch.randn(shape, generator=rng, device=lr.device)."
                    )


@promise("trainer", "learns")
def learns(subject: Subject) -> None:
    """Within 300 steps on one batch its loss falls by a tenth, or its pictures come so much nearer to HR."""
    with _run(subject) as run:
        before, first = _error(run), 0.0
        for done in range(0, STEPS, LOOK_EVERY):
            losses = [values["loss"] for values in run.train(LOOK_EVERY)]
            last, after = sum(losses) / len(losses), _error(run)
            first = first if done else sum(losses[:6]) / 6
            if (last <= FALL * first and first > 0) or after <= FALL * before:
                return
        raise Fault(
            f"In {STEPS} steps on one batch its loss went from {first:.3g} to {last:.3g}, and its error in "
            f"L1 from {before:.3g} to {after:.3g}. Look for a detach or torch.no_grad around what is to be "
            "trained, and for an update() with the wrong loss."
        )


def _error(run: _Run) -> float:
    scale = run.spec.scale
    errors = [
        (run.sr(run.batch.lr[number : number + 1])[scale] - run.batch.hr[scale][number : number + 1])
        .abs()
        .mean()
        for number in range(len(run.batch.lr))
    ]
    return float(torch.stack(errors).mean())
