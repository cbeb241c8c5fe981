"""Crops as a figure: where in the picture, HR, bicubic and each run beside each other, scores beneath."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from srbench.errors import UsageError
from srbench.plots.style import GREY, SMALL, TEXT, WIDTHS, Width, wrapped
from srbench.types import Plane
from srbench.views.crops import Crop, crop_scores
from srbench.views.pictures import Gallery, Pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_RUNS = 6
"""Runs that find room on a page; with the picture, HR and bicubic that makes nine tiles a crop."""

_TILES: dict[Width, int] = {"column": 5, "page": 9}
"""Beside each other, at most: what leaves room for scores at the size of type."""

_MARK = "#D55E00"
"""Of the window in the picture."""

_MOST_SIDE = 512
"""Of a whole picture that is shown small, in pixels: more than print resolves."""

_GAP = 0.05  # inches
_LINE = SMALL * 1.25 / 72
_RGB: tuple[Plane, ...] = ("r", "g", "b", "y")


@dataclass(frozen=True)
class _Tile:
    """One picture of a strip: its name above, lines beneath, and what of it is marked."""

    name: str
    pixels: Pixels | None
    beneath: str
    mark: tuple[int, int, int, int] | None = None


def draw(gallery: Gallery, crops: Sequence[Crop], *, width: Width = "page") -> "Figure":
    """A figure for `srbench.plots.style.save`: for each crop a strip of tiles, in one row where they fit.

    Args:
        gallery: with the pictures of the crops.
        crops: from `crops_of`.
        width: of the figure.

    Raises:
        UsageError: there is nothing to draw.
    """
    from matplotlib.figure import Figure

    if not crops:
        raise UsageError(f"There is no crop to draw. {' '.join(gallery.notes)}".rstrip())
    room = WIDTHS[width] - 2 * _GAP
    strips = [_tiles(gallery, crop, at) for at, crop in enumerate(crops)]
    rows = math.ceil(len(strips[0]) / _TILES[width])
    columns = math.ceil(len(strips[0]) / rows)
    side = (room - (columns - 1) * _GAP) / columns
    title = wrapped(" · ".join(filter(None, (f"test {gallery.scene.title}", gallery.shared))), room, TEXT, 2)
    caption = "\n".join(wrapped(line, room, SMALL, 4) for line in _caption(crops))
    # In one row each column holds one run, and its name stands once.
    names = [
        [wrapped(tile.name, side) if rows > 1 or at == 0 else "" for tile in strip]
        for at, strip in enumerate(strips)
    ]
    under = [[wrapped(tile.beneath, side) for tile in strip] for strip in strips]
    above = [_tallest(texts) for texts in names]
    below = [_tallest(texts) for texts in under]
    shape = max(crop.box[2] / crop.box[3] for crop in crops)
    row_heights = [one + side * shape + two + 2 * _GAP for one, two in zip(above, below, strict=True)]
    head = (title.count("\n") + 1) * TEXT * 1.25 / 72 + 2 * _GAP
    foot = (caption.count("\n") + 1) * _LINE + 2 * _GAP
    height = head + rows * sum(row_heights) + foot
    figure = Figure(figsize=(WIDTHS[width], height))
    figure.text(0.5, 1 - _GAP / height, title, fontsize=TEXT, ha="center", va="top")
    top = height - head
    for at, strip in enumerate(strips):
        for number, tile in enumerate(strip):
            row, column = divmod(number, columns)
            left = _GAP + column * (side + _GAP)
            upper = top - row * row_heights[at] - above[at] - _GAP / 2
            lower = upper - side * shape
            middle = (left + side / 2) / WIDTHS[width]
            box = (left / WIDTHS[width], lower / height, side / WIDTHS[width], side * shape / height)
            _draw_tile(figure.add_axes(box, anchor="N"), tile)
            figure.text(middle, (upper + _GAP / 2) / height, names[at][number], ha="center", va="bottom")
            ends = lower if tile.mark is None else upper - _height_of(tile, side, shape)
            figure.text(middle, (ends - _GAP / 2) / height, under[at][number], ha="center", va="top")
        top -= rows * row_heights[at]
    figure.text(_GAP / WIDTHS[width], _GAP / height, caption, va="bottom", color=GREY)
    return figure


def _tiles(gallery: Gallery, crop: Crop, number: int) -> list[_Tile]:
    original = gallery.originals[crop.picture]
    step = math.ceil(max(original.hr.shape[:2]) / _MOST_SIDE)
    box = crop.box
    mark = (box[0] // step, box[1] // step, box[2] // step, box[3] // step)
    tiles = [
        _Tile("", original.hr[::step, ::step], f"({_letter(number)}) {crop.picture}", mark),
        _Tile("HR", crop.of(original.hr), ""),
        _Tile("bicubic", crop.of(original.bicubic), _scores(crop, original.bicubic, original.hr, _RGB)),
    ]
    for one in gallery.shown:
        sr = one.pictures.get(crop.picture)
        if sr is None:
            tiles.append(_Tile(one.label, None, "no picture"))
        else:
            tiles.append(_Tile(one.label, crop.of(sr), _scores(crop, sr, original.hr, one.planes)))
    return tiles


def _scores(crop: Crop, sr: Pixels, hr: Pixels, planes: Sequence[Plane]) -> str:
    found = crop_scores(crop, sr, hr, planes)
    plane = "" if found.plane == "y" else f" ({found.plane})"
    recovered = "–" if found.detail is None else f"{round(found.detail, 2) + 0.0:.2f}"  # no -0.00
    return f"{found.psnr:.2f} / {recovered}{plane}"


def _draw_tile(axes: "Axes", tile: _Tile) -> None:
    from matplotlib.patches import Rectangle

    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if tile.pixels is None:
        axes.set_facecolor("0.9")
        return
    axes.imshow(np.ascontiguousarray(tile.pixels), interpolation="nearest")
    if tile.mark is not None:
        top, left, height, width = tile.mark
        axes.add_patch(
            Rectangle((left - 0.5, top - 0.5), width, height, fill=False, edgecolor=_MARK, linewidth=1)
        )


def _height_of(tile: _Tile, side: float, shape: float) -> float:
    """Of a picture as it stands in its tile, in inches."""
    assert tile.pixels is not None
    return side * min(len(tile.pixels) / len(tile.pixels[0]), shape)


def _caption(crops: Sequence[Crop]) -> list[str]:
    sizes = sorted({(crop.box[3], crop.box[2]) for crop in crops})
    size = "/".join(f"{width}×{height}" for width, height in sizes)
    return [
        f"Crops of {size} HR pixels, chosen by scores and pixels, not by hand. Beneath: PSNR in dB / share "
        "of HR's detail recovered, on y, of the crop alone.",
        *(f"({_letter(at)}) {crop.why}." for at, crop in enumerate(crops)),
    ]


def _letter(number: int) -> str:
    return "abcdefghijklmnopqrstuvwxyz"[number % 26] * (number // 26 + 1)


def _tallest(texts: Sequence[str]) -> float:
    """Of texts beside each other, in inches."""
    return max((text.count("\n") + 1 if text else 0) for text in texts) * _LINE
