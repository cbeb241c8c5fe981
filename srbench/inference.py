"""How a picture is put through a network: whole or in tiles, once or in all 8 ways."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from srbench.types import Prediction

DEFAULT_OVERLAP = 32
"""LR pixels that tiles share; a quarter of the tile where that is less."""


@dataclass(frozen=True)
class Inference:
    """How pictures are put through networks. Part of the protocol of every score.

    Args:
        tile: side in LR pixels of what a network sees at once; None: whole pictures.
        overlap: LR pixels that neighbouring tiles share, at most half a tile. The outer quarter of it is
            dropped and tiles fade into each other across its middle half, so a network that looks no
            further than a quarter of the overlap gives what it gives of whole pictures. None: 32 pixels, or
            a quarter of a smaller tile.
        self_ensemble: the mean over the picture mirrored and turned in all 8 ways.

    Raises:
        ValueError: sizes that do not go together.
    """

    tile: int | None = None
    overlap: int | None = None
    self_ensemble: bool = False

    def __post_init__(self) -> None:
        if self.tile is None:
            if self.overlap is not None:
                raise ValueError("an overlap needs tiles: give the side of a tile too")
            return
        if self.tile < 16:
            raise ValueError(f"a tile of {self.tile} pixels is too small; take 16 or more")
        if self.overlap is None:
            object.__setattr__(self, "overlap", min(DEFAULT_OVERLAP, self.tile // 4))
        elif not 0 <= self.overlap <= self.tile // 2:
            raise ValueError(
                f"an overlap of {self.overlap} pixels is not between 0 and half of a tile of {self.tile}"
            )

    def data(self) -> dict[str, Any]:
        """What the protocol says of it; of tiles only where there are any."""
        tiles = {"tile": self.tile, **({"overlap": self.overlap} if self.tile is not None else {})}
        return {"precision": "fp32", **tiles, "self_ensemble": self.self_ensemble}


WHOLE = Inference()
"""The default: each picture whole, once."""


def upscale(
    network: "Callable[[Tensor], Prediction]", x: Tensor, size_multiple: int, inference: Inference
) -> "Prediction":
    """What a network makes of a picture, as often and in as many tiles as `inference` says.

    Args:
        network: LR `(N, C, h, w)` → prediction.
        x: the picture; its sides are multiples of `size_multiple`.
        size_multiple: tiles begin and end at multiples of it.
        inference: how.
    """
    if not inference.self_ensemble:
        return _tiled(network, x, size_multiple, inference)
    total: Prediction = {}
    for turn in range(8):
        for scale, sr in _tiled(network, _turned(x, turn), size_multiple, inference).items():
            upright = _turned_back(sr, turn)
            total[scale] = total[scale] + upright if turn else upright
    return {scale: sr / 8 for scale, sr in total.items()}


def _tiled(
    network: "Callable[[Tensor], Prediction]", x: Tensor, size_multiple: int, inference: Inference
) -> "Prediction":
    height, width = x.shape[-2:]
    if inference.tile is None or max(height, width) <= inference.tile:
        return network(x)
    rows, columns = (
        Axis(size, inference.tile, inference.overlap or 0, size_multiple) for size in (height, width)
    )
    total: Prediction = {}
    for row, top in enumerate(rows.starts):
        for column, left in enumerate(columns.starts):
            part = x[..., top : top + rows.tile, left : left + columns.tile]
            for scale, sr in network(part).items():
                if scale not in total:
                    total[scale] = sr.new_zeros(*sr.shape[:2], height * scale, width * scale)
                down = rows.weights(scale)[row].to(sr)[:, None]
                across = columns.weights(scale)[column].to(sr)
                vertical = slice(top * scale, (top + rows.tile) * scale)
                horizontal = slice(left * scale, (left + columns.tile) * scale)
                total[scale][..., vertical, horizontal] += sr * down * across
    return total


class Axis:
    """How one side of a picture is cut into tiles, and how much each counts where they overlap.

    Args:
        size: of the side in LR pixels, a multiple of `multiple`.
        tile: of a tile; rounded up to a multiple of it.
        overlap: that neighbours share at least.
        multiple: starts are multiples of it.
    """

    def __init__(self, size: int, tile: int, overlap: int, multiple: int) -> None:
        tile = math.ceil(max(tile, overlap + multiple) / multiple) * multiple
        self.size, self.tile, self._overlap = size, min(tile, size), overlap
        stride = (tile - overlap) // multiple * multiple
        last = size - self.tile
        count = math.ceil(last / stride) + 1
        # Spread evenly: all neighbours overlap alike, and no tile is mostly another one again.
        self.starts: Sequence[int] = [
            number * last // max(count - 1, 1) // multiple * multiple for number in range(count)
        ]
        self._weights: dict[int, list[Tensor]] = {}

    def weights(self, scale: int) -> list[Tensor]:
        """Of each tile, (tile · scale,); at every pixel of the side they sum to 1."""
        if scale not in self._weights:
            ramps = [*self._ramps(scale)]
            total = torch.zeros(self.size * scale, dtype=torch.float64)
            places = [slice(start * scale, (start + self.tile) * scale) for start in self.starts]
            for place, ramp in zip(places, ramps, strict=True):
                total[place] += ramp
            self._weights[scale] = [ramp / total[place] for place, ramp in zip(places, ramps, strict=True)]
        return self._weights[scale]

    def _ramps(self, scale: int) -> Iterator[Tensor]:
        where = (torch.arange(self.tile * scale, dtype=torch.float64) + 0.5) / scale
        for number in range(len(self.starts)):
            ramp = torch.ones_like(where)
            if self._overlap and number:
                ramp *= ((where - self._overlap / 4) / (self._overlap / 2)).clamp(0, 1)
            if self._overlap and number < len(self.starts) - 1:
                ramp *= ((self.tile - where - self._overlap / 4) / (self._overlap / 2)).clamp(0, 1)
            yield ramp


def _turned(x: Tensor, turn: int) -> Tensor:
    """One of the 8 ways to lay a square: bit 0 mirrors left-right, bit 1 top-bottom, bit 2 swaps the axes."""
    x = x.flip(-1) if turn & 1 else x
    x = x.flip(-2) if turn & 2 else x
    return x.mT if turn & 4 else x


def _turned_back(x: Tensor, turn: int) -> Tensor:
    """The inverse of `_turned`."""
    x = x.mT if turn & 4 else x
    x = x.flip(-2) if turn & 2 else x
    return x.flip(-1) if turn & 1 else x
