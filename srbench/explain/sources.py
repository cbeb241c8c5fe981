"""Where the SR pictures come from that a foreign number is looked for in: a run, or a folder of pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from torch import Tensor, device

from srbench.datasets import TestSet
from srbench.errors import UsageError
from srbench.evaluate.upscalers import network_upscaler_of, source_of
from srbench.explain.axes import ROUNDING, Axes, Choice, Task, degradations, of_files, tasks
from srbench.foreign.pictures import Pictures
from srbench.images.stochastic import Degradation
from srbench.images.tiles import lr_of, read_rgb, reference
from srbench.inference import WHOLE, Inference
from srbench.predict import planes_like
from srbench.registry import registry
from srbench.spec import RunSpec
from srbench.store.runs import StoredRun
from srbench.types import Channels, Picture

_CACHE_BYTES = 1 << 30
"""SR pictures kept for other roundings and for a second metric; past this the oldest are made again."""


class Source(Protocol):
    """SR pictures of a test set, in every way they may have been made.

    Args:
        axes: what they may differ in, of `SR_AXES`.
        channels: which planes they have.
        test: what they are pictures of.
    """

    axes: Axes
    channels: Channels
    test: TestSet

    def pair(self, picture: Picture, chosen: Mapping[str, Choice]) -> tuple[Tensor, Tensor]:
        """SR as made by the choices, not rounded, and the HR it is compared with; (1, C, H, W) each."""
        ...


class RunSource:
    """SR pictures that a run's networks make, of LR made in every way.

    Args:
        run: from the store.
        test: pictures.
        scale: keep the outputs of this scale; None: all.
        where: the device.

    Raises:
        CheckpointError: the run has no sound checkpoint.
        UsageError: it has no output of that scale.
    """

    def __init__(self, run: StoredRun, test: TestSet, scale: int | None, where: device) -> None:
        spec = RunSpec.from_stored(run.record.spec)
        _, self._upscaler = network_upscaler_of(spec, run.paths, where)
        degradation = registry().find("degradation", spec.degradation.name)
        degrade: Degradation = degradation.make(**spec.degradation.params)
        scales = self._upscaler.scales
        outputs = [
            one
            for one in tasks(scales, spec.scale)
            # LR files are of the run scale alone.
            if scale in (None, one.apply.scale) and not (test.lr_text and one.apply.lr_scale != spec.scale)
        ]
        if not outputs:
            there = ", ".join(f"×{one}" for one in scales)
            raise UsageError(f"{run.id} has no output of ×{scale}; it has {there}.")
        self.channels, self.test = spec.network_channels, test
        self.axes: Axes = {
            "scale": outputs,
            "LR": of_files(degrade) if test.lr_text else degradations(str(spec.degradation), degrade),
            "pass": [Choice("one pass", WHOLE)],
            "rounding": ROUNDING,
        }
        if spec.trained or spec.source:  # bicubic's mean over the eight is bicubic
            self.axes["pass"] = [
                *self.axes["pass"],
                Choice("self-ensemble of 8", Inference(self_ensemble=True)),
            ]
        self._made: dict[tuple[str, int, str, str], dict[int, Tensor]] = {}
        self._room = _CACHE_BYTES

    def pair(self, picture: Picture, chosen: Mapping[str, Choice]) -> tuple[Tensor, Tensor]:
        """SR as made by the choices, not rounded, and the HR it is compared with; (1, C, H, W) each."""
        task: Task = chosen["scale"].apply
        degrade: Degradation = chosen["LR"].apply
        hr = read_rgb(picture, task.lr_scale)
        key = (picture.name, task.lr_scale, chosen["LR"].label, chosen["pass"].label)
        prediction = self._made.get(key)
        if prediction is None:
            lr = lr_of(picture, hr, task.lr_scale, degrade).to(self._upscaler.device)
            made = self._upscaler.predicted(lr, chosen["pass"].apply)
            prediction = {scale: sr.cpu() for scale, sr in made.items()}
            self._made[key] = prediction
            self._room -= _bytes(prediction)
            while self._room < 0 and len(self._made) > 1:  # the oldest goes
                self._room += _bytes(self._made.pop(next(iter(self._made))))
        sr = prediction[task.scale]
        # What an output is compared with depends on the LR it came from, not on the network's own factor.
        target = hr if task.scale == task.lr_scale else reference(hr, task.scale, task.lr_scale, degrade)
        return sr, planes_like(target, sr, self.channels)


def stored_source(run: StoredRun, test: TestSet, scale: int | None, where: device) -> Source:
    """The SR pictures of what the store has: made by a run's networks, or lying in the folder it stands for.

    Raises:
        CheckpointError: the run has no sound checkpoint.
        DatasetError: the folder lacks pictures.
        UsageError: it has no output of that scale, or its file or folder is gone or changed.
    """
    spec = RunSpec.from_stored(run.record.spec)
    if spec.source is None or spec.source.kind != "pictures":
        return RunSource(run, test, scale, where)
    if scale not in (None, spec.scale):
        raise UsageError(f"{run.id} has no output of ×{scale}; it has ×{spec.scale}.")
    return FolderSource(source_of(spec, run.paths), test, spec.scale)


class FolderSource:
    """SR pictures in a folder, made by any program; matched by name as `srbench eval --pictures` does.

    Args:
        folder: where they are.
        test: what they are pictures of.
        scale: of the SR pictures to the LR they were made from; it says how HR is cropped, and the border.

    Raises:
        DatasetError: some are missing or of another size.
        PictureError: one cannot be decoded.
        UsageError: it is no folder.
    """

    def __init__(self, folder: Path, test: TestSet, scale: int) -> None:
        self._pictures = Pictures(folder, [test], scale)
        self.channels: Channels = "rgb"
        self.test = test
        self.axes: Axes = {"scale": [Choice(f"×{scale}", Task(scale, scale))], "rounding": ROUNDING[:1]}

    def pair(self, picture: Picture, chosen: Mapping[str, Choice]) -> tuple[Tensor, Tensor]:
        """The picture of the folder, and HR cropped to a multiple of the scale."""
        scale = chosen["scale"].apply.scale
        hr = read_rgb(picture, scale)
        return self._pictures(self.test.name, picture, hr)[scale], hr


def _bytes(prediction: Mapping[int, Tensor]) -> int:
    return sum(sr.numel() * sr.element_size() for sr in prediction.values())
