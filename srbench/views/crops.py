"""What is worth a look: pictures chosen by scores alone, then windows of them by pixels; never by hand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from srbench.images.png import to_tensor
from srbench.metrics.detail import detail, detail_map
from srbench.metrics.protocol import planes_of, prepare
from srbench.metrics.psnr import psnr
from srbench.store.scores import read_series
from srbench.types import Plane
from srbench.views.pictures import Gallery, Pixels, Shown
from srbench.views.scenes import Scene

SIZE = 128
"""Side of a window in HR pixels where nothing else is asked for."""

_Map = NDArray[np.float64]


@dataclass(frozen=True)
class Chosen:
    """A picture to look at, and why."""

    picture: str
    why: str


@dataclass(frozen=True)
class Crop:
    """A window of a test picture.

    Args:
        test: name of the set; `picture`: of the picture.
        scale: of SR to LR.
        box: top, left, height and width in HR pixels; the picture itself where it is smaller than a window.
        why: what is to be seen there, in words.
    """

    test: str
    picture: str
    scale: int
    box: tuple[int, int, int, int]
    why: str

    def of(self, pixels: Pixels) -> Pixels:
        """That window of a picture of HR's size."""
        top, left, height, width = self.box
        return pixels[top : top + height, left : left + width]


@dataclass(frozen=True)
class CropScores:
    """What a crop of SR is worth, on one plane, no border left out.

    Args:
        plane: y, or the one that the run has.
        psnr: in dB; infinite where the crops are equal.
        detail: share of HR's detail recovered in the crop; None where it has none or is too small.
    """

    plane: Plane
    psnr: float
    detail: float | None


def choose_pictures(scene: Scene, most: int = 3) -> list[Chosen]:
    """Up to `most` pictures of a scene, by stored scores alone, in turn:

    the one with least presence, mean of the runs; the one on which the runs differ most in presence; and on
    with what is left. PSNR stands in where presence was not scored. Loads no picture.

    Raises:
        StoreError: the scores of a run are damaged.
    """
    found = _scores(scene, "presence")
    metric, lack = "presence", "the least detail is there"
    if found is None:
        found = _scores(scene, "psnr")
        metric, lack = "psnr", "PSNR is lowest"
    if found is None:
        return []
    plane, table = found
    unit = " dB" if metric == "psnr" else ""
    means = {name: float(np.mean(row)) for name, row in table.items()}
    spreads = {name: max(row) - min(row) for name, row in table.items()}
    chosen: dict[str, Chosen] = {}
    several = len(next(iter(table.values()))) > 1
    rules: list[tuple[Callable[[str], float], Callable[[str], str]]] = [
        (lambda name: means[name], lambda name: f"{lack} ({metric} {plane} {means[name]:.3g}{unit})")
    ]
    if several:
        rules.append(
            (
                lambda name: -spreads[name],
                lambda name: f"the runs differ most in {metric} {plane} (by {spreads[name]:.2g}{unit})",
            )
        )
    for number in range(min(most, len(table))):
        by, why = rules[number % len(rules)]
        left = [name for name in sorted(table) if name not in chosen]
        name = min(left, key=by)
        again = "" if number < len(rules) else "of the others, "
        chosen[name] = Chosen(name, again + why(name))
    return list(chosen.values())


def crops_of(gallery: Gallery, chosen: Sequence[Chosen], *, size: int = SIZE, each: int = 2) -> list[Crop]:
    """Up to `each` windows of each chosen picture, in turn: where the runs' SR differs most, and where most
    of HR's detail is lost. Windows of one picture do not overlap.

    Where there is one run, it is held against bicubic. Equal galleries give equal crops.

    Args:
        gallery: with HR and SR of the chosen pictures; what it lacks is passed over.
        chosen: from `choose_pictures`, or a user's own.
        size: side of a window in HR pixels.
        each: windows of one picture.
    """
    crops = []
    for one in chosen:
        if one.picture in gallery.originals:
            crops += _of_picture(gallery, one, size, each)
    return crops


def crop_scores(crop: Crop, sr: Pixels, hr: Pixels, planes: Sequence[Plane]) -> CropScores:
    """PSNR and detail of a crop, on luma or the one plane of a run.

    Args:
        crop: where.
        sr, hr: whole pictures, (H, W, 3).
        planes: those that SR has.
    """
    plane = _plane(planes)
    # Copies of one plane, where a run has one: any of the three is it.
    pair = prepare(to_tensor(crop.of(sr)), to_tensor(crop.of(hr)), [plane], 0)
    recovered = detail(*pair, crop.scale).detail.item()
    return CropScores(plane, psnr(*pair).item(), None if np.isnan(recovered) else recovered)


def _scores(scene: Scene, metric: str) -> tuple[str, dict[str, list[float]]] | None:
    """A plane, and picture → the scores of the runs: luma, or the plane that most runs have.

    Only pictures of which every such run has a finite score; None where there is none.
    """
    planes: dict[str, dict[str, tuple[int, dict[str, float]]]] = {}
    for run in scene.runs:
        for series, scores in read_series(run.paths).items():
            where = (series.test, series.test_sha256, series.scale, series.metric)
            if where == (scene.test, scene.test_sha256, scene.scale, metric):
                of_plane = planes.setdefault(series.plane, {})
                finite = {name: value for name, value in scores.items() if np.isfinite(value)}
                of_plane[run.id] = max(of_plane.get(run.id, (-1, {})), (series.step, finite), key=_step)
    for plane in sorted(planes, key=lambda plane: (-len(planes[plane]), plane != "y", plane)):
        of_runs = [scores for _, scores in planes[plane].values()]
        pictures = sorted(set.intersection(*(set(one) for one in of_runs)))
        if pictures:
            return plane, {name: [one[name] for one in of_runs] for name in pictures}
    return None


def _step(scored: tuple[int, Mapping[str, float]]) -> int:
    return scored[0]


def _of_picture(gallery: Gallery, chosen: Chosen, size: int, each: int) -> list[Crop]:
    scene, name = gallery.scene, chosen.picture
    hr = gallery.originals[name].hr
    with_picture = [one for one in gallery.shown if name in one.pictures]
    if not with_picture:
        return []
    plane = _common(with_picture)
    runs = [one for one in with_picture if plane in one.planes]
    height, width = (min(side, size // scene.scale * scene.scale) for side in hr.shape[:2])
    target = _luma(hr, plane)
    sr = [_luma(one.pictures[name], plane) for one in runs]
    others = sr if len(sr) > 1 else [*sr, _luma(gallery.originals[name].bicubic, plane)]
    differing = np.std(np.stack([one[0, 0].numpy() for one in others]), axis=0) * 255
    lost, there = _lost(sr, target, scene.scale)
    who = "the runs differ" if len(sr) > 1 else "it differs"
    than = "" if len(sr) > 1 else " from bicubic"
    step = max(1, size // 16 // scene.scale) * scene.scale
    area = height * width
    taken: list[tuple[int, int]] = []
    crops = []
    for number in range(each):
        of_loss = number % 2 == 1
        place = _best(lost if of_loss else differing, (height, width), step, taken)
        if place is None:
            break
        top, left = place
        window = (slice(top, top + height), slice(left, left + width))
        if of_loss and there[window].sum() > 0:
            share = lost[window].sum() / there[window].sum()
            why = f"here most of HR's detail is lost ({share:.0%} of it on {plane})"
        elif of_loss:
            break  # nothing of HR's detail to lose
        else:
            amount = differing[window].sum() / area
            why = f"here {who} most{than} (by {amount:.1f} of 255 on {plane})"
        taken.append(place)
        box = (top, left, height, width)
        crops.append(Crop(scene.test, name, scene.scale, box, f"{chosen.why}; {why}"))
    return crops


def _common(shown: Sequence[Shown]) -> Plane:
    """Luma where a run has it, else the plane that most runs have."""
    counts = {plane: sum(plane in one.planes for one in shown) for one in shown for plane in one.planes}
    return max(counts, key=lambda plane: (counts[plane], plane == "y"))


def _plane(planes: Sequence[Plane]) -> Plane:
    return "y" if "y" in planes else planes[0]


def _luma(pixels: Pixels, plane: Plane) -> torch.Tensor:
    """One plane, (1, 1, H, W)."""
    return planes_of(to_tensor(pixels), [plane])


def _lost(sr: Sequence[torch.Tensor], hr: torch.Tensor, scale: int) -> tuple[_Map, _Map]:
    """How much of HR's detail is lost, mean of the runs, and how much there is: each window of the detail
    map at its centre, zero elsewhere; (H, W) both."""
    lost, there = np.zeros(hr.shape[-2:]), np.zeros(hr.shape[-2:])
    for one in sr:
        found = detail_map(one, hr, scale)
        gain = found.gain[0, 0].nan_to_num(1).clamp(0, 1).numpy()
        weight = found.weight[0, 0].nan_to_num(0).numpy()
        centre = found.window // 2
        rows = found.top + centre + found.stride * np.arange(gain.shape[0])
        columns = found.left + centre + found.stride * np.arange(gain.shape[1])
        lost[np.ix_(rows, columns)] += weight * (1 - gain) / len(sr)
        there[np.ix_(rows, columns)] += weight / len(sr)
    return lost, there


def _best(
    values: _Map, window: tuple[int, int], step: int, taken: Sequence[tuple[int, int]]
) -> tuple[int, int] | None:
    """Top and left of the window with the largest sum that overlaps none of those taken; of equal ones the
    first. None where there is no room."""
    height, width = window
    rows, columns = values.shape
    summed = np.zeros((rows + 1, columns + 1))
    summed[1:, 1:] = values.cumsum(axis=0).cumsum(axis=1)
    tops, lefts = np.arange(0, rows - height + 1, step), np.arange(0, columns - width + 1, step)
    low, high = np.ix_(tops, lefts), np.ix_(tops + height, lefts + width)
    sums = (
        summed[high]
        - summed[np.ix_(tops, lefts + width)]
        - summed[np.ix_(tops + height, lefts)]
        + summed[low]
    )
    for top, left in taken:
        near = (np.abs(tops - top) < height)[:, None] & (np.abs(lefts - left) < width)
        sums[near] = -np.inf
    at = np.unravel_index(np.argmax(np.round(sums, 9)), sums.shape)
    return None if np.isneginf(sums[at]) else (int(tops[at[0]]), int(lefts[at[1]]))
