"""Where the SR pictures come from that a foreign number is looked for in: a run, or a folder of pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from torch import Tensor, device

from srbench.datasets import TestSet
from srbench.errors import PictureError, UsageError
from srbench.evaluate.upscalers import scored_networks
from srbench.explain.axes import ROUNDING, Axes, Choice, Task, degradations, tasks
from srbench.images.png import read_picture, to_tensor
from srbench.images.tiles import Degrade, read_rgb, reference
from srbench.predict import Networks, plane_of, predict, predicted_scales
from srbench.registry import registry
from srbench.spec import RunSpec
from srbench.store.runs import StoredRun
from srbench.types import Channels, Picture, networks_of

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
        _, networks = scored_networks(spec, run.paths, where)
        for network in networks.values():
            network.eval()
        self._networks: Networks = networks
        self._spec, self._device = spec, where
        self._size_multiple = registry().find("model", spec.model.name).size_multiple
        degrade: Degrade = (
            registry().find("degradation", spec.degradation.name).make(**spec.degradation.params)
        )
        scales = predicted_scales(networks, spec.scale, self._size_multiple, where)
        outputs = [one for one in tasks(scales, spec.scale) if scale in (None, one.apply.scale)]
        if not outputs:
            there = ", ".join(f"×{one}" for one in scales)
            raise UsageError(f"{run.id} has no output of ×{scale}; it has {there}.")
        self.channels, self.test = spec.network_channels, test
        self.axes: Axes = {
            "scale": outputs,
            "LR": degradations(str(spec.degradation), degrade),
            "pass": [Choice("one pass", _once)],
            "rounding": ROUNDING,
        }
        if spec.trained:  # bicubic's mean over the eight is bicubic
            self.axes["pass"] = [Choice("one pass", _once), Choice("self-ensemble of 8", _in_eight_ways)]
        self._made: dict[tuple[str, int, str, str], dict[int, Tensor]] = {}
        self._room = _CACHE_BYTES

    def pair(self, picture: Picture, chosen: Mapping[str, Choice]) -> tuple[Tensor, Tensor]:
        """SR as made by the choices, not rounded, and the HR it is compared with; (1, C, H, W) each."""
        task: Task = chosen["scale"].apply
        degrade: Degrade = chosen["LR"].apply
        hr = read_rgb(picture, task.lr_scale)
        key = (picture.name, task.lr_scale, chosen["LR"].label, chosen["pass"].label)
        prediction = self._made.get(key)
        if prediction is None:
            lr = degrade(hr, task.lr_scale).float().to(self._device)
            prediction = {scale: sr.cpu() for scale, sr in chosen["pass"].apply(self._predict, lr).items()}
            self._made[key] = prediction
            self._room -= _bytes(prediction)
            while self._room < 0 and len(self._made) > 1:  # the oldest goes
                self._room += _bytes(self._made.pop(next(iter(self._made))))
        sr = prediction[task.scale]
        # What an output is compared with depends on the LR it came from, not on the network's own factor.
        target = hr if task.scale == task.lr_scale else reference(hr, task.scale, task.lr_scale, degrade)
        return sr, plane_of(target, networks_of(self.channels)[0]) if sr.shape[1] == 1 else target

    def _predict(self, lr: Tensor) -> dict[int, Tensor]:
        return predict(self._networks, self.channels, lr, self._spec.scale, self._size_multiple)


class FolderSource:
    """SR pictures in a folder, made by any program.

    Args:
        folder: a picture a test picture, named alike.
        test: what they are pictures of.
        scale: of the SR pictures to the LR they were made from; it says how HR is cropped, and the border.

    Raises:
        UsageError: pictures are missing.
    """

    def __init__(self, folder: Path, test: TestSet, scale: int) -> None:
        self._files = match_pictures(folder, test)
        self.channels: Channels = "rgb"
        self.test = test
        self.axes: Axes = {"scale": [Choice(f"×{scale}", Task(scale, scale))], "rounding": ROUNDING[:1]}

    def pair(self, picture: Picture, chosen: Mapping[str, Choice]) -> tuple[Tensor, Tensor]:
        """The picture of the folder, and HR cropped to a multiple of the scale."""
        hr = read_rgb(picture, chosen["scale"].apply.scale)
        path = self._files[picture.name]
        sr = to_tensor(read_picture(Picture(picture.name, path))).expand(-1, 3, -1, -1)
        if sr.shape != hr.shape:
            raise PictureError(
                f"{path} is {sr.shape[-1]}×{sr.shape[-2]}, but {picture.name!r} at "
                f"{chosen['scale'].label} is {hr.shape[-1]}×{hr.shape[-2]}. Name the scale it was made at by "
                "--scale, or the test set it is of by --test."
            )
        return sr, hr


def match_pictures(folder: Path, test: TestSet) -> dict[str, Path]:
    """Test picture's name → the file in `folder` that has that name, whatever its suffix.

    Raises:
        UsageError: the folder is not there, or lacks pictures; the message names them.
    """
    if not folder.is_dir():
        raise UsageError(f"--pictures {folder} is no folder. Name the one that holds the SR pictures.")
    files = {path.relative_to(folder).with_suffix("").as_posix(): path for path in _files(folder)}
    missing = [picture.name for picture in test.pictures if picture.name not in files]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise UsageError(
            f"{folder} has no picture for {', '.join(missing[:5])}{more} of {test.name}. Its pictures must "
            "be named as those of the test set."
        )
    return {picture.name: files[picture.name] for picture in test.pictures}


def _bytes(prediction: Mapping[int, Tensor]) -> int:
    return sum(sr.numel() * sr.element_size() for sr in prediction.values())


def _files(folder: Path) -> Sequence[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


class _Predict(Protocol):
    def __call__(self, lr: Tensor) -> dict[int, Tensor]: ...


def _once(network: _Predict, lr: Tensor) -> dict[int, Tensor]:
    return network(lr)


def _in_eight_ways(network: _Predict, lr: Tensor) -> dict[int, Tensor]:
    """The mean of the SR pictures of LR mirrored and turned in all eight ways, each turned back."""
    total: dict[int, Tensor] = {}
    for way in range(8):
        flips = [axis for bit, axis in ((1, -1), (2, -2)) if way & bit]
        turned = lr.flip(flips)
        for scale, sr in network(turned.mT.contiguous() if way & 4 else turned).items():
            back = (sr.mT if way & 4 else sr).flip(flips)
            total[scale] = total[scale] + back if scale in total else back
    return {scale: sr / 8 for scale, sr in total.items()}
