"""HR, LR, bicubic, and the SR of runs, of the same test pictures, as 8-bit pixels."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srbench.datasets import TestSet
from srbench.errors import PictureError, SrbenchError, StoppedError
from srbench.evaluate.upscalers import upscaler_of
from srbench.images.png import read_picture, to_pixels, to_tensor
from srbench.images.resize import resize_bicubic
from srbench.images.stochastic import Degradation
from srbench.images.tiles import lr_of, read_rgb
from srbench.memory import MemoryShortError
from srbench.metrics.protocol import prepare
from srbench.metrics.psnr import psnr
from srbench.predict import TILES, NetworkUpscaler, Upscaler, planes_like
from srbench.progress import steps
from srbench.registry import registry
from srbench.spec import RunSpec
from srbench.store.pictures import picture_file
from srbench.store.runs import StoredRun
from srbench.store.scores import Score, read_scores
from srbench.types import Picture, Plane, scored_planes
from srbench.views.names import names_of
from srbench.views.scenes import Scene

Pixels = NDArray[np.uint8]

_SAME_DB = 1e-4
"""A kept picture whose PSNR is that near to the stored score is the picture that was scored."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Original:
    """A test picture, 8-bit RGB.

    Args:
        hr: (H, W, 3), cut at bottom and right to a multiple of the scale.
        lr: (H / scale, W / scale, 3), what runs are given; rounded to be shown.
        bicubic: (H, W, 3), LR enlarged by the baseline.
    """

    hr: Pixels
    lr: Pixels
    bicubic: Pixels


@dataclass(frozen=True)
class Shown:
    """The SR pictures of a run.

    Args:
        run_id: of the run; `label`: what it is called among those asked for.
        step: of the weights they were made with; 0 for what is not trained here.
        planes: those that SR has: r, g, b and y; or the one of a run on a single plane.
        pictures: name → (H, W, 3) RGB, rounded as scoring does; three equal planes of a run that has one.
        missing: name → why there is no picture.
    """

    run_id: str
    label: str
    step: int
    planes: tuple[Plane, ...]
    pictures: Mapping[str, Pixels]
    missing: Mapping[str, str]


@dataclass(frozen=True)
class Gallery:
    """Test pictures and what runs made of them.

    Args:
        scene: what the runs have in common.
        originals: name → picture, in the order asked for.
        shown: a run each, those of the scene.
        shared: what all runs have in common beside the scale, in words.
        notes: what is not there, and why.
    """

    scene: Scene
    originals: Mapping[str, Original]
    shown: Sequence[Shown]
    shared: str
    notes: Sequence[str]


def gallery(
    scene: Scene,
    test: TestSet,
    names: Sequence[str],
    device: torch.device,
    check: Callable[[], None] = lambda: None,
    *,
    quiet: bool = True,
) -> Gallery:
    """The pictures of those names, and the SR of every run of the scene.

    Args:
        scene: whose runs; `best` bounds how many.
        test: its test set, from `set_of`.
        names: of pictures; how many there are bounds the work.
        device: where networks compute; the caller has set its engine.
        check: called between two pictures and passes of a network; raises to stop.
        quiet: no progress bar.

    Raises:
        StoppedError: by `check`. Nothing else: what cannot be had is a note.
    """
    found, gone = originals(test, names, scene)
    called = names_of(scene.runs)
    shown = []
    with steps(f"pictures of {scene.title}", len(scene.runs), check, quiet=quiet) as tick:
        for run in scene.runs:
            shown.append(replace(shown_of(run, test, list(found), device, check), label=called.of[run.id]))
            tick()
    notes = [f"{name} of {scene.title} is not shown: {why}" for name, why in gone.items()]
    for one in shown:
        for why in dict.fromkeys(one.missing.values()):
            lost = [name for name in one.missing if one.missing[name] == why]
            notes.append(f"{one.label} has no picture of {', '.join(lost)}: {why}")
    shared = " · ".join(text for name, text in called.common.items() if name != "scale")
    return Gallery(scene, found, shown, shared, notes)


def originals(
    test: TestSet, names: Sequence[str], scene: Scene
) -> tuple[dict[str, Original], dict[str, str]]:
    """Test pictures by name, and name → why of those that cannot be had."""
    component = registry().find("degradation", scene.degradation["name"])
    degrade: Degradation = component.make(**scene.degradation["params"])
    known = {picture.name: picture for picture in test.pictures}
    found, gone = {}, {}
    for name in names:
        if name not in known:
            gone[name] = f"{test.name} has no picture of that name"
            continue
        try:
            hr = read_rgb(known[name], scene.scale)
            lr = lr_of(known[name], hr, scene.scale, degrade)
            found[name] = Original(
                to_pixels(hr), to_pixels(lr), to_pixels(resize_bicubic(lr, *hr.shape[-2:]))
            )
        except SrbenchError as error:
            gone[name] = str(error)
    return found, gone


def shown_of(
    run: StoredRun,
    test: TestSet,
    names: Sequence[str],
    device: torch.device,
    check: Callable[[], None] = lambda: None,
) -> Shown:
    """What a run made of test pictures, at its full scale.

    Pictures that were kept when the run was scored, and whose PSNR is the stored one, are taken as they are
    where all of `names` were kept, or where nothing can make them any more; else the newest checkpoint makes
    all of them, as scoring does.

    Raises:
        StoppedError: by `check`. Nothing else: what cannot be had stands in `missing`.
    """
    pictures = {one.name: one for one in test.pictures if one.name in names}
    made: dict[str, Pixels] = {}
    planes: tuple[Plane, ...] = ()
    scored, kept = 0, made
    step, why = 0, "its folder of pictures has none of that name"
    try:
        spec = RunSpec.from_stored(run.record.spec)
        planes = tuple(plane for plane in scored_planes(spec.network_channels) if plane != "rgb")
        scored, kept = _kept(run, spec, test, pictures)
        if set(kept) == set(names):
            return Shown(run.id, run.id, scored, planes, kept, {})
        step, upscaler = upscaler_of(spec, run.paths, [test], device, allow_missing=True)
        component = registry().find("degradation", spec.degradation.name)
        degrade: Degradation = component.make(**spec.degradation.params)
        for name in names:
            picture = pictures[name]
            lr = lr_of(picture, read_rgb(picture, spec.scale), spec.scale, degrade).to(device)
            prediction = _predicted(upscaler, test.name, picture, lr, check)
            if spec.scale in prediction:
                made[name] = _rgb(to_pixels(prediction[spec.scale]))
    except StoppedError:
        raise
    except SrbenchError as error:
        why = str(error)
    except Exception as error:  # a plugin's network: one that fails leaves the other runs their place
        _log.exception("%s met an unexpected error:", run.id)
        why = f"an unexpected {type(error).__name__}: {error}"
    if not made:
        step, made = scored, kept
    return Shown(run.id, run.id, step, planes, made, {name: why for name in names if name not in made})


def _predicted(
    upscaler: Upscaler, test: str, picture: Picture, lr: Tensor, check: Callable[[], None]
) -> Mapping[int, Tensor]:
    """The prediction, in tiles where memory is short for the whole picture.

    Raises:
        SrbenchError: it is short for tiles too.
    """
    smaller = iter(TILES if upscaler.tileable and upscaler.inference.tile is None else ())
    while True:
        try:
            return upscaler(test, picture, lr, check)
        except (torch.OutOfMemoryError, MemoryShortError) as error:
            tile = next(smaller, None)
            if tile is None:
                raise SrbenchError(f"memory is short for {picture.name}") from error
        assert isinstance(upscaler, NetworkUpscaler)
        upscaler = replace(upscaler, inference=replace(upscaler.inference, tile=tile, overlap=None))


def _kept(
    run: StoredRun, spec: RunSpec, test: TestSet, pictures: Mapping[str, Picture]
) -> tuple[int, dict[str, Pixels]]:
    """The step that was scored last, and those of its pictures that were kept."""
    files = {name: picture_file(run.paths, test.name, name, spec.scale) for name in pictures}
    files = {name: file for name, file in files.items() if file.is_file()}
    if not files:
        return 0, {}
    scores, protocols = read_scores(run.paths)
    mine = [
        one
        for one in scores
        if (one.metric, one.test_sha256, one.scale) == ("psnr", test.sha256, spec.scale)
        and protocols[one.protocol]["grey"] == "rgb"
    ]
    last = max((one.step for one in mine), default=0)
    of_picture = {one.image: one for one in mine if one.step == last}
    found = {}
    for name, file in files.items():
        score = of_picture.get(name)
        with suppress(PictureError):
            pixels = read_picture(Picture(name, file))
            if score is not None and _is_scored(pixels, pictures[name], score, protocols, spec):
                found[name] = _rgb(pixels)
    return last, found


def _is_scored(
    pixels: Pixels, picture: Picture, score: Score, protocols: Mapping[str, Mapping[str, int]], spec: RunSpec
) -> bool:
    sr = to_tensor(pixels)
    hr = planes_like(read_rgb(picture, spec.scale), sr, spec.network_channels)
    if sr.shape != hr.shape:
        return False
    plane: Plane = score.plane  # type: ignore[assignment]
    value = psnr(*prepare(sr, hr, [plane], protocols[score.protocol]["border"])).item()
    return value == score.value or abs(value - score.value) < _SAME_DB


def _rgb(pixels: Pixels) -> Pixels:
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels
