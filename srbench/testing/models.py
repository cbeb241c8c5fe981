"""What is promised of models.

Networks are untrained and pictures small, so that a model of some million parameters is through in a minute.
"""

import copy
import inspect
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srbench.checkpoint.format import Checkpoint
from srbench.checkpoint.read import read_checkpoint
from srbench.checkpoint.write import write_checkpoint
from srbench.components import Model, resolve
from srbench.errors import CheckpointError, MetricUnavailable, SrbenchError, UsageError
from srbench.parameters import called_with
from srbench.patch import check_patch
from srbench.plan.settings import budget_of, fields_of, settings_of, try_out
from srbench.plan.terms import loss_terms
from srbench.predict import as_prediction, predict, predicted_scales
from srbench.testing.builders import check_builder, check_offline, no_network
from srbench.testing.conformance import Fault, NotDemanded, Subject, promise
from srbench.testing.devices import mixed_devices
from srbench.testing.networks import (
    CPU,
    build,
    count_of,
    exactly,
    first_steps,
    forward,
    l1,
    lr_side,
    multiple_of,
    patches,
    photograph,
    plane_seen,
    planes_seen,
    scales_of,
    spec_of,
)
from srbench.train.state import TrainingState, load_weights, weights
from srbench.types import networks_of

ODD_SIZES = ((13, 10), (1, 7), (9, 1))
"""LR pictures that are multiples of nothing, and as narrow as can be."""

FALL = 0.8
"""A network that learns one batch by heart has less than this share of its first loss left, ..."""
STEPS = 60
"""... after so many steps of Adam ..."""
RATES = (1e-3, 1e-4)
"""... at one of these rates."""

DRAWS = 12
"""So many networks are drawn before a gradient counts as zero: of several experts, some have to be chosen."""

BF16_ERROR = 0.1
"""Root mean square of what bf16 changes, as a share of that of SR; its numbers have 8 bits."""

TILE_ERROR = 0.05
"""Root mean square of what the rest of the picture changes in the middle of a tile, as a share of SR's own
standard deviation. What sees a neighbourhood alone stays below 0.001, a mean over all pixels does not."""


def _needs_training(subject: Subject) -> None:
    if not subject.component.trainable:
        raise NotDemanded("It is registered with trainable=False.")
    if not any(one.requires_grad for one in build(subject).parameters()):
        raise Fault(
            "It has no parameter to train. Register it with trainable=False, or let its weights be nn.Parameter."
        )


def _wrong(network: nn.Module, lr: Tensor, scale: int) -> str | None:
    """What is wrong with the size of what it gives of LR, which it takes as it is; None: nothing."""
    size = f"LR of {lr.shape[-2]}×{lr.shape[-1]} at ×{scale}"
    try:
        with torch.no_grad():
            prediction = as_prediction(network.eval()(lr), scale)
    except (Exception, SystemExit) as error:
        return f"{size} ends in {type(error).__name__}: {error}"
    for factor, sr in prediction.items():
        expected = (*lr.shape[:2], lr.shape[-2] * factor, lr.shape[-1] * factor)
        if tuple(sr.shape) != expected:
            return f"{size} gives SR {tuple(sr.shape)}, and not {expected}"
    return None


@promise("model", "builder")
def builder(subject: Subject) -> None:
    """Its builder has a docstring and annotated parameters, and each default fits its annotation."""
    check_builder(subject.component)


@promise("model", "offline")
def offline(subject: Subject) -> None:
    """It is imported and built without the network."""
    with no_network() as hosts:
        try:
            build(subject)
        finally:
            check_offline(hosts, "Building it")


@promise("model", "size multiple")
def size_multiple(subject: Subject) -> None:
    """It takes LR of every size whose sides are multiples of its size multiple, as it is."""
    model: Model = subject.component
    declared, scale = multiple_of(subject), scales_of(subject.component)[0]
    network = build(subject)

    def complaint(multiple: int) -> str | None:
        for height, width in ((multiple, 3 * multiple), (2 * multiple, multiple), (5 * multiple, 4 * multiple)):
            wrong = _wrong(network, photograph(height, width, plane_seen(model)), scale)
            if wrong is not None:
                return wrong
        return None

    wrong = complaint(declared)
    if wrong is None:
        return
    fits = next((one for one in (2, 3, 4, 6, 8, 12, 16, 32, 64) if complaint(one) is None), None)
    raise Fault(
        f"{wrong}, though size_multiple={declared} says that it can. "
        + (
            f"Multiples of {fits} work: register it with size_multiple={fits}, or pad inside forward."
            if fits
            else "No multiple up to 64 works: mend its forward."
        )
    )


@promise("model", "shapes")
def shapes(subject: Subject) -> None:
    """SR has the size of LR times the scale, at every declared scale and at odd sizes, padded as scoring does."""
    model: Model = subject.component
    multiple = multiple_of(subject)
    for scale in scales_of(model):
        network = build(subject, scale)
        networks = dict.fromkeys(networks_of(model.channels), network)
        try:
            scales = predicted_scales(networks, scale, multiple, CPU)
        except UsageError as error:
            raise Fault(f"At ×{scale}: {error} Return a tensor, or a dict from scale to SR.") from error
        except Exception as error:
            raise Fault(
                f"At ×{scale} it fails on an LR picture: {type(error).__name__}: {error}. Mend its forward, or "
                f"leave {scale} out of scales."
            ) from error
        for height, width in ODD_SIZES:
            size = f"LR of {height}×{width} at ×{scale}"
            try:
                with torch.no_grad():
                    prediction = predict(
                        networks, model.channels, photograph(height, width), scale, multiple
                    )
            except Exception as error:
                raise Fault(
                    f"{size} ends in {type(error).__name__}: {error}. Pad by replication inside forward, or "
                    "register a size_multiple that it needs."
                ) from error
            for factor in scales:
                found, expected = tuple(prediction[factor].shape[-2:]), (height * factor, width * factor)
                if found != expected:
                    raise Fault(
                        f"{size} gives SR of {found[0]}×{found[1]} at ×{factor}, and not "
                        f"{expected[0]}×{expected[1]}. Mend its forward, or leave {scale} out of scales."
                    )
    _other_planes(subject)


def _other_planes(subject: Subject) -> None:
    """As many planes as another `--channels` would give it: they come out again, or the builder refuses."""
    model: Model = subject.component
    planes = 4 - planes_seen(model)
    scale = scales_of(model)[0]
    try:
        network = build(subject, planes=planes)
    except Fault as fault:
        if isinstance(fault.__cause__, UsageError):
            return
        raise
    side = lr_side(multiple_of(subject))
    wrong = _wrong(network, photograph(side, side, "rgb" if planes == 3 else "y"), scale)
    if wrong is not None:
        raise Fault(
            f"Built with planes={planes}, which another --channels asks for: {wrong}. Use `planes` for the "
            "channels of LR and SR, or raise ValueError where it takes no others."
        )


@promise("model", "finite")
def finite(subject: Subject) -> None:
    """Black, white and real pictures give numbers, in training and in scoring."""
    model: Model = subject.component
    scale, side = scales_of(model)[0], lr_side(multiple_of(subject))
    network = build(subject)
    real = photograph(side, side, plane_seen(model))
    for name, lr in {"black": 0 * real, "white": 0 * real + 1, "real": real}.items():
        for training in (False, True):
            with torch.no_grad():
                # Two, where training has them: what normalises over a batch needs more than one.
                prediction = as_prediction(network.train(training)(lr.expand(2, -1, -1, -1).clone()), scale)
            for factor, sr in prediction.items():
                if not sr.isfinite().all():
                    raise Fault(
                        f"Of a {name} picture it makes NaN or infinite values at ×{factor} "
                        f"{'in training' if training else 'in scoring'}. Look for divisions by a deviation or a "
                        "norm without an epsilon, and for layers whose weights were never initialised."
                    )


@promise("model", "input")
def keeps_input(subject: Subject) -> None:
    """It leaves the LR picture as it was: losses look at it afterwards."""
    side = lr_side(multiple_of(subject))
    network = build(subject)
    lr = photograph(side, side, plane_seen(subject.component)).repeat(2, 1, 1, 1)
    lr = lr.contiguous(memory_format=torch.channels_last)
    for training in (False, True):
        before = lr.clone()
        with torch.no_grad():
            network.train(training)(lr)
        if not torch.equal(lr, before):
            raise Fault(
                "Its forward changes the LR picture that it is given. Copy it first, or take an operation "
                "without a trailing underscore (and no inplace=True on what comes in)."
            )


@promise("model", "batch")
def batch_independence(subject: Subject) -> None:
    """In scoring, what comes of a picture does not depend on the pictures beside it."""
    model: Model = subject.component
    scale, side = scales_of(model)[0], lr_side(multiple_of(subject))
    network = build(subject)
    lr = torch.cat([photograph(side, side, plane_seen(model), number=number) for number in range(3)])
    together = forward(network, lr, scale)
    for number in range(len(lr)):
        alone = forward(network, lr[number : number + 1], scale)
        apart = float((together[number] - alone[0]).abs().max())
        if apart > 1e-4 * max(1.0, float(alone.abs().max())):
            raise Fault(
                f"A picture comes out {apart:.2g} apart when two others are in its batch. In scoring, statistics "
                "must be those of training (nn.BatchNorm2d with track_running_stats) or of the picture alone."
            )


@promise("model", "repeatable")
def repeatable(subject: Subject) -> None:
    """The same picture gives the same bits, and so does training from the same seeds."""
    model: Model = subject.component
    scale, side = scales_of(model)[0], lr_side(multiple_of(subject))
    network = build(subject)
    lr = photograph(side, side, plane_seen(model))
    with exactly():
        if not torch.equal(forward(network, lr, scale), forward(network, lr, scale)):
            raise Fault(
                "The same picture gave two results in scoring. Draw nothing there (self.training says which it "
                "is), and keep nothing from one call to the next."
            )
        if model.trainable:
            one, other = (_trained(subject, steps=2) for _ in range(2))
            different = [name for name, tensor in one.items() if not torch.equal(tensor, other[name])]
            if different:
                raise Fault(
                    f"Two trainings from the same seeds part after two steps, in {count_of(different)}. Draw "
                    "noise in forward from torch's generator alone (torch.rand, nn.Dropout): srbench seeds it "
                    "for each step."
                )


def _trained(subject: Subject, steps: int) -> dict[str, Tensor]:
    network, scale = build(subject), scales_of(subject.component)[0]
    lr, hr = patches(plane_seen(subject.component), scale, lr_side(multiple_of(subject)))
    losses = first_steps(network, 1e-3, lambda step: (lr, hr), scale)
    for _ in range(steps + 1):
        next(losses)
    return network.state_dict()


@promise("model", "seeded")
def seeded(subject: Subject) -> None:
    """It is drawn from torch's generator alone, which it does not seed: another seed is another network."""
    generators = {
        "random": (random.getstate, "Python's random"),
        "numpy": (lambda: np.random.get_state()[1].tobytes(), "numpy.random"),  # type: ignore[index,union-attr]
    }
    before = {name: state() for name, (state, _) in generators.items()}  # type: ignore[no-untyped-call]
    one, again = build(subject).state_dict(), build(subject).state_dict()
    for name, (state, called) in generators.items():
        if state() != before[name]:  # type: ignore[no-untyped-call]
            raise Fault(
                f"Its builder draws from {called}, which nobody seeds for it, or seeds it. Draw from torch "
                "(torch.rand, nn.init): srbench seeds torch's generator before the builder is called."
            )
    different = [name for name, tensor in one.items() if not torch.equal(tensor, again[name])]
    if different:
        raise Fault(
            f"Two networks of one seed differ in {count_of(different)}. Draw from torch's own generator "
            "(torch.rand, nn.init), and read no uninitialised memory: torch.empty must be filled."
        )
    states = []
    for seed in (0, 1):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            subject.make(planes=planes_seen(subject.component), scale=scales_of(subject.component)[0])
            states.append(torch.random.get_rng_state())
    if torch.equal(*states):
        raise Fault(
            "Its builder seeds torch's generator itself, so that --seed changes nothing. Leave torch.manual_seed "
            "out, or take a torch.Generator of its own for what has to be fixed."
        )


@promise("model", "gradients")
def gradients(subject: Subject) -> None:
    """In training, L1 gives every trainable parameter a gradient within the first steps."""
    _needs_training(subject)
    scale = scales_of(subject.component)[0]
    plane, side = plane_seen(subject.component), lr_side(multiple_of(subject))
    dead: set[str] | None = None
    zero: set[str] | None = None
    for draw in range(DRAWS):
        network = build(subject, seed=draw)
        trained = {name: one for name, one in network.named_parameters() if one.requires_grad}
        dead, zero = (set(trained) if names is None else names for names in (dead, zero))
        losses = first_steps(network, 1e-3, lambda step: patches(plane, scale, side, first=step), scale)
        for _ in range(3):  # the layers before one that begins at zero get theirs a step later
            next(losses)
            dead -= {name for name in dead if trained[name].grad is not None}
            zero = {name for name in zero if (grad := trained[name].grad) is None or not grad.any()}
        if dead:
            raise Fault(
                f"{count_of(sorted(dead))}, of {len(trained)} trainable parameters, had no part in SR. Use "
                "them in forward, remove them, or set requires_grad_(False) where they are to stay as they are."
            )
        if not zero:
            return
    raise Fault(
        f"The gradient of {count_of(sorted(zero or ()))} stayed zero, however the network was drawn. Look for a "
        "clamp of SR in forward, a ReLU after which nothing is left, or a factor of zero that is not trained."
    )


@promise("model", "learns")
def learns(subject: Subject) -> None:
    """It learns one batch by heart: its L1 falls by a fifth within 60 steps of Adam."""
    _needs_training(subject)
    model, scale = subject.component, scales_of(subject.component)[0]
    lr, hr = patches(plane_seen(model), scale, lr_side(multiple_of(subject)))
    best = {}
    for rate in RATES:
        losses = first_steps(build(subject), rate, lambda step: (lr, hr), scale)
        first = least = next(losses)
        for _ in range(STEPS):
            least = min(least, next(losses))
            if least < FALL * first:
                return
        best[rate] = least / first
    told = ", ".join(f"{share:.2f} of its first loss at a rate of {rate:g}" for rate, share in best.items())
    raise Fault(
        f"After {STEPS} steps on one batch it had {told} left. Look for a detach or torch.no_grad in forward, "
        "saturated activations, or an initialisation many times too small or large."
    )


@promise("model", "state")
def state(subject: Subject) -> None:
    """A checkpoint brings back every bit: weights, SR, and the training step that follows."""
    _needs_training(subject)
    scale, side = scales_of(subject.component)[0], lr_side(multiple_of(subject))
    plane = plane_seen(subject.component)
    lr, hr = patches(plane, scale, side)
    spec = spec_of(subject)
    first = TrainingState(spec, CPU)
    with exactly(), tempfile.TemporaryDirectory() as folder:
        for step in range(2):
            _step(first, lr, hr, step)
        saved = Checkpoint(2, weights(first.scored), first.tensors(), first.scalars())
        read = read_checkpoint(write_checkpoint(Path(folder) / "checkpoints", saved, spec.sha256), spec.sha256)
        second = TrainingState(spec_of(subject, seed=1), CPU)
        try:
            second.load(read.model, read.state, read.scalars)
        except CheckpointError as error:
            raise Fault(
                f"Its own checkpoint does not fit it: {error} Make the modules that its state_dict names when "
                "it is built, and not in forward."
            ) from error
        _compare(first, second, "comes back as something else")
        if not torch.equal(*(forward(one.scored[plane], lr, scale) for one in (first, second))):
            raise Fault(
                "After loading, SR is another one. Something that forward uses is in no state_dict: keep it as "
                "an nn.Parameter, or with register_buffer."
            )
        for one in (first, second):
            _step(one, lr, hr, 2)
        _compare(first, second, "is another one after the step that follows a resume")
    _check_strict(first)


def _step(state: TrainingState, lr: Tensor, hr: dict[int, Tensor], step: int) -> None:
    (plane,) = state.networks
    network, optimizer = state.networks[plane].train(), state.optimizers[plane]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(step)
        loss = l1(network, lr, hr, max(hr))
    optimizer.zero_grad()
    torch.autograd.backward(loss, inputs=state.parameters(plane))
    optimizer.step()
    state.average(0.9)


def _compare(first: TrainingState, second: TrainingState, what: str) -> None:
    one, other = ({**state.tensors(), **weights(state.scored)} for state in (first, second))
    names = [name for name in one if name not in other or not torch.equal(one[name], other[name])]
    if names:
        raise Fault(
            f"{count_of(names)} {what}. All that training changes must be a parameter or a buffer "
            "(register_buffer), not a plain attribute, and state_dict must hold it."
        )


def _check_strict(state: TrainingState) -> None:
    stored = weights(state.networks)
    name, tensor = next(iter(stored.items()))
    for what, wrong in {
        f"without {name}": {key: one for key, one in stored.items() if key != name},
        "with a name that it does not have": {**stored, f"{name}_of_another": tensor},
    }.items():
        try:
            load_weights(copy.deepcopy(state.networks), wrong)
        except CheckpointError:
            continue
        raise Fault(
            f"It takes a state {what} without a word, so a checkpoint of another network would pass for its "
            "own. Leave load_state_dict strict."
        )


@promise("model", "bf16")
def bf16(subject: Subject) -> None:
    """Under bf16 autocast, as runs train on most GPUs, SR stays within a tenth of float32's and gradients finite."""
    _needs_training(subject)
    model, scale = subject.component, scales_of(subject.component)[0]
    network = build(subject)
    lr, hr = patches(plane_seen(model), scale, lr_side(multiple_of(subject)))
    exact = forward(network, lr, scale)
    try:
        with torch.autocast("cpu", torch.bfloat16):
            rounded = forward(network, lr, scale).float()
            with torch.random.fork_rng(devices=[]):
                loss = l1(network.train(), lr, hr, scale)
        loss.backward()
    except (RuntimeError, TypeError) as error:
        raise Fault(
            f"Under bf16 autocast it ends in {type(error).__name__}: {str(error).splitlines()[0]}. Make "
            "tensors in the dtype of what they meet (x.new_zeros, .to(x)), or compute that part in float32 "
            "within torch.autocast(x.device.type, enabled=False)."
        ) from error
    error = float((rounded - exact).square().mean().sqrt() / exact.square().mean().sqrt().clamp_min(1e-6))
    if not error <= BF16_ERROR:
        raise Fault(
            f"bf16 changes SR by {error:.0%} (root mean square), where {BF16_ERROR:.0%} is what its rounding "
            "comes to. Compute sums over many values, softmax and norms in float32 within "
            "torch.autocast(x.device.type, enabled=False)."
        )
    bad = [
        name for name, one in network.named_parameters() if one.grad is not None and not one.grad.isfinite().all()
    ]
    if bad:
        raise Fault(f"Under bf16 autocast the gradient of {count_of(bad)} is not finite.")


@promise("model", "device")
def device(subject: Subject) -> None:
    """All its tensors move with it to another device, and forward makes none elsewhere."""
    scale = scales_of(subject.component)[0]
    side = lr_side(multiple_of(subject))
    lr = photograph(side, side, plane_seen(subject.component))
    mixed_devices(build(subject).eval(), lr, scale)


@promise("model", "tiles")
def tiles(subject: Subject) -> None:
    """Where it may see tiles: the middle of a tile comes out as in the whole picture, whatever lies around."""
    model: Model = subject.component
    if not model.tileable:
        raise NotDemanded("It is registered with tileable=False.")
    multiple, scale = multiple_of(subject), scales_of(model)[0]
    offset, tile = -(-16 // multiple) * multiple, -(-40 // multiple) * multiple
    whole = photograph(tile + 2 * offset, tile + 2 * offset, plane_seen(model))
    # Around a dark tile another picture, and a bright one, so that means and deviations differ.
    inside = F.pad(torch.ones_like(whole[..., :tile, :tile]), (offset,) * 4) > 0
    around = 1 - 0.3 * photograph(*whole.shape[-2:], plane_seen(model), number=1)
    whole = torch.where(inside, 0.5 * whole, around)
    network = build(subject)
    expected = forward(network, whole, scale)
    part = whole[..., offset : offset + tile, offset : offset + tile]
    found = forward(network, part, scale)
    middle = slice(tile // 2 * scale - 4 * scale, tile // 2 * scale + 4 * scale)
    shifted = slice(middle.start + offset * scale, middle.stop + offset * scale)
    change = found[..., middle, middle] - expected[..., shifted, shifted]
    error = float(change.square().mean().sqrt() / expected.std().clamp_min(1e-6))
    if error > TILE_ERROR:
        raise Fault(
            f"In the middle of a tile of {tile}×{tile}, {offset} pixels more of the picture on each side change "
            f"SR by {error:.0%} of its standard deviation: the network looks at a whole picture at once. "
            "Register it with tileable=False, so that --tile is refused, or make it look at a neighbourhood "
            "alone."
        )


@promise("model", "recipes")
def recipes(subject: Subject) -> None:
    """Each recipe names settings, a loss and an optimizer that there are, and can be planned at every scale."""
    model: Model = subject.component
    if not model.recipes:
        raise NotDemanded("It has no recipes.")
    missing = []
    for name in model.recipes:
        for scale in scales_of(model):
            try:
                settings = settings_of(model, subject.settings, scale, name, {})
                budget = budget_of(settings)
                given = fields_of(settings, budget)
                given["loss"] = loss_terms(settings["loss"], model.channels)
                spec = spec_of(subject).model_copy(update={**given, "channels": model.channels, "scale": scale})
                try_out(spec)
                check_patch(spec)
            except UsageError as error:
                if isinstance(error.__cause__, MetricUnavailable):
                    missing.append(f"{name}: {error}")
                    continue
                raise Fault(f"Recipe {name!r} cannot be used at ×{scale}. {error}") from error
    if missing:
        raise NotDemanded(missing[0])


@promise("model", "reader")
def reader(subject: Subject) -> None:
    """Its reader of weights files refuses what is none by a ValueError that says why."""
    model: Model = subject.component
    if model.reader is None:
        raise NotDemanded("It has no reader.")
    read = _resolved(model.reader, "reader")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.bin"
        path.write_bytes(b"no weights\n")
        offered = {"path": path, "planes": planes_seen(model), "scale": scales_of(model)[0], **subject.settings}
        try:
            read(**called_with(read, offered))
        except (ValueError, SrbenchError) as refusal:
            if not str(refusal).strip():
                raise Fault("Its reader refuses a file without saying why. Give the ValueError a text.") from refusal
        except Exception as error:
            raise Fault(
                f"Of a file that holds no weights, its reader says {type(error).__name__}: {error}. Catch what "
                "parsing raises, and raise ValueError with what is wrong with the file."
            ) from error
        else:
            raise Fault("Its reader takes a text file for weights. Raise ValueError where a file is none.")


@promise("model", "terms")
def terms(subject: Subject) -> None:
    """What it tells its users before use is text, with and without settings."""
    model: Model = subject.component
    if model.terms is None:
        raise NotDemanded("It tells nothing before use.")
    tell = _resolved(model.terms, "terms")
    of_run = {**subject.settings, "planes": planes_seen(model), "scale": scales_of(model)[0]}
    for available in ({}, of_run):
        told: Any = tell(**called_with(tell, available))
        if not isinstance(told, str):
            raise Fault(f"Its terms are {type(told).__name__}, not text. Return a str, empty where there are none.")


def _resolved(target: Any, name: str) -> Any:
    try:
        function = resolve(target)
    except (Exception, SystemExit) as error:
        raise Fault(f"Its {name} cannot be loaded from {target} ({type(error).__name__}: {error}).") from error
    if not callable(function):
        raise Fault(f"Its {name} {target} is {type(function).__name__}, and no function.")
    inspect.signature(function)
    return function
