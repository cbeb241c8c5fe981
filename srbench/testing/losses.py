"""What is promised of losses."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from srbench.components import Loss
from srbench.errors import MetricUnavailable, SizeError, UsageError
from srbench.parameters import called_with
from srbench.testing.asked import check_plain, said
from srbench.testing.conformance import Fault, NotDemanded, Subject, promise
from srbench.testing.differences import check_gradient
from srbench.testing.loss_trials import (
    LATER,
    SCALES,
    Patches,
    asked,
    awake,
    built,
    call,
    check_number,
    critic_value,
    gradient_of,
    number,
    patches_of,
    planes_of,
    side_of,
)
from srbench.train.losses import BoundLoss
from srbench.types import Law

_SMALL = (2, 4, 6, 8, 12, 16, 24, 32)
"""Sides of patches."""

_ZERO = 1e-6
_ALIKE = 1e-5
"""Relative, of float32 sums over a batch."""


@promise("loss", "arguments")
def arguments(subject: Subject) -> None:
    """It asks for nothing but sr, hr, lr, scale and step."""
    function = built(subject).function
    for one in (asked(function), getattr(function, "critic_loss", asked(function))):
        try:
            called_with(one, patches_of(3, 2, 24).available)
        except UsageError as error:
            raise Fault(
                f"{error} What a loss is called with goes by the names of its arguments: rename that one, or "
                "give it a default; settings belong to the builder."
            ) from error


@promise("loss", "one number")
def one_number(subject: Subject) -> None:
    """It gives one finite number, as a tensor, at every scale and number of planes that it sees."""
    bound = built(subject)
    for planes in planes_of(bound):
        side = side_of(bound, planes)
        for scale in SCALES:
            number(bound, patches_of(planes, scale, side))


@promise("loss", "gradient")
def gradient(subject: Subject) -> None:
    """A gradient reaches SR."""
    bound = built(subject)
    for planes in planes_of(bound):
        patches = patches_of(planes, 4, side_of(bound, planes))
        found = [gradient_of(bound, replace(patches, step=step)) for step in (0, LATER)]
        if not any(one is not None and one.any() for one in found):
            raise Fault(
                f"No gradient reaches SR of {planes} planes, neither at step 0 nor at step {LATER:,}, so "
                "that nothing is trained by it. Compute with tensors from sr to the end: .item(), float(), "
                ".detach(), .numpy() and rounding end a gradient."
            )


@promise("loss", "extremes")
def extremes(subject: Subject) -> None:
    """Value and gradient are finite for equal, black, white, hardly different and far-off pictures."""
    bound = built(subject)
    for planes in planes_of(bound):
        patches = awake(bound, planes)
        hr = patches.hr
        black, white = torch.zeros_like(hr), torch.ones_like(hr)
        for what, sr, reference in (
            ("SR equal to HR", hr.clone(), hr),
            ("SR 1e-7 beside HR", hr + 1e-7, hr),
            ("SR 1e-4 beside HR", hr + 1e-4 * (patches.sr - hr).sign(), hr),
            ("SR from −10 to 11", 21 * (hr - hr.amin()) / (hr.amax() - hr.amin()) - 10, hr),
            ("both black", black, black.clone()),
            ("both white", white, white.clone()),
            ("SR black and HR white", black, white),
            ("SR white and HR black", white, black),
        ):
            found = gradient_of(bound, replace(patches, sr=sr, hr=reference), what)
            if found is not None and not found.isfinite().all():
                wrong = int((~found.isfinite()).sum())
                raise Fault(
                    f"With {what}, the gradient of {wrong} of {found.numel()} pixels is not finite, and one "
                    "is enough to end a run. A square root, a power below 1, a logarithm or a division at 0 "
                    "has such a gradient: add a small number inside, as in (x * x + 1e-6).sqrt()."
                )


@promise("loss", "float64")
def float64(subject: Subject) -> None:
    """Its gradient is what differences of its value say, in float64."""
    bound = built(subject)
    patches = awake(bound, max(planes_of(bound)))
    module = bound.module
    if module is not None:
        module.double().requires_grad_(False)
    state = {name: one.clone() for name, one in module.state_dict().items()} if module else {}
    hr, lr = patches.hr.double(), patches.lr.double()

    def value(sr: Tensor) -> Tensor:
        if module is not None:
            module.load_state_dict(state)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            found: Tensor = call(bound.function, replace(patches, sr=sr, hr=hr, lr=lr))
        return found

    check_gradient(value, patches.sr.double())


@promise("loss", "inputs")
def inputs(subject: Subject) -> None:
    """It leaves what it is given as it was."""
    bound = built(subject)
    for planes in planes_of(bound):
        patches = awake(bound, planes)
        before = {name: getattr(patches, name).clone() for name in ("sr", "hr", "lr")}
        number(bound, patches)
        critic_value(bound, patches)
        for name, one in before.items():
            if not torch.equal(getattr(patches, name), one):
                raise Fault(
                    f"It changes {name} in place, which other losses and the next scale are given too. Use "
                    f"operations without a trailing underscore, or {name}.clone() first."
                )


@promise("loss", "repeatable")
def repeatable(subject: Subject) -> None:
    """The same pictures and generator give the same number and gradient, bit for bit."""
    one, other = built(subject), built(subject)
    patches = awake(built(subject), max(planes_of(one)))
    first, second = _outcome(one, patches), _outcome(other, patches)
    if not _same(first, second):
        raise Fault(
            f"Two instances built alike give {float(first[0]):.9g} and {float(second[0]):.9g} for the same "
            "patches, or other gradients, so that no run could be resumed exactly. Draw from torch's global "
            "generator alone, which srbench seeds, and keep no state between instances."
        )


@promise("loss", "small patches")
def small_patches(subject: Subject) -> None:
    """It raises SizeError for patches that are too small for it, and nothing else."""
    bound = built(subject)
    for planes in planes_of(bound):
        for side in _SMALL:
            patches = patches_of(planes, 2, side)
            try:
                with torch.no_grad():
                    value = call(bound.function, patches)
            except SizeError:
                continue
            except MetricUnavailable as reason:
                raise NotDemanded(str(reason)) from reason
            except Exception as error:
                raise Fault(
                    f"For patches of {side}×{side} pixels it raised {said(error)}. Look at sr.shape first, "
                    f'and raise srbench.api.SizeError("… needs at least … pixels a side"): that refuses a '
                    "--patch in one sentence before anything starts."
                ) from error
            check_number(value, f"patches of {side}×{side} pixels")


@promise("loss", "parameters")
def parameters(subject: Subject) -> None:
    """All its trainable parameters get finite gradients."""
    bound = built(subject)
    if not bound.trainable:
        raise NotDemanded("It has nothing to train beside the networks.")
    patches = replace(awake(bound, max(planes_of(bound))))
    value = number(bound, patches)
    _check_gradients(value, bound.trainable, "its value")


@promise("loss", "critic")
def critic(subject: Subject) -> None:
    """Its critic is trained by critic_loss, all of it, and networks are not."""
    bound = built(subject)
    has = {name for name in ("critic_parameters", "critic_loss") if hasattr(bound.function, name)}
    if not has:
        raise NotDemanded("It has no critic.")
    if len(has) < 2 or bound.module is None:
        lacks = "is no nn.Module" if len(has) == 2 else f"has {has.pop()} alone"
        raise Fault(
            f"An adversarial loss is an nn.Module with both critic_parameters and critic_loss, and this one "
            f"{lacks}: its critic would never be trained."
        )
    if not bound.critic:
        raise Fault(
            "critic_parameters names no trainable parameter of the module. Return those of the critic, which "
            "must be an attribute of the module: self.critic.parameters()."
        )
    patches = awake(bound, max(planes_of(bound)))
    sr = patches.sr.clone().requires_grad_()
    patches = replace(patches, sr=sr)
    number(bound, patches)  # networks are judged first; what is kept of that must not lead back to them
    value = critic_value(bound, patches)
    if value is None:
        raise Fault(
            f"critic_loss returned None at step 0 and at step {LATER:,}, so that the critic is never "
            "trained. None is for steps at which it rests."
        )
    _check_gradients(value, bound.critic, "critic_loss")
    if torch.autograd.grad(value, sr, allow_unused=True)[0] is not None:
        raise Fault(
            "The gradient of critic_loss goes back to the networks: it uses what forward computed and kept. "
            "Judge the sr that critic_loss is given, anew."
        )


@promise("loss", "resumes")
def resumes(subject: Subject) -> None:
    """All that training moves in it is in its state_dict, so that a resumed run has the same bits."""
    whole, resumed = built(subject), built(subject)
    patches = awake(built(subject), max(planes_of(whole)))
    for _ in range(2):
        _train(whole, patches)
    learned = {**whole.trainable, **whole.critic, **whole.buffers}
    there = {**resumed.trainable, **resumed.critic, **resumed.buffers}
    if learned.keys() != there.keys():
        odd = ", ".join(sorted(name.partition(".")[2] for name in learned.keys() ^ there.keys()))
        raise Fault(
            f"Training adds or removes parameters or buffers ({odd}), so that a checkpoint does not fit a "
            "loss that is newly built. Make all of them in __init__."
        )
    with torch.no_grad():
        for name, tensor in there.items():
            tensor.copy_(learned[name])
    first, second = _outcome(whole, patches), _outcome(resumed, patches)
    if not _same(first, second):
        raise Fault(
            f"After two steps it gives {float(first[0]):.9g}; newly built, with its parameters and buffers "
            f"put back as from a checkpoint, {float(second[0]):.9g}, or other gradients. Keep what moves in "
            "parameters and register_buffer (persistent), not in plain attributes or variables."
        )


@promise("loss", "zero at equality")
def zero_at_equality(subject: Subject) -> None:
    """SR equal to HR costs nothing, where it says so."""
    bound = built(subject)
    _check_declared(bound, "zero at equality")
    for planes in planes_of(bound):
        patches = awake(bound, planes)
        value = float(number(bound, replace(patches, sr=patches.hr.clone())))
        if abs(value) > _ZERO:
            raise Fault(
                f"It declares 'zero at equality', and gives {value:.6g} where SR equals HR. Take off what is "
                "left, or do not declare it: a loss need not be zero anywhere."
            )


@promise("loss", "mean over the batch")
def mean_over_the_batch(subject: Subject) -> None:
    """A batch costs the mean of what its pictures cost alone, where it says so."""
    bound = built(subject)
    _check_declared(bound, "mean over the batch")
    for planes in planes_of(bound):
        patches = awake(bound, planes)
        together = float(number(bound, patches))
        alone = []
        for n in range(len(patches.sr)):
            sr, hr, lr = (one[n : n + 1] for one in (patches.sr, patches.hr, patches.lr))
            alone.append(float(number(bound, replace(patches, sr=sr, hr=hr, lr=lr))))
        mean = sum(alone) / len(alone)
        if abs(together - mean) > _ALIKE * max(abs(together), abs(mean)):
            each = ", ".join(f"{one:.6g}" for one in alone)
            raise Fault(
                f"It declares 'mean over the batch', and gives {together:.6g} for {len(alone)} pictures that "
                f"cost {each} alone, {mean:.6g} on average. Divide sums by the number of pictures; or do not "
                "declare it, and runs with more --processes are known to differ."
            )


@promise("loss", "facts")
def facts(subject: Subject) -> None:
    """What training depends on beside the settings is plain data, the same each time."""
    component: Loss = subject.component
    check_plain(component.facts, lambda: component.read_facts(subject.settings))


def _check_gradients(value: Tensor, parameters: Mapping[str, nn.Parameter], what: str) -> None:
    if not value.requires_grad:
        raise Fault(f"No gradient goes from {what} to any parameter. Compute with tensors to the end.")
    trained = list(parameters.values())
    found = torch.autograd.grad(value, trained, allow_unused=True, retain_graph=True)
    for name, one in zip(parameters, found, strict=True):
        short = name.partition(".")[2]
        if one is None:
            raise Fault(
                f"The parameter {short} is trainable and gets no gradient from {what}. Use it, or freeze it "
                "by requires_grad_(False)."
            )
        if not one.isfinite().all():
            raise Fault(
                f"The gradient of the parameter {short} by {what} is not finite, which ends a run. Look for "
                "a division or a logarithm at 0."
            )


def _train(bound: BoundLoss, patches: Patches) -> None:
    """A step of everything in the loss that can be trained."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        moves = [(number(bound, patches), bound.trainable), (critic_value(bound, patches), bound.critic)]
    for value, parameters in moves:
        trained = list(parameters.values())
        if value is None or not trained or not value.requires_grad:
            continue
        found = torch.autograd.grad(value, trained, allow_unused=True)
        with torch.no_grad():
            for parameter, one in zip(trained, found, strict=True):
                if one is not None:
                    parameter.sub_(1e-3 * one)


def _outcome(bound: BoundLoss, patches: Patches) -> list[Tensor]:
    """Value, gradient, and the critic's value, with the generator at one place."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        parts = [number(bound, patches), gradient_of(bound, patches), critic_value(bound, patches)]
    return [one.detach() for one in parts if one is not None]


def _same(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


def _check_declared(bound: BoundLoss, law: Law) -> None:
    if law not in bound.component.laws:
        raise NotDemanded(f"It does not declare {law!r}.")
