"""What is promised of models: what they make of pictures.

Networks are untrained and pictures small, so that a model of some million parameters is through in a minute.
"""

import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from srbench.components import Model
from srbench.errors import UsageError
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
    lr_side,
    multiple_of,
    patches,
    plane_seen,
    planes_seen,
    scales_of,
    wrong_size,
)
from srbench.testing.photographs import photograph
from srbench.types import networks_of

ODD_SIZES = ((13, 10), (1, 7), (9, 1))
"""LR pictures that are multiples of nothing, and as narrow as can be."""

TILE_ERROR = 0.05
"""Root mean square of what the rest of the picture changes in the middle of a tile, as a share of SR's own
standard deviation. What sees a neighbourhood alone stays below 0.001, a mean over all pixels does not."""


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
        for height, width in (
            (multiple, 3 * multiple),
            (2 * multiple, multiple),
            (5 * multiple, 4 * multiple),
        ):
            wrong = wrong_size(network, photograph(height, width, plane_seen(model)), scale)
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
    """SR has the size of LR times the scale, at all its scales and at odd sizes, padded as scoring does."""
    model: Model = subject.component
    multiple = multiple_of(subject)
    for scale in scales_of(model):
        network = build(subject, scale)
        networks = dict.fromkeys(networks_of(model.channels), network)
        side = lr_side(multiple)
        wrong = wrong_size(network, photograph(side, side + multiple, plane_seen(model)), scale)
        if wrong is not None:
            raise Fault(f"{wrong}. Mend its forward, or leave {scale} out of scales.")
        scales = predicted_scales(networks, scale, multiple, CPU)
        for height, width in ODD_SIZES:
            size = f"LR of {height}×{width} at ×{scale}"
            try:
                with torch.no_grad():
                    prediction = predict(networks, model.channels, photograph(height, width), scale, multiple)
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
    wrong = wrong_size(network, photograph(side, side, "rgb" if planes == 3 else "y"), scale)
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
                        f"{'in training' if training else 'in scoring'}. Look for divisions by a deviation "
                        "or a norm without an epsilon, and for layers whose weights were never initialised."
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
                f"A picture comes out {apart:.2g} apart when two others are in its batch. In scoring, "
                "statistics must be those of training (nn.BatchNorm2d with track_running_stats) or of the "
                "picture alone."
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
                "The same picture gave two results in scoring. Draw nothing there (self.training says "
                "which it is), and keep nothing from one call to the next."
            )
        if model.trainable:
            one, other = (_trained(subject, steps=2) for _ in range(2))
            different = [name for name, tensor in one.items() if not torch.equal(tensor, other[name])]
            if different:
                raise Fault(
                    f"Two trainings from the same seeds part after two steps, in {count_of(different)}. "
                    "Draw noise in forward from torch's generator alone (torch.rand, nn.Dropout): srbench "
                    "seeds it for each step."
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
        "numpy": (lambda: np.random.get_state()[1].tobytes(), "numpy.random"),  # type: ignore[index]
    }
    before = {name: state() for name, (state, _) in generators.items()}
    one, again = build(subject).state_dict(), build(subject).state_dict()
    for name, (state, called) in generators.items():
        if state() != before[name]:
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
            "Its builder seeds torch's generator itself, so that --seed changes nothing. Leave "
            "torch.manual_seed out, or take a torch.Generator of its own for what has to be fixed."
        )


@promise("model", "device")
def device(subject: Subject) -> None:
    """All its tensors move with it to another device, and forward makes none elsewhere."""
    scale = scales_of(subject.component)[0]
    side = lr_side(multiple_of(subject))
    lr = photograph(side, side, plane_seen(subject.component))
    mixed_devices(build(subject).eval(), lr, scale)


@promise("model", "tiles")
def tiles(subject: Subject) -> None:
    """Where it may see tiles: the middle of one comes out as in the whole picture, whatever lies around."""
    model: Model = subject.component
    try:
        if not model.sees_tiles(subject.settings):
            raise NotDemanded("It is registered as one that must see whole pictures.")
    except UsageError as reason:
        raise Fault(f"Its tileable comes to no answer: {reason}") from reason
    multiple, scale = multiple_of(subject), scales_of(model)[0]
    offset, tile = -(-16 // multiple) * multiple, -(-40 // multiple) * multiple
    whole = photograph(tile + 2 * offset, tile + 2 * offset, plane_seen(model))
    # Around a dark tile another picture, and a bright one, so that means and deviations differ.
    inside = F.pad(torch.ones_like(whole[..., :tile, :tile]), (offset,) * 4) > 0
    around = 1 - 0.3 * photograph(tile + 2 * offset, tile + 2 * offset, plane_seen(model), number=1)
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
            f"In the middle of a tile of {tile}×{tile}, {offset} pixels more of the picture on each side "
            f"change SR by {error:.0%} of its standard deviation: the network looks at a whole picture at "
            "once. Register it with tileable=False, so that --tile is refused, or make it look at a "
            "neighbourhood alone."
        )
