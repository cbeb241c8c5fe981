"""What is probed: the SR pictures of a run, or of a model as it is built; and patches of them."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from srbench.checkpoint.read import read_latest
from srbench.components import Model
from srbench.datasets import TestSet
from srbench.errors import DatasetError, SrbenchError, UsageError
from srbench.evaluate.upscalers import upscaler_of
from srbench.foreign.pictures import Pictures
from srbench.images.stochastic import Degradation
from srbench.images.tiles import lr_of, part_of, read_rgb
from srbench.memory import MemoryShortError
from srbench.metrics.detail import window_size
from srbench.plan import untrained_spec
from srbench.plan.settings import CORE_SETTINGS
from srbench.plan.terms import check_scale, component_spec, loss_facts, loss_terms, parse_channels
from srbench.predict import NetworkUpscaler, Upscaler
from srbench.progress import steps
from srbench.registry import registry
from srbench.spec import LossSpec, RunSpec
from srbench.store.runs import StoredRun
from srbench.train.losses import BoundLoss, bind_losses, learned
from srbench.train.state import build_networks
from srbench.types import BASELINE, Channels, Picture, Plane, networks_of

_MOST_SIDE = 512
"""Of what is put through networks: the middle of a larger picture is enough for a few patches."""

_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Subject:
    """What makes the SR pictures in whose errors losses are looked at.

    Args:
        name: the run's id, or the model with its scale.
        upscaler: LR → SR.
        channels: what networks see.
        scale: of the SR pictures.
        degrade: HR → LR where pictures have no LR of their own.
        step: of the weights; what losses are given as the training step.
        patch: side of the patches that losses are given: that of training, where a window fits into it.
        device: where.
    """

    name: str
    upscaler: Upscaler
    channels: Channels
    scale: int
    degrade: Degradation
    step: int
    patch: int
    device: torch.device

    @property
    def side(self) -> int:
        """Side of a patch in HR pixels: a window at least, and a multiple of the scale."""
        return math.ceil(max(self.patch, window_size(self.scale)) / self.scale) * self.scale


@dataclass(frozen=True)
class AskedLoss:
    """A loss as typed, bound as training binds it."""

    label: str
    bound: dict[Plane, list[BoundLoss]]


def spec_of(run: StoredRun) -> RunSpec:
    """The spec of a stored run."""
    return RunSpec.from_stored(run.record.spec)


def run_subject(run: StoredRun, test: TestSet, device: torch.device) -> Subject:
    """A run's SR pictures, by the weights that are scored (the moving average where that is on).

    Raises:
        CheckpointError: it has no sound checkpoint.
        DatasetError: its SR pictures, made elsewhere, are not of `test`.
        UsageError: its foreign file is gone or has changed.
    """
    spec = spec_of(run)
    step, upscaler = upscaler_of(spec, run.paths, [test], device)
    return _subject(run.id, spec, upscaler, step, device)


def model_subject(
    model: str, scale: int, channels: str | None, device: torch.device, degradation: str = BASELINE
) -> Subject:
    """The SR pictures of a model as it is built, untrained.

    Args:
        model: as typed.
        scale: factor.
        channels: as typed; None: the model's own.
        device: where.
        degradation: HR → LR, as typed.

    Raises:
        UsageError: a name, parameter, scale or channels that cannot be.
    """
    typed = component_spec("model", model)
    component: Model = registry().find("model", typed.name)
    check_scale(component, scale)
    chosen = parse_channels(channels or component.channels)
    spec = untrained_spec(typed, scale, component_spec("degradation", degradation), channels=chosen)
    upscaler = NetworkUpscaler(
        build_networks(spec, device),
        chosen,
        scale,
        component.padded_to(typed.params),
        component.sees_tiles(typed.params),
        device,
        called=component.title,
    )
    untrained = ", untrained" if component.trainable else ""
    return _subject(f"{model} ×{scale}{untrained}", spec, upscaler, 0, device)


def own_loss(run: StoredRun, device: torch.device) -> AskedLoss:
    """The loss a run was trained with; what the loss itself has learnt is read from the checkpoint.

    Raises:
        UsageError: it was not trained here, or a loss cannot be computed on this machine.
    """
    spec = spec_of(run)
    if spec.loss is None:
        raise UsageError(
            f"{run.id} was not trained here and has no loss of its own. Name what "
            "to look at: --loss charbonnier."
        )
    if spec.trainer is not None:
        raise UsageError(
            f"{run.id} was trained by {spec.trainer.name}, which is no loss of pictures. Name one to look "
            "at: --loss charbonnier."
        )
    for term in spec.loss:
        loss_facts(registry().find("loss", term.name), term.params)
    bound = _bound(spec.loss, spec.network_channels, spec.seeds.init, device)
    tensors = dict(learned(bound))
    stored = read_latest(run.paths.checkpoints, spec.sha256, run.id) if tensors else None
    if stored is not None:
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(stored.state[name])
    return AskedLoss("+".join(map(_text, spec.loss)), bound)


def typed_loss(text: str, subject: Subject) -> AskedLoss:
    """A loss as typed, as new.

    Raises:
        UsageError: an unknown name or parameter, or a loss of RGB pictures where there is one plane.
    """
    return AskedLoss(text, _bound(loss_terms(text, subject.channels), subject.channels, 0, subject.device))


@dataclass(frozen=True)
class Patches:
    """Patches of one picture: SR, HR and LR, RGB or the one plane there is, (N, C, H, W)."""

    sr: Tensor
    hr: Tensor
    lr: Tensor


def patches_of(
    subject: Subject, test: TestSet, number: int, check: Callable[[], None], *, quiet: bool = False
) -> Iterator[Patches]:
    """About `number` patches of a test set, the same ones every time, a picture after the other.

    Pictures without room for a patch give none.

    Raises:
        PictureError: a picture cannot be decoded.
        SrbenchError: memory is short.
        StoppedError: by `check`.
    """
    pictures = _spread(test.pictures, number)
    with steps(f"{subject.name}: probing {test.name}", len(pictures), check, quiet=quiet) as tick:
        for picture in pictures:
            hr, sr, lr = _triple(subject, test, picture)
            found = _cut(hr, sr, lr, subject, max(1, number // len(pictures)))
            if found is not None:
                yield found
            tick()


def no_room(subject: Subject, test: TestSet) -> DatasetError:
    """The error for a test set of which no picture has room for a patch."""
    return DatasetError(
        f"No picture of {test.name} has {subject.side}×{subject.side} pixels, the least that can be "
        f"probed of {subject.name}. Name a test set of larger pictures: --test sample."
    )


def _subject(name: str, spec: RunSpec, upscaler: Upscaler, step: int, device: torch.device) -> Subject:
    degradation = registry().find("degradation", spec.degradation.name)
    return Subject(
        name,
        upscaler,
        spec.network_channels,
        spec.scale,
        degradation.make(**spec.degradation.params),
        step,
        spec.patch or CORE_SETTINGS["patch"],
        device,
    )


def _bound(
    terms: tuple[LossSpec, ...], channels: Channels, seed: int, device: torch.device
) -> dict[Plane, list[BoundLoss]]:
    return bind_losses(terms, networks_of(channels), seed, device)


def _text(term: LossSpec) -> str:
    """`0.1*charbonnier:eps=1e-06`: what differs from the loss's defaults."""
    known = registry().find("loss", term.name).parameters
    given = ",".join(f"{key}={value}" for key, value in term.params.items() if value != known[key].default)
    weight = "" if term.weight == 1 else f"{term.weight:g}*"
    return weight + term.name + (f":{given}" if given else "")


def _spread(pictures: Sequence[Picture], number: int) -> list[Picture]:
    """At most `number` pictures, evenly spaced."""
    count = min(number, len(pictures))
    return [pictures[at * len(pictures) // count] for at in range(count)]


def _triple(subject: Subject, test: TestSet, picture: Picture) -> tuple[Tensor, Tensor, Tensor]:
    """HR, SR and LR of the middle of a picture, (1, C, H, W) each, on the device."""
    scale = subject.scale
    rows, columns = (_middle(side, scale) for side in read_rgb(picture, scale).shape[-2:])
    finished = isinstance(subject.upscaler, Pictures)  # of whole pictures, so it is cut afterwards
    part = part_of(picture, (rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start))
    middle = read_rgb(part, scale)
    lr = lr_of(part, middle, scale, subject.degrade).to(subject.device)
    try:
        sr = subject.upscaler(test.name, picture, lr)[scale]
    except (torch.OutOfMemoryError, MemoryShortError) as error:
        raise SrbenchError(
            f"{subject.name} cannot be probed on {subject.device}: memory is short for {picture.name} of "
            f"{test.name}. Free some, or take another --device."
        ) from error
    return middle.to(subject.device), (sr[..., rows, columns] if finished else sr).float(), lr


def _middle(side: int, scale: int) -> slice:
    """The middle of a side, a multiple of the scale long and beginning at one."""
    length = min(side, _MOST_SIDE // scale * scale)
    first = (side - length) // 2 // scale * scale
    return slice(first, first + length)


def _cut(hr: Tensor, sr: Tensor, lr: Tensor, subject: Subject, number: int) -> Patches | None:
    """At most `number` patches that do not overlap; None where there is room for none."""
    side, scale = subject.side, subject.scale
    places = [
        (top, left)
        for top in range(0, hr.shape[-2] - side + 1, side)
        for left in range(0, hr.shape[-1] - side + 1, side)
    ]
    if not places:
        return None
    # Multiples of the golden ratio spread any number of them over the picture, and every time alike.
    order = sorted(range(len(places)), key=lambda at: at * _GOLDEN % 1)[:number]

    def cut(x: Tensor, by: int) -> Tensor:
        boxes = [(places[at][0] // by, places[at][1] // by) for at in order]
        return torch.cat([x[..., t : t + side // by, left : left + side // by] for t, left in boxes])

    return Patches(cut(sr, 1), cut(hr, 1), cut(lr, scale))
