"""images/: SR pictures of a run, kept where `--save-images` asks for them."""

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from srbench.store.layout import RunPaths

if TYPE_CHECKING:
    from torch import Tensor


def picture_file(paths: RunPaths, test: str, image: str, scale: int) -> Path:
    """Where the SR picture of a test picture lies, if it was kept: `images/TEST/xSCALE/IMAGE.png`."""
    # A picture's name is a relative path by contract, but it comes from a plugin: no part may climb out.
    parts = [part for part in PurePosixPath(image).parts if part not in ("..", "/")]
    return paths.images / test / f"x{scale}" / PurePosixPath(*parts[:-1], f"{parts[-1]}.png")


def write_picture(paths: RunPaths, test: str, image: str, scale: int, sr: "Tensor") -> None:
    """Store one SR picture, `(1, C, H, W)` in [0, 1], at `picture_file`.

    Raises:
        StoreError: it cannot be written.
    """
    from srbench.images.png import write_png

    write_png(picture_file(paths, test, image, scale), sr)
