"""Pictures that a page carries: HR, LR, bicubic and SR as lossless WebP, as many and as large as there is
room for, with the crops worth a look, their scores, and where detail is lost."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from srbench.images.png import to_tensor
from srbench.metrics.detail import detail_map
from srbench.metrics.protocol import prepare
from srbench.report.embed import island, rounded
from srbench.types import Plane
from srbench.views.crops import Crop, crop_scores
from srbench.views.pictures import Gallery, Pixels

_AROUND = (None, 384, 256, 128)
"""What is tried of a picture: all of it, then windows of that side around its crops."""

Box = tuple[int, int, int, int]


@dataclass
class Room:
    """Bytes that pictures may still take, of all scenes together."""

    left: int
    notes: list[str] = field(default_factory=list)


def pictures_data(
    gallery: Gallery, crops: Sequence[Crop], colours: Mapping[str, int], room: Room
) -> list[dict[str, Any]]:
    """A record a view that can be looked at: a whole picture, or a window of one.

    Args:
        gallery: HR, LR, bicubic and SR.
        crops: windows of them.
        colours: run id → its number on the page.
        room: taken from; what is not embedded is noted there.
    """
    views: list[dict[str, Any]] = []
    left_out = []
    for name in gallery.originals:
        mine = [crop for crop in crops if crop.picture == name]
        made = _views(gallery, name, mine, colours, room.left)
        if made is None:
            left_out.append(name)
            continue
        size, found, side = made
        room.left -= size
        views += found
        if side is not None:
            room.notes.append(
                f"Of {name} ({gallery.scene.title}) only windows of {side}×{side} pixels around its crops "
                "are in this page, which is kept small enough to send."
            )
    if left_out:
        room.notes.append(
            f"{', '.join(left_out)} ({gallery.scene.title}): no room for pictures in this page, which is "
            "kept small enough to send. Name fewer runs to see them."
        )
    return views


def _views(
    gallery: Gallery, name: str, crops: Sequence[Crop], colours: Mapping[str, int], room: int
) -> tuple[int, list[dict[str, Any]], int | None] | None:
    """Bytes taken, views, and the side of windows (None: whole); None where nothing fits."""
    height, width = gallery.originals[name].hr.shape[:2]
    for side in _AROUND:
        if side is None:
            boxes: list[Box] = [(0, 0, height, width)]
        else:
            boxes = _windows(crops, side, height, width)
        if sum(box[2] * box[3] for box in boxes) * 3 > room * 4:  # no picture is packed that small
            continue
        views = [_view(gallery, name, box, crops, colours) for box in boxes]
        size = len(island(views))
        if views and size <= room:
            return size, views, side
    return None


def _windows(crops: Sequence[Crop], side: int, height: int, width: int) -> list[Box]:
    """A window around each crop; none for a crop that lies in the window of one before it."""
    boxes: list[Box] = []
    for crop in crops:
        if not any(_holds(box, crop) for box in boxes):
            boxes.append(_around(crop, side, height, width))
    return boxes


def _holds(box: Box, crop: Crop) -> bool:
    (top, left, height, width), (first, begin, tall, wide) = box, crop.box
    return top <= first and left <= begin and first + tall <= top + height and begin + wide <= left + width


def _around(crop: Crop, side: int, height: int, width: int) -> Box:
    """A window of that side with the crop in its middle, on the grid of LR."""
    top, left, tall, wide = crop.box
    scale = crop.scale
    high, broad = (
        max(crop_side, min(side, whole) // scale * scale)
        for crop_side, whole in ((tall, height), (wide, width))
    )
    first = min(max(0, top + tall // 2 - high // 2), height - high) // scale * scale
    begin = min(max(0, left + wide // 2 - broad // 2), width - broad) // scale * scale
    return first, begin, high, broad


def _view(
    gallery: Gallery, name: str, box: Box, crops: Sequence[Crop], colours: Mapping[str, int]
) -> dict[str, Any]:
    scale = gallery.scene.scale
    top, left, height, width = box
    original = gallery.originals[name]
    inside = [crop for crop in crops if _holds(box, crop)]
    window = (slice(top, top + height), slice(left, left + width))
    lr = original.lr[top // scale : (top + height) // scale, left // scale : (left + width) // scale]
    everything: tuple[Plane, ...] = ("r", "g", "b", "y")
    layers = [
        _layer("HR", original.hr[window], everything, None),
        _layer("LR", lr, everything, None) | {"scale": scale},
        _layer("bicubic", original.bicubic[window], everything, None)
        | {"crops": [_scores(crop, original.bicubic, original.hr, everything) for crop in inside]}
        | {"detail": _details(original.bicubic[window], original.hr[window], everything, scale)},
    ]
    for one in gallery.shown:
        if name in one.pictures:
            sr = one.pictures[name]
            layers.append(
                _layer(one.label, sr[window], one.planes, colours[one.run_id])
                | {"crops": [_scores(crop, sr, original.hr, one.planes) for crop in inside]}
                | {"detail": _details(sr[window], original.hr[window], one.planes, scale)}
            )
    whole = (top, left, height, width) == (0, 0, *original.hr.shape[:2])
    return {
        "title": f"{name} · {gallery.scene.title}" + ("" if whole else f" · window at {left}, {top}"),
        "width": width,
        "height": height,
        "scale": scale,
        "crops": [
            {"box": [crop.box[0] - top, crop.box[1] - left, crop.box[2], crop.box[3]], "why": crop.why}
            for crop in inside
        ],
        "layers": layers,
    }


def _layer(label: str, pixels: Pixels, planes: Sequence[Plane], run: int | None) -> dict[str, Any]:
    return {"label": label, "run": run, "planes": list(planes), "src": packed(pixels)}


def packed(pixels: Pixels) -> str:
    """A data URL of 8-bit RGB pixels, without loss."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "WEBP", lossless=True, quality=60, method=3)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def _scores(crop: Crop, sr: Pixels, hr: Pixels, planes: Sequence[Plane]) -> str:
    """`PSNR y 24.31 dB, detail 0.12`: what stands beneath a crop."""
    found = crop_scores(crop, sr, hr, planes)
    psnr = (
        f"PSNR {found.plane} {found.psnr:.2f} dB"
        if np.isfinite(found.psnr)
        else f"equal to HR on {found.plane}"
    )
    return psnr + (", no detail in HR to compare" if found.detail is None else f", detail {found.detail:.2f}")


def _details(sr: Pixels, hr: Pixels, planes: Sequence[Plane], scale: int) -> dict[str, Any]:
    """Where HR's detail is lost: plane → the share recovered of each window, and the grid they lie in."""
    if scale < 2:
        return {}
    found = detail_map(*prepare(to_tensor(sr), to_tensor(hr), list(planes), 0), scale)
    rows, columns = found.gain.shape[-2:]
    weight = found.weight[0].nan_to_num(0)
    there = weight > weight.mean(dim=(-2, -1), keepdim=True) / 10  # next to nothing to lose elsewhere
    gain = found.gain[0].where(there, found.gain.new_tensor(float("nan"))).clamp(0, 1)
    return {
        "rows": rows,
        "columns": columns,
        "top": found.top,
        "left": found.left,
        "window": found.window,
        "stride": found.stride,
        "gain": {plane: rounded(gain[at].flatten().tolist(), 2) for at, plane in enumerate(planes)},
    }
