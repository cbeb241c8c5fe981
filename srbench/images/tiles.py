"""Training pictures, decoded and degraded once; batches of patches are gathered from them on the device."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srbench.errors import DatasetError
from srbench.files import cannot_write
from srbench.images.png import quantise, read_picture, to_tensor
from srbench.images.stochastic import Degradation, Stochastic, of_picture, reducing
from srbench.types import Picture


@dataclass(frozen=True)
class Batch:
    """Patches of one step, RGB, float32 in [0, 1], on the device.

    Args:
        lr: (N, 3, p, p).
        hr: scale → (N, 3, p·scale, p·scale), for each scale that is predicted.
    """

    lr: Tensor
    hr: dict[int, Tensor]


class TileStore:
    """All training pictures at every scale, each level one flat array of 8-bit (or float32) values.

    Args:
        pictures: what to train on.
        scales: the scales that are predicted; the largest is the run scale.
        degrade: HR → LR where pictures have no LR of their own; also makes the references of inner scales,
            unless it is stochastic.
        patch: side of an HR patch in pixels.
        device: where batches are wanted; the arrays lie there too when they fit.
        progress: called once a picture.

    Raises:
        PictureError: a picture cannot be decoded.
        DatasetError: a picture is smaller than a patch, or its LR has another size than it should.
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        scales: Sequence[int],
        degrade: Degradation,
        patch: int,
        device: torch.device,
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        self.run_scale = max(scales)
        self.patch = patch
        self._device = device
        has_lr = any(picture.lr is not None for picture in pictures)
        self._stochastic = degrade if isinstance(degrade, Stochastic) and not has_lr else None
        lr_parts: list[Tensor] = []
        sizes: list[tuple[int, int]] = []
        slots: list[int] = []
        with ExitStack() as files:
            references = {scale: files.enter_context(_Bytes()) for scale in scales}
            for number, picture in enumerate(pictures):
                hr = read_rgb(picture, self.run_scale)
                height, width = hr.shape[-2:]
                if min(height, width) < patch:
                    raise DatasetError(
                        f"Picture {picture.name!r} is {width}×{height} and smaller than a training patch "
                        f"of {patch}×{patch}. Leave it out, or take a smaller --patch."
                    )
                if self._stochastic is None:  # which makes LR of each patch when it is drawn
                    lr_parts.append(_compact(lr_of(picture, hr, self.run_scale, degrade)))
                for scale, values in references.items():
                    values.append(reference(hr, scale, self.run_scale, degrade))
                sizes.append((height // self.run_scale, width // self.run_scale))
                # A tile stands for one patch of an epoch, a picture for as many as fit into it side by side.
                slots += [number] * (1 if picture.box else (height // patch) * (width // patch))
                progress()
            levels = {scale: values.joined() for scale, values in references.items()}
        self._sizes = np.array(sizes, dtype=np.int64)
        self._slots = np.array(slots, dtype=np.int64)
        pixels = self._sizes.prod(axis=1)
        self._first = np.concatenate([[0], np.cumsum(pixels)[:-1]])
        lr = {1: _joined(lr_parts)} if lr_parts else {}
        self._levels = _placed({**lr, **levels}, device)

    @property
    def slots(self) -> int:
        """Patches an epoch."""
        return len(self._slots)

    def batch(
        self,
        slot: NDArray[np.int64],
        random: NDArray[np.uint64],
        turn: NDArray[np.int64],
        seeds: NDArray[np.uint64],
    ) -> Batch:
        """Cut the drawn patches from every level, mirrored and turned alike.

        A stochastic degradation makes LR of the HR patch as it was turned, with its margin: what lies around
        the patch in the picture, mirrored where the picture ends.

        Args:
            slot: (B,) which of the epoch's patches: it says from which picture.
            random: (B, 2) where in it; any 64-bit numbers.
            turn: (B,) 0 to 7: bit 0 mirrors left-right, bit 1 top-bottom, bit 2 then swaps the axes.
            seeds: (B,) by which a stochastic degradation makes LR.
        """
        picture = self._slots[slot]
        side = self.patch // self.run_scale
        height, width = self._sizes[picture].T
        free = np.stack([height - side + 1, width - side + 1], axis=1).astype(np.uint64)
        top, left = (random % free).astype(np.int64).T
        where = np.stack([self._first[picture], height, width, top, left, turn])
        host = torch.from_numpy(where).to(self._levels[self.run_scale].device, non_blocking=True)
        patches = {level: self._cut(level, host, side) for level in self._levels}
        if self._stochastic is None:
            return Batch(patches.pop(1), patches)
        wide = self._cut(self.run_scale, host, side, self._stochastic.margin(self.run_scale))
        return Batch(self._stochastic.patches(wide, self.run_scale, seeds), patches)

    def _cut(self, level: int, where: Tensor, side: int, margin: int = 0) -> Tensor:
        """One gather for the whole batch: the turn is part of the index arithmetic, so it costs nothing."""
        first, height, width, top, left, turn = where
        side *= level
        steps = torch.arange(-margin, side + margin, device=where.device)
        shape = (len(steps), len(steps))
        rows, columns = steps[:, None].expand(shape), steps[None, :].expand(shape)
        swap = (turn & 4).bool()[:, None, None]
        row = torch.where(swap, columns, rows)
        column = torch.where(swap, rows, columns)
        row = torch.where((turn & 2).bool()[:, None, None], side - 1 - row, row)
        column = torch.where((turn & 1).bool()[:, None, None], side - 1 - column, column)
        row = row + (top * level)[:, None, None]
        column = column + (left * level)[:, None, None]
        if margin:
            row = _mirrored(row, (height * level)[:, None, None])
            column = _mirrored(column, (width * level)[:, None, None])
        line = (width * level)[:, None, None]
        index = (first * level**2)[:, None, None] + row * line + column
        # A pixel's three values lie together, so that one look-up fetches them: twice as fast as by plane.
        pixels = self._levels[level].index_select(0, index.reshape(-1)).to(self._device, non_blocking=True)
        cut = pixels.view(len(turn), *shape, 3).permute(0, 3, 1, 2)
        return cut.float() / 255 if cut.dtype == torch.uint8 else cut


def read_rgb(picture: Picture, scale: int) -> Tensor:
    """A picture as RGB `(1, 3, H, W)` in [0, 1], cut at bottom and right to a multiple of `scale`.

    A grey file becomes three equal planes.

    Raises:
        PictureError: it cannot be decoded.
        DatasetError: nothing is left of it at this scale.
    """
    pixels = to_tensor(read_picture(picture))
    height, width = (side // scale * scale for side in pixels.shape[-2:])
    if not height or not width:
        raise DatasetError(
            f"Picture {picture.name!r} is {pixels.shape[-1]}×{pixels.shape[-2]}, less than one LR pixel at "
            f"×{scale}. Leave it out."
        )
    return pixels[..., :height, :width].expand(-1, 3, -1, -1)


def lr_of(picture: Picture, hr: Tensor, scale: int, degradation: Degradation) -> Tensor:
    """LR of a picture, `(1, 3, H / scale, W / scale)` float32: its own where it has one, else HR degraded.

    Args:
        picture: what `hr` was read from.
        hr: from `read_rgb`.
        scale: of HR to LR.
        degradation: HR → LR; reduces an LR picture that has the size of HR, too, by bicubic where it is
            stochastic.

    Raises:
        PictureError: its LR cannot be decoded.
        DatasetError: its LR is not HR's size, cut to a multiple of `scale`, over `scale`; or its tile begins
            between two LR pixels.
    """
    if picture.lr is None:
        return of_picture(degradation, picture.name)(hr, scale).float()
    own = Picture(picture.name, picture.lr, picture.box)
    if not picture.same_size and picture.box is not None:
        if picture.box[0] % scale or picture.box[1] % scale:
            raise DatasetError(
                f"The tile {picture.name!r} begins between two pixels of its LR picture at ×{scale}. Cut "
                f"tiles whose side is a multiple of {scale}."
            )
        top, left, height, width = (side // scale for side in picture.box)
        own = replace(own, box=(top, left, height, width))
    lr = read_rgb(own, scale if picture.same_size else 1)
    height, width = (side if picture.same_size else side // scale for side in hr.shape[-2:])
    if lr.shape[-2:] != (height, width):
        origin = picture.lr if isinstance(picture.lr, Path) else f"The LR picture of {picture.name!r}"
        raise DatasetError(
            f"{origin} is {lr.shape[-1]}×{lr.shape[-2]}, and {picture.name} at ×{scale} needs "
            f"{width}×{height}. Make it again, or take it away to have LR made of HR."
        )
    return reducing(degradation)(lr, scale).float() if picture.same_size else lr


def part_of(picture: Picture, box: tuple[int, int, int, int]) -> Picture:
    """A part of a picture, (top, left, height, width) in pixels of what the picture is."""
    top, left = picture.box[:2] if picture.box else (0, 0)
    return replace(picture, box=(top + box[0], left + box[1], *box[2:]))


def reference(hr: Tensor, scale: int, run_scale: int, degrade: Degradation) -> Tensor:
    """What the SR picture of a scale is compared with: HR itself at the run scale, else HR degraded to that
    size and rounded to 8 bits (reduced by bicubic, where the degradation is stochastic)."""
    return hr if scale == run_scale else quantise(reducing(degrade)(hr, run_scale // scale))


def _mirrored(index: Tensor, size: Tensor) -> Tensor:
    """Pixels beyond an edge → those that lie as far inside it, as MATLAB's `imresize` has it."""
    index = index % (2 * size)
    return torch.minimum(index, 2 * size - 1 - index)


def _pixels(picture: Tensor) -> Tensor:
    """(1, 3, H, W) → (H·W, 3)."""
    return picture[0].permute(1, 2, 0).reshape(-1, 3)


def _compact(values: Tensor) -> Tensor:
    """8 bits where that loses nothing, else float32."""
    flat = _pixels(values).float()
    bytes_ = (flat * 255).round().clamp(0, 255).to(torch.uint8)
    return bytes_ if torch.equal(bytes_.float() / 255, flat) else flat


def _joined(parts: list[Tensor]) -> Tensor:
    """One array of a level that need not be 8-bit: float32 as soon as one picture of it is."""
    if all(part.dtype == torch.uint8 for part in parts):
        return torch.cat(parts)
    return torch.cat([part.float() / 255 if part.dtype == torch.uint8 else part for part in parts])


class _Bytes:
    """8-bit values appended to a nameless file and mapped into memory: a set may exceed it."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="srbench-")  # noqa: SIM115

    def __enter__(self) -> "_Bytes":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, values: Tensor) -> None:
        try:
            self._file.write((_pixels(values) * 255).round().to(torch.uint8).numpy().tobytes())
        except OSError as error:
            raise cannot_write(Path(tempfile.gettempdir()), error) from error

    def joined(self) -> Tensor:
        self._file.flush()
        # The map outlives the file. Mode "c": torch wants writable memory, and nothing is ever written.
        return torch.from_numpy(np.memmap(self._file, dtype=np.uint8, mode="c")).view(-1, 3)


def _placed(levels: dict[int, Tensor], device: torch.device) -> dict[int, Tensor]:
    """The arrays on the device, where they take at most half of what is free there."""
    size_bytes = sum(level.numel() * level.element_size() for level in levels.values())
    if device.type == "cuda" and size_bytes < torch.cuda.mem_get_info(device)[0] // 2:
        return {scale: level.to(device) for scale, level in levels.items()}
    return levels
