"""The loss microscope: what losses ask of real SR pictures, ring of frequencies by ring of frequencies.

sources.py   a run, or a model as it is built → patches of SR, HR and LR
spectrum.py  gradient and error → pull of each ring
show.py      as a table, Markdown or JSON; chart.py as a picture
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from srbench.datasets import TestSet
from srbench.errors import SizeError, UsageError
from srbench.metrics.detail import window_size
from srbench.predict import compose, plane_of
from srbench.probe.sources import AskedLoss, Patches, Subject, no_room, patches_of
from srbench.probe.spectrum import Rings, ring_sums, total
from srbench.train.losses import BoundLoss
from srbench.train.sampling import seed_of
from srbench.types import Plane, networks_of


@dataclass(frozen=True)
class Probe:
    """What losses ask for.

    Args:
        subject: whose errors were looked at.
        test: the pictures' set.
        pictures, patches: how many were used.
        window: side of a window in pixels; there are window/2 rings.
        planes: what networks predict: some of r, g, b; or y.
        rings: loss as typed → plane → its rings.
        notes: what is to be known beside the figures.
    """

    subject: Subject
    test: TestSet
    pictures: int
    patches: int
    window: int
    planes: tuple[Plane, ...]
    rings: Mapping[str, Mapping[Plane, Rings]]
    notes: Sequence[str]


def probe(
    subject: Subject,
    test: TestSet,
    losses: Sequence[AskedLoss],
    number: int,
    check: Callable[[], None],
    *,
    quiet: bool = False,
) -> Probe:
    """The rings of each loss on about `number` patches of a test set.

    Losses are given patches of the size of training, as many at a time as a picture gives, and the output at
    the full scale alone. The gradient is that with respect to what the networks predict: of a loss on the
    RGB picture, what comes through to their planes.

    Args:
        subject: from `run_subject` or `model_subject`.
        test: real pictures.
        losses: at least one.
        number: patches.
        check: called between two pictures; raises to stop.
        quiet: no progress bar.

    Raises:
        DatasetError: no picture is large enough.
        UsageError: a loss cannot work on patches of this size.
        PictureError: a picture cannot be decoded.
        StoppedError: by `check`.
    """
    size = window_size(subject.scale)
    planes: tuple[Plane, ...] = (
        ("r", "g", "b") if subject.channels in ("rgb", "r,g,b") else networks_of(subject.channels)
    )
    found: dict[str, list[Rings]] = {asked.label: [] for asked in losses}
    pictures = patches = 0
    for batch in patches_of(subject, test, number, check, quiet=quiet):
        pictures, patches = pictures + 1, patches + len(batch.sr)
        for asked in losses:
            try:
                found[asked.label].append(_rings(subject, asked, batch, size))
            except SizeError as error:
                raise UsageError(
                    f"Loss {asked.label!r} cannot be probed on patches of {subject.side}×{subject.side} "
                    f"pixels: {error}."
                ) from error
    if not patches:
        raise no_room(subject, test)
    rings = {
        label: {plane: Rings(*(field[at].cpu() for field in together)) for at, plane in enumerate(planes)}
        for label, parts in found.items()
        for together in [total(parts)]
    }
    return Probe(subject, test, pictures, patches, size, planes, rings, list(_notes(rings, pictures, test)))


def _rings(subject: Subject, asked: AskedLoss, batch: Patches, size: int) -> Rings:
    """The rings of one loss on one batch, a plane each."""
    networks = networks_of(subject.channels)
    own = {plane: _own(batch.sr, plane).detach().clone().requires_grad_() for plane in networks}
    hr = {plane: plane_of(batch.hr, plane) for plane in networks}
    devices = [subject.device] if subject.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), torch.enable_grad():
        torch.manual_seed(seed_of("probe", asked.label))
        value = torch.stack([*_terms(subject, asked, batch, own, hr)]).sum()
        # A loss is a mean over the patches it is given; of all batches together, each patch counts alike.
        leaves = list(own.values())
        gradients = (
            torch.autograd.grad(value * len(batch.sr), leaves, allow_unused=True)
            if value.requires_grad
            else [None] * len(leaves)
        )
    gradient = torch.cat(
        [torch.zeros_like(leaf) if one is None else one for leaf, one in zip(leaves, gradients, strict=True)],
        dim=1,
    )
    error = torch.cat([hr[plane] - own[plane].detach() for plane in networks], dim=1)
    return ring_sums(gradient, error, size)


def _terms(
    subject: Subject,
    asked: AskedLoss,
    batch: Patches,
    own: Mapping[Plane, Tensor],
    hr: Mapping[Plane, Tensor],
) -> Iterator[Tensor]:
    """The terms of the sum: those of each network's plane, and those of the picture put together."""
    scale, step = subject.scale, subject.step

    def value(loss: BoundLoss, sr: Tensor, hr: Tensor, lr: Tensor) -> Tensor:
        return loss({scale: sr}, {scale: hr}, lr, scale, step)

    for plane, sr in own.items():
        lr = plane_of(batch.lr, plane)
        for loss in asked.bound[plane]:
            if loss.component.domain == "plane":
                yield value(loss, sr, hr[plane], lr)
    whole = [one for one in asked.bound.get("rgb", []) if one.component.domain == "rgb"]
    if whole:
        picture = compose(subject.channels, {plane: {scale: sr} for plane, sr in own.items()}, batch.lr)
        for loss in whole:
            yield value(loss, picture[scale], batch.hr, batch.lr)


def _own(sr: Tensor, plane: Plane) -> Tensor:
    """What the network of a plane predicted of `sr`, which is RGB, or that plane alone."""
    return sr if sr.shape[1] == 1 else plane_of(sr, plane)


def _notes(rings: Mapping[str, Mapping[Plane, Rings]], pictures: int, test: TestSet) -> Iterator[str]:
    if pictures < min(len(test.pictures), 5):
        yield f"Few pictures of {test.name} have room for a patch: {pictures} of {len(test.pictures)}."
    if not all(float(one.error.sum()) > 0 for planes in rings.values() for one in planes.values()):
        yield "SR is HR in some plane, so there is no error that a loss could ask for."
        return
    for label, planes in rings.items():
        together = total(planes.values())
        if not bool(together.gradient.isfinite().all()):
            yield f"{label}: the gradient is not finite."
        elif float(together.gradient.sum()) == 0:
            yield f"{label}: the gradient is zero everywhere; it does not depend on SR."
        elif float(together.shared.sum()) <= 0:
            yield (
                f"{label}: over all rings together it does not pull SR towards HR, so there is no pull to "
                "divide by."
            )
