"""Whether LR pictures belong to their HR pictures: there, of the right size, of the same scene, in place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srbench.errors import DatasetError
from srbench.images.colour import rgb_to_y
from srbench.images.png import picture_size
from srbench.images.resize import bicubic, resize_bicubic
from srbench.images.tiles import lr_of, read_rgb
from srbench.types import Dataset, Picture

SAMPLE = 16
"""Pictures of a half whose pixels are looked at when a dataset is built: 0.2 s of CPU time a pair of 2K."""

_SHOWN = 8
_MOST_SIDE = 256
"""Of LR, in pixels: the middle of a larger picture is enough."""

_THUMBNAIL = 24
_FLAT = 2 / 255
"""Standard deviation of luma below which a picture is too flat to be told from another."""

_ALIKE = 0.5
_CLEARLY = 0.2
_STEPS = 20
_SHIFTED = 0.5 - 1 / _STEPS
"""In LR pixels: half a one, less what the measurement may be off. Blur and noise can add 0.3 to that."""

_degrade = bicubic(round=False)

Luma = NDArray[np.float64]


@dataclass(frozen=True)
class Pairing:
    """What is wrong with the pairs of a dataset, one line a picture.

    Args:
        faults: what makes it useless: LR missing, of another size, or of another scene.
        doubts: what may be meant: LR out of place, or of no picture.
        looked_at: how many pairs had their pixels compared.
    """

    faults: tuple[str, ...]
    doubts: tuple[str, ...]
    looked_at: int

    def __str__(self) -> str:
        lines = [*self.faults, *self.doubts]
        more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
        return "; ".join(lines[:_SHOWN]) + more


def examine(
    dataset: Dataset, scale: int, at_most: int | None = SAMPLE, tick: Callable[[], None] = lambda: None
) -> Pairing:
    """Look at every pair's files and sizes, and at the pixels of some.

    A pair's LR must have the size of HR, cut at bottom and right to a multiple of the scale, over the scale.
    Its scene is told by the correlation of luma with that of HR degraded, both reduced to thumbnails; its
    place, by their cross-correlation.

    Args:
        dataset: built for `scale`.
        scale: of HR to LR.
        at_most: pictures of a half whose pixels are looked at, evenly spaced; None: all.
        tick: called once a pair that is looked at; raises to stop.

    Raises:
        DatasetError: some pictures of a half have an LR, and others have none.
        PictureError: a picture cannot be read.

    Source: Guizar-Sicairos et al. 2008, doi:10.1364/OL.33.000156, for the shift, as scikit-image has it.
    """
    faults: list[str] = []
    doubts: list[str] = []
    looked_at = 0
    for half in (dataset.train, dataset.val, dataset.test):
        pairs = pairs_of(half)
        sound = []
        for pair in pairs:
            fault = _size_fault(pair, scale)
            if fault:
                faults.append(fault)
            else:
                sound.append(pair)
        count = len(sound) if at_most is None else min(at_most, len(sound))
        scenes = []
        for at in range(count):
            scenes.append(_Scene(sound[at * len(sound) // count], scale))
            tick()
        looked_at += count
        for scene in scenes:
            other = scene.is_of_another(scenes)
            if other is not None:
                faults.append(other)
            elif shift := scene.shift():
                doubts.append(shift)
    doubts += [f"{path} is of no picture" for path in dataset.unpaired]
    return Pairing(tuple(faults), tuple(doubts), looked_at)


def pairs_of(half: Sequence[Picture]) -> list[Picture]:
    """The pictures that have an LR, whole, and once each where they are cut into tiles.

    Raises:
        DatasetError: some have one, and others have none.
    """
    pairs = [picture for picture in half if picture.lr is not None]
    if pairs and len(pairs) < len(half):
        alone = next(picture.name for picture in half if picture.lr is None)
        raise DatasetError(
            f"{len(half) - len(pairs)} of {len(half)} pictures have no LR picture, {alone} first, and the "
            "others have one. Give all of them one, or none."
        )
    found: dict[object, Picture] = {}
    for picture in pairs:
        name = picture.name.rpartition("@")[0] if picture.box else picture.name
        key = picture.hr if isinstance(picture.hr, Path) else id(picture.hr)
        found.setdefault(key, Picture(name, picture.hr, None, picture.lr, picture.same_size))
    return list(found.values())


def _size_fault(pair: Picture, scale: int) -> str | None:
    assert pair.lr is not None
    if isinstance(pair.lr, Path) and not pair.lr.is_file():
        return f"{pair.name} has no LR picture: {pair.lr} is missing"
    rows, columns = picture_size(pair.hr)
    height, width = rows // scale, columns // scale
    found = picture_size(pair.lr)
    if pair.same_size:
        if tuple(side // scale for side in found) == (height, width):
            return None
        return f"{_origin(pair)} is {found[1]}×{found[0]}, and {pair.name} is {columns}×{rows}"
    if found == (height, width):
        return None
    hint = ", the size of HR: same_size=true takes it so" if found == (rows, columns) else ""
    return (
        f"{_origin(pair)} is {found[1]}×{found[0]}{hint}, and {pair.name} ({columns}×{rows}) at ×{scale} "
        f"needs {width}×{height}"
    )


class _Scene:
    """The middle of a pair: luma of LR, and of HR degraded to its size."""

    def __init__(self, pair: Picture, scale: int) -> None:
        self.pair = pair
        hr = read_rgb(pair, scale)
        lr = lr_of(pair, hr, scale, _degrade)
        rows, columns = (_middle(side) for side in lr.shape[-2:])
        down, across = (slice(one.start * scale, one.stop * scale) for one in (rows, columns))
        self.lr = _luma(lr[..., rows, columns])
        self.hr = _luma(_degrade(hr[..., down, across], scale))
        self._of_lr, self._of_hr = _thumbnail(self.lr), _thumbnail(self.hr)
        self.size = lr.shape[-2:]

    def is_of_another(self, scenes: "Sequence[_Scene]") -> str | None:
        """A sentence where LR shows something else than HR does."""
        if min(self.lr.std(), self.hr.std()) < _FLAT:
            return None
        own = _correlation(self._of_lr, self._of_hr)
        others = [
            (_correlation(self._of_lr, one._of_hr), one.pair.name)
            for one in scenes
            if one is not self and one.size == self.size and one.hr.std() >= _FLAT
        ]
        best, name = max(others, default=(-1.0, ""))
        fits = f"; that of {name} is {best:.2f}" if best > own + _CLEARLY else ""
        if own >= _ALIKE and not fits:
            return None
        return (
            f"{_origin(self.pair)} shows another picture than {self.pair.name}: their correlation is "
            f"{own:.2f}{fits}"
        )

    def shift(self) -> str | None:
        """A sentence where LR lies half a pixel or more beside HR."""
        from skimage.registration import phase_cross_correlation

        if min(self.lr.std(), self.hr.std()) < _FLAT:
            return None
        # Not normalised to phases alone: blurred or noisy LR has none worth counting at high frequencies.
        back, _, _ = phase_cross_correlation(  # type: ignore[no-untyped-call]
            _windowed(self.hr), _windowed(self.lr), upsample_factor=_STEPS, normalization=None
        )
        down, right = (0.0 - float(one) for one in back)
        if max(abs(down), abs(right)) < _SHIFTED:
            return None
        return (
            f"{_origin(self.pair)} lies {down:+.2f} LR pixels down and {right:+.2f} right of {self.pair.name}"
        )


def _origin(pair: Picture) -> str:
    return str(pair.lr) if isinstance(pair.lr, Path) else f"the LR picture of {pair.name}"


def _middle(side: int) -> slice:
    length = min(side, _MOST_SIDE)
    return slice((side - length) // 2, (side - length) // 2 + length)


def _luma(rgb: Tensor) -> Luma:
    luma: Luma = rgb_to_y(rgb.double())[0, 0].numpy()
    return luma


def _thumbnail(luma: Luma) -> Luma:
    small = resize_bicubic(torch.from_numpy(luma)[None, None], _THUMBNAIL, _THUMBNAIL)
    thumbnail: Luma = small.numpy()
    return thumbnail


def _correlation(a: Luma, b: Luma) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1e-12))


def _windowed(luma: Luma) -> Luma:
    """Without its mean and fading out to its edges, where the Fourier transform would see a step."""
    rows, columns = (np.hanning(side + 2)[1:-1] for side in luma.shape)
    window = rows[:, None] * columns
    faded: Luma = (luma - (luma * window).sum() / window.sum()) * window
    return faded
