"""What is promised of trainers: each trains a small network for some steps, as a run does."""

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from srbench.checkpoint.format import Checkpoint
from srbench.checkpoint.read import read_checkpoint
from srbench.checkpoint.write import write_checkpoint
from srbench.components import Model
from srbench.errors import CheckpointError
from srbench.testing.builders import check_builder, check_offline, no_network
from srbench.testing.conformance import Fault, Subject, promise
from srbench.testing.networks import (
    count_of,
    exactly,
    planes_seen,
    scales_of,
)
from srbench.testing.photographs import photograph
from srbench.testing.trainer_trials import TrialRun, differing, partner, started, trial
from srbench.train.state import weights
from srbench.train.trainer import Trainer

STEPS = 300
"""Of training, in which it must have learnt something ..."""
FALL = 0.9
"""... so that this share, or less, of its loss or of its error is left. Looked at every so many steps: ..."""
LOOK_EVERY = 30


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
            with trial(subject):
                pass
        finally:
            check_offline(hosts, "Building it")


@promise("trainer", "modules")
def modules(subject: Subject) -> None:
    """Its modules are torch modules by plain names, and the same ones when drawn from the same seed."""
    with partner(subject) as model:
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
        different = differing(*drawn)
        if different:
            raise Fault(
                f"Two draws from one seed differ in {count_of(different)}. Draw from torch's own generator "
                "(torch.rand, nn.init): srbench seeds it before modules() is called."
            )


@promise("trainer", "optimizers")
def optimizers(subject: Subject) -> None:
    """Each trainable parameter of its modules is in one optimizer, and in no other."""
    with trial(subject) as run:
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
    with trial(subject) as run:
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
    with trial(subject) as run:
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
    with exactly(), partner(subject) as model:
        ends = []
        for _ in range(2):
            run = started(subject, model)
            run.train(3)
            ends.append(run.state.tensors())
        different = differing(*ends)
        if different:
            raise Fault(
                f"Two trainings from the same seeds part within three steps, in {count_of(different)}. Draw "
                "noise from torch's generator alone: srbench seeds it from run and step before each step."
            )


@promise("trainer", "resume")
def resume(subject: Subject) -> None:
    """Stopped and resumed from a checkpoint, it ends with the bits of training without a stop."""
    with exactly(), partner(subject) as model, tempfile.TemporaryDirectory() as folder:
        whole = started(subject, model)
        whole.train(6)
        first = started(subject, model)
        first.train(3)
        state, sha256 = first.state, first.spec.sha256
        saved = Checkpoint(3, weights(state.scored), state.tensors(), state.scalars())
        read = read_checkpoint(write_checkpoint(Path(folder), saved, sha256), sha256)
        second = started(subject, model)
        try:
            second.state.load(read.model, read.state, read.scalars)
        except CheckpointError as error:
            raise Fault(f"Its own checkpoint does not fit it: {error}") from error
        second.done = 3
        second.train(3)
        different = differing(whole.state.tensors(), second.state.tensors())
        if different:
            raise Fault(
                f"Resumed after three steps of six, it ends with another {count_of(different)}. A trainer "
                "keeps nothing itself: what changes from step to step must be a parameter or buffer of one "
                "of its modules, or a function of `step`."
            )


@promise("trainer", "predict")
def prediction(subject: Subject) -> None:
    """It predicts SR of the right size, of odd sizes too, and the same one twice: noise comes from rng."""
    with exactly(), trial(subject) as run:
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
    with trial(subject) as run:
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


def _error(run: TrialRun) -> float:
    scale = run.spec.scale
    errors = [
        (run.sr(run.batch.lr[number : number + 1])[scale] - run.batch.hr[scale][number : number + 1])
        .abs()
        .mean()
        for number in range(len(run.batch.lr))
    ]
    return float(torch.stack(errors).mean())
