"""Where detail was lost: the map of each picture and plane, as numbers and laid over HR."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from srbench.datasets import TestSet
from srbench.evaluate.upscalers import upscaler_of
from srbench.files import write_atomic
from srbench.images.png import write_png
from srbench.images.stochastic import Degradation
from srbench.images.tiles import lr_of, read_rgb, reference
from srbench.metrics.detail import DetailMap, detail_map
from srbench.metrics.protocol import prepare
from srbench.predict import planes_like
from srbench.progress import steps
from srbench.registry import registry
from srbench.spec import RunSpec
from srbench.store.runs import StoredRun
from srbench.types import Plane, scored_planes

_LOST, _HALF, _THERE = (0.84, 0.10, 0.11), (0.99, 0.85, 0.35), (0.10, 0.59, 0.25)
"""Red, yellow and green: none, half and all of HR's detail."""

_STRENGTH = 0.6  # of the colour where there is most to recover


def write_maps(
    run: StoredRun,
    test: TestSet,
    folder: Path,
    device: torch.device,
    check: Callable[[], None],
    *,
    quiet: bool = False,
) -> int:
    """Write `FOLDER/TEST/xSCALE/PICTURE.npz`, and `PICTURE-PLANE.png` a plane; returns how many pictures.

    The array file holds `gain` and `weight` (planes, rows, columns) as `metrics.detail.DetailMap` has them,
    `planes`, and `grid`: border, top, left, window and stride in pixels. In the picture, red is detail lost
    and green is detail that is there, laid over grey HR and stronger where there is more to recover.

    Args:
        run: from the store, with networks or pictures.
        test: pictures.
        folder: made where it is not there.
        device: where to compute.
        check: called between two pictures; raises to stop.
        quiet: no progress bar.

    Raises:
        CheckpointError: there is no checkpoint, or it does not fit.
        PictureError: a picture cannot be decoded.
        StoreError: a file cannot be written.
        StoppedError: by `check`.
    """
    spec = RunSpec.from_stored(run.record.spec)
    _, upscaler = upscaler_of(spec, run.paths, [test], device, allow_missing=True)
    degradation = registry().find("degradation", spec.degradation.name)
    degrade: Degradation = degradation.make(**spec.degradation.params)
    planes = tuple(plane for plane in scored_planes(spec.network_channels) if plane != "rgb")
    written = 0
    with steps(f"{run.id}: mapping {test.name}", len(test.pictures), check, quiet=quiet) as tick:
        for picture in test.pictures:
            hr = read_rgb(picture, spec.scale)
            lr = lr_of(picture, hr, spec.scale, degrade).to(device)
            prediction = upscaler(test.name, picture, lr)
            for scale, sr in prediction.items():
                target = reference(hr, scale, spec.scale, degrade).to(device)
                target = planes_like(target, sr, spec.network_channels)
                if min(target.shape[-2:]) > 2 * scale:
                    place = folder / test.name / f"x{scale}"
                    _write(place, picture.name, planes, *prepare(sr, target, planes, scale), scale)
                    written += 1
            tick()
    return written


def overlay(hr: Tensor, found: DetailMap, plane: int) -> Tensor:
    """A map laid over HR.

    Args:
        hr: the planes that were compared, (1, C, H, W), in [0, 1].
        found: the map of `hr`, with at least one window.
        plane: which of the planes.

    Returns:
        (1, 3, H, W), in [0, 1]: grey where no window lies or HR has nothing to recover.
    """
    grey = hr[:, plane : plane + 1].float().expand(-1, 3, -1, -1)
    height, width = hr.shape[-2:]
    down = _line(height, found.top, found.gain.shape[-2], found, hr.device)
    across = _line(width, found.left, found.gain.shape[-1], found, hr.device)
    # Mixed by weight between windows: the share of a flat one, which may be anything, colours no other.
    weights = found.weight[0, plane].float().nan_to_num(0)
    gains = found.gain[0, plane].float().nan_to_num(0).clamp(0, 1)
    weight, there = (down @ one @ across.mT for one in (weights, weights * gains))
    usual = torch.quantile(weights, 0.95).clamp(min=1e-12)
    low, middle, high = (
        torch.tensor(one, device=hr.device).reshape(3, 1, 1) for one in (_LOST, _HALF, _THERE)
    )
    share = there / weight.clamp(min=1e-12)
    colour = torch.where(
        share < 0.5, torch.lerp(low, middle, 2 * share), torch.lerp(middle, high, 2 * share - 1)
    )
    return torch.lerp(grey, colour[None], _STRENGTH * (weight / usual).clamp(max=1))


def _line(side: int, first: int, windows: int, found: DetailMap, device: torch.device) -> Tensor:
    """(side, windows): what each window gives to each pixel of an axis, linear between their centres.

    Zero outside all windows.
    """
    pixel = torch.arange(side, device=device, dtype=torch.float32)
    place = ((pixel + 0.5 - first - found.window / 2) / found.stride).clamp(0, windows - 1)
    distance = (place[:, None] - torch.arange(windows, device=device)).abs()
    last = first + (windows - 1) * found.stride + found.window
    inside = (pixel >= first) & (pixel < last)
    return (1 - distance).clamp(min=0) * inside[:, None]


def _write(folder: Path, name: str, planes: Sequence[Plane], sr: Tensor, hr: Tensor, scale: int) -> None:
    found = detail_map(sr, hr, scale)
    content = io.BytesIO()
    np.savez_compressed(
        content,
        gain=found.gain[0].cpu().numpy(),
        weight=found.weight[0].cpu().numpy(),
        planes=np.array(planes),
        grid=np.array([scale, found.top, found.left, found.window, found.stride]),
    )
    write_atomic(folder / f"{name}.npz", content.getvalue())
    for number, plane in enumerate(planes if found.gain.numel() else ()):
        write_png(folder / f"{name}-{plane}.png", overlay(hr, found, number))
