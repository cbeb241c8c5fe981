"""A data set that is tiny and real: crops of scikit-image's photographs, the same on every machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

_CROPS = {
    "train/coffee": ("coffee", 100, 200, 64, 64),
    "train/rocket": ("rocket", 150, 200, 64, 56),
    "train/grass": ("grass", 0, 0, 64, 64),
    "val/cat": ("chelsea", 100, 100, 48, 56),
    "test/face": ("astronaut", 60, 180, 64, 56),
    "test/tissue": ("immunohistochemistry", 0, 0, 48, 64),
}
"""Half and name → photograph, and top, left, height and width of the part of it."""


@dataclass(frozen=True)
class TinyDataset:
    """Three pictures to train on, one to validate on and two to score on, of 48 to 64 pixels a side.

    Args:
        root: with the folders train, val and test.
    """

    root: Path

    @property
    def text(self) -> str:
        """How it is typed after `--dataset`."""
        halves = ",".join(f"{half}={self.root / half}" for half in ("train", "val", "test"))
        return f"folder:{halves}"

    @property
    def hr(self) -> "Tensor":
        """The three training pictures, (3, 3, 48, 48), float32 in [0, 1]."""
        import torch

        from srbench.images.png import to_tensor

        parts = [to_tensor(_pixels(name)) for name in _CROPS if name.startswith("train/")]
        return torch.cat([part.expand(1, 3, -1, -1)[..., :48, :48] for part in parts])

    def lr(self, scale: int) -> "Tensor":
        """Their LR by bicubic, (3, 3, 48 / scale, 48 / scale)."""
        from srbench.images.resize import bicubic

        return bicubic()(self.hr, scale)


def write_pictures(root: Path, *, colour: bool = True) -> TinyDataset:
    """Write the pictures below `root` as PNG files, grey ones unless they are to have colour."""
    from PIL import Image

    for name in _CROPS:
        path = root / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(_pixels(name))
        (image if colour else image.convert("L")).save(path)
    return TinyDataset(root)


def _pixels(name: str) -> "NDArray[np.uint8]":
    from skimage import data

    photograph, top, left, height, width = _CROPS[name]
    pixels: NDArray[np.uint8] = getattr(data, photograph)()[top : top + height, left : left + width]
    return pixels
