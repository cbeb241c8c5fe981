"""Networks + a picture of any size → the same picture, larger: in tiles, a band of the result at a time."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from srbench.errors import PictureError, SrbenchError
from srbench.images.colour import rgb_to_y
from srbench.images.png import quantise
from srbench.images.resize import resize_bicubic
from srbench.inference import Axis, Inference
from srbench.memory import available_bytes, is_out_of_memory
from srbench.predict import TILES, NetworkUpscaler, pad_to
from srbench.progress import tell
from srbench.upscale.raster import Raster
from srbench.upscale.reach import FURTHEST, reach

_BYTES_PER_PIXEL = 15
"""Of a result: its samples, their copy for the file, and the file."""

_LEAST_OVERLAP = 16
"""LR pixels: four times what bicubic looks at, and more. Alpha and chroma go through it."""

_ROWS = 256
"""Of a result, rounded at a time."""


Steps = Callable[[int], AbstractContextManager[Callable[[], None]]]
"""How many tiles there are → a block in which its value is called once a tile; it may raise to stop."""


class Enlarger:
    """A run's networks, for pictures of any size, depth and kind.

    Args:
        upscaler: the networks. Where it asks for no tiles, they are chosen for each picture: the largest
            that leave half of the memory free, with so much overlap that no seam is left.
        called: what errors and logs call it.
    """

    def __init__(self, upscaler: NetworkUpscaler, called: str) -> None:
        self._upscaler, self._called = upscaler, called

    @property
    def scale(self) -> int:
        """How much it enlarges."""
        return self._upscaler.run_scale

    def __call__(
        self,
        picture: Raster,
        check: Callable[[], None] = lambda: None,
        steps: Steps = lambda total: nullcontext(lambda: None),
    ) -> Raster:
        """The picture, `scale` times as large and of the same depth; floating point becomes 8-bit.

        Grey stays grey. Alpha is enlarged by bicubic; before that, the colours that show take the place of
        those that are wholly transparent, so that hidden ones do not bleed into edges. A run of the plane
        r, g or b gives that plane of a picture in colour, as grey.

        Args:
            picture: with at least one pixel.
            check: called before each pass of a network; raises to stop.
            steps: see `Steps`.

        Raises:
            PictureError: memory does not hold the result.
            SrbenchError: memory is short for the networks, even in small tiles, or they must see whole
                pictures.
        """
        self.check_room(*picture.size)
        if self._upscaler.channels in ("r", "g", "b") and not picture.is_grey:
            tell(
                f"{self._called} sees the plane {self._upscaler.channels} alone: of pictures in colour it "
                "gives that plane, as grey."
            )
        for inference in self._ways(*picture.size):
            try:
                return self._enlarged(picture, inference, check, steps)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            if self._upscaler.device.type == "cuda":
                torch.cuda.empty_cache()
        height, width = picture.size
        tile = self._upscaler.inference.tile
        raise SrbenchError(
            f"Memory of {self._upscaler.device} is short for {self._called} on a picture of {width}×{height}"
            + (
                ", which it must see whole: its plugin says that it cannot be tiled. Take smaller pictures"
                if not self._upscaler.tileable
                else f" in tiles of {tile or TILES[-1]} pixels. Take a smaller --tile"
                if tile is not None
                else f", even in tiles of {TILES[-1]} pixels. Free some"
            )
            + ", or take another --device."
        )

    def check_room(self, height: int, width: int, called: str = "The picture") -> None:
        """Refuse a picture whose result would not fit into memory, before anything is made of it.

        Args:
            height, width: of the picture.
            called: what the error calls it.

        Raises:
            PictureError: with what it needs and what there is.
        """
        need = height * width * self.scale**2 * _BYTES_PER_PIXEL
        there = available_bytes()
        if need > 0.9 * there:
            raise PictureError(
                f"{called} is {width}×{height}. {width * self.scale}×{height * self.scale} of it need about "
                f"{need / 1e9:.1f} GB of memory, and {there / 1e9:.1f} GB are free. Cut it into pieces."
            )

    def _ways(self, height: int, width: int) -> Iterator[Inference]:
        """How to put a picture of that size through the networks, each asking for less memory."""
        asked = self._upscaler.inference
        if asked.tile is not None:
            yield asked
        elif not self._upscaler.tileable:
            if self._fits(height, width, share=0.9):
                yield asked
        else:
            for tile in TILES:
                if tile == TILES[-1] or self._fits(min(tile, height), min(tile, width), share=0.5):
                    if max(height, width) <= tile:
                        yield asked
                    else:
                        yield replace(asked, tile=tile, overlap=self._overlap(tile))

    def _fits(self, height: int, width: int, share: float) -> bool:
        device = self._upscaler.device
        there = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else available_bytes()
        return self._bytes_per_pixel * height * width <= share * there

    @cached_property
    def _bytes_per_pixel(self) -> float:
        return _unless_memory_is_short(lambda: self._upscaler.bytes_per_pixel, math.inf)

    def _overlap(self, tile: int) -> int:
        """The outer quarter of an overlap is dropped: that is what networks may look at beyond it."""
        needed = max(4 * self._reach, _LEAST_OVERLAP)
        if needed > tile // 2 or self._reach == FURTHEST:
            tell(
                f"{self._called} looks {self._reach} pixels around or more, and tiles of {tile} share "
                f"{min(needed, tile // 2)}: faint seams are possible."
            )
        return min(needed, tile // 2)

    @cached_property
    def _reach(self) -> int:
        return _unless_memory_is_short(lambda: reach(self._upscaler), FURTHEST)

    def _enlarged(
        self, picture: Raster, inference: Inference, check: Callable[[], None], steps: Steps
    ) -> Raster:
        (height, width), scale = picture.size, self.scale
        lr = pad_to(self._planes(picture), self._upscaler.size_multiple)
        rows, columns = (
            Axis(side, inference.tile or side, inference.overlap or 0, self._upscaler.size_multiple)
            for side in lr.shape[-2:]
        )
        within = replace(inference, tile=None, overlap=None)
        made: NDArray[Any] | None = None
        left_over = torch.zeros(0)
        with steps(len(rows.starts) * len(columns.starts)) as advance:
            for number, top in enumerate(rows.starts):
                band = torch.zeros(0)
                for place, left in enumerate(columns.starts):
                    part = lr[..., top : top + rows.tile, left : left + columns.tile]
                    sr = self._of_tile(part.to(self._upscaler.device), picture, within, check).cpu()
                    if band.numel() == 0:
                        band = sr.new_zeros(sr.shape[0], rows.tile * scale, lr.shape[-1] * scale)
                    down = rows.weights(scale)[number].to(sr)[:, None]
                    across = columns.weights(scale)[place].to(sr)
                    band[..., left * scale : (left + columns.tile) * scale] += sr * down * across
                    advance()
                if left_over.numel():
                    band[:, : left_over.shape[1]] += left_over
                last = number == len(rows.starts) - 1
                finished = (lr.shape[-2] if last else rows.starts[number + 1]) - top
                left_over = band[:, finished * scale :].clone()
                if made is None:
                    dtype = np.uint16 if picture.is_deep else np.uint8
                    made = np.empty((height * scale, width * scale, band.shape[0]), dtype)
                target = made[top * scale : (top + finished) * scale]
                for first in range(0, len(target), _ROWS):  # rounding makes copies
                    rounded = target[first : first + _ROWS]
                    rounded[...] = _samples(band[:, first : first + len(rounded), : width * scale], picture)
        assert made is not None
        return _raster(made, picture)

    def _planes(self, picture: Raster) -> Tensor:
        """(1, C, h, w), in [0, 1]: RGB, and alpha where there is one."""
        colour = picture.colour if picture.alpha is None else spread_colours(picture.colour, picture.alpha)
        planes = [np.stack([colour] * 3) if picture.is_grey else colour.transpose(2, 0, 1)]
        if picture.alpha is not None:
            planes.append(picture.alpha[None])
        stacked = torch.from_numpy(np.concatenate(planes).astype(np.float32))[None]
        is_floating = np.issubdtype(picture.colour.dtype, np.floating)
        return stacked if is_floating else stacked / picture.levels

    def _of_tile(
        self, part: Tensor, picture: Raster, inference: Inference, check: Callable[[], None]
    ) -> Tensor:
        """(C, H, W): SR of one tile, grey where the picture is, and its alpha."""
        sr = self._upscaler.predicted(part[:, :3], inference, check)[self.scale]
        if picture.is_grey and sr.shape[1] == 3:
            sr = (rgb_to_y(sr) * 255 - 16) / 219  # luma from black to white, of planes that differ little
        if picture.alpha is not None:
            sr = torch.cat([sr, resize_bicubic(part[:, 3:], *sr.shape[-2:])], dim=1)
        return sr[0]


_T = TypeVar("_T")


def _unless_memory_is_short(measured: Callable[[], _T], otherwise: _T) -> _T:
    try:
        return measured()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return otherwise


def spread_colours(colour: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """The colours of a picture, where it is wholly transparent those of the nearest pixel that is not.

    Args:
        colour: (H, W) or (H, W, 3).
        alpha: (H, W).
    """
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return colour
    rows, columns = distance_transform_edt(hidden, return_distances=False, return_indices=True)
    spread: NDArray[Any] = colour[rows, columns]
    return spread


def _samples(band: Tensor, picture: Raster) -> NDArray[Any]:
    """(C, H, W) → (H, W, C), rounded to the depth of the picture; what is not finite is black."""
    whole = (quantise(band, picture.levels).nan_to_num_(0) * picture.levels).round_()
    dtype = np.uint16 if picture.is_deep else np.uint8
    samples: NDArray[Any] = whole.permute(1, 2, 0).numpy().astype(dtype)
    return samples


def _raster(samples: NDArray[Any], picture: Raster) -> Raster:
    alpha = None if picture.alpha is None else samples[..., -1]
    colours = samples.shape[2] - (alpha is not None)
    made = Raster(samples[..., 0] if colours == 1 else samples[..., :3], alpha)
    return Raster(made.colour, made.alpha, made.fitting(picture.profile))
