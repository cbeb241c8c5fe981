"""What is promised of models in training: gradients, learning, checkpoints, bf16."""

import copy
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from srbench.checkpoint.format import Checkpoint
from srbench.checkpoint.read import read_checkpoint
from srbench.checkpoint.write import write_checkpoint
from srbench.errors import CheckpointError
from srbench.testing.conformance import Fault, NotDemanded, Subject, promise
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
    plane_seen,
    scales_of,
    spec_of,
)
from srbench.train.state import TrainingState, load_weights, weights

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


def _needs_training(subject: Subject) -> None:
    if not subject.component.trainable:
        raise NotDemanded("It is registered with trainable=False.")
    if not any(one.requires_grad for one in build(subject).parameters()):
        raise Fault(
            "It has no parameter to train. Register it with trainable=False, or let its weights be "
            "nn.Parameter."
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
                "them in forward, remove them, or set requires_grad_(False) where they are to stay as they "
                "are."
            )
        if not zero:
            return
    raise Fault(
        f"The gradient of {count_of(sorted(zero or ()))} stayed zero, however the network was drawn. Look "
        "for a clamp of SR in forward, a ReLU after which nothing is left, or a factor of zero that is not "
        "trained."
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
        f"After {STEPS} steps on one batch it had {told} left. Look for a detach or torch.no_grad in "
        "forward, saturated activations, or an initialisation many times too small or large."
    )


@promise("model", "state")
def state(subject: Subject) -> None:
    """A checkpoint brings back every bit: weights, SR, and the training step that follows."""
    _needs_training(subject)
    scale, side = scales_of(subject.component)[0], lr_side(multiple_of(subject))
    plane = plane_seen(subject.component)
    lr, hr = patches(plane, scale, side)
    spec = spec_of(subject)
    _check_modules(build(subject), lr)
    first = TrainingState(spec, CPU)
    with exactly(), tempfile.TemporaryDirectory() as folder:
        for step in range(2):
            _step(first, lr, hr, step)
        saved = Checkpoint(2, weights(first.scored), first.tensors(), first.scalars())
        read = read_checkpoint(write_checkpoint(Path(folder), saved, spec.sha256), spec.sha256)
        second = TrainingState(spec_of(subject, seed=1), CPU)
        try:
            second.load(read.model, read.state, read.scalars)
        except CheckpointError as error:
            raise Fault(f"Its own checkpoint does not fit it: {error}") from error
        _compare(first, second, "Out of its own checkpoint")
        if not torch.equal(*(forward(one.scored[plane], lr, scale) for one in (first, second))):
            raise Fault(
                "After loading, SR is another one. Something that forward uses is in no state_dict: keep "
                "it as an nn.Parameter, or with register_buffer."
            )
        for one in (first, second):
            _step(one, lr, hr, 2)
        _compare(first, second, "After the step that follows a resume")
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


def _check_modules(network: nn.Module, lr: Tensor) -> None:
    """That all is made when it is built: what forward makes later is in no optimizer."""
    before = set(network.state_dict())
    with torch.no_grad():
        network.train()(lr)
    new = sorted(set(network.state_dict()) - before)
    if new:
        raise Fault(
            f"{count_of(new)} came with the first forward pass, so nothing trains it and no checkpoint fits. "
            "Make all layers when the network is built, and not in forward."
        )


def _compare(first: TrainingState, second: TrainingState, when: str) -> None:
    one, other = ({**state.tensors(), **weights(state.scored)} for state in (first, second))
    names = [name for name in one if name not in other or not torch.equal(one[name], other[name])]
    if names:
        raise Fault(
            f"{when} it has another {count_of(names)}. All that training changes must be a parameter or a "
            "buffer (register_buffer), not a plain attribute, and state_dict must hold it."
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
    """Under bf16 autocast SR stays within a tenth of float32's, and gradients are finite."""
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
        torch.autograd.backward(loss)
    except (RuntimeError, TypeError) as error:
        raise Fault(
            f"Under bf16 autocast it ends in {type(error).__name__}: {str(error).splitlines()[0]}. Make "
            "tensors in the dtype of what they meet (x.new_zeros, .to(x)), or compute that part in float32 "
            "within torch.autocast(x.device.type, enabled=False)."
        ) from error
    apart = float((rounded - exact).square().mean().sqrt() / exact.square().mean().sqrt().clamp_min(1e-6))
    if not apart <= BF16_ERROR:
        raise Fault(
            f"bf16 changes SR by {apart:.0%} (root mean square), where {BF16_ERROR:.0%} is what its rounding "
            "comes to. Compute sums over many values, softmax and norms in float32 within "
            "torch.autocast(x.device.type, enabled=False)."
        )
    bad = [
        name
        for name, one in network.named_parameters()
        if one.grad is not None and not one.grad.isfinite().all()
    ]
    if bad:
        raise Fault(f"Under bf16 autocast the gradient of {count_of(bad)} is not finite.")
