"""A small set that is published: pictures with facts, and copies of it with something wrong."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from srbench.data.verdict import Verdict
from srbench.data.verify import verify
from srbench.facts import DatasetFacts, Figure, Known
from srbench.types import Dataset, Picture
from srbench_datasets import named  # noqa: F401 - read before a test puts other facts in their place

CROPS = {
    "cat": data.chelsea()[20:180, 100:260],
    "cup": data.coffee()[101:261, 203:363],
    "face": data.astronaut()[11:171, 151:311],
    "tissue": data.immunohistochemistry()[101:261, 151:311],
}
RULES = (Figure(2, 0), Figure(4, 0))


def write(folder: Path) -> Path:
    """The set as it is published."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, pixels in CROPS.items():
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


def dataset(folder: Path) -> Dataset:
    """All pictures of a folder, to be scored on."""
    return Dataset(test=[Picture(path.stem, path) for path in sorted(folder.iterdir())])


def facts_of(folder: Path, *, known: bool = True, figures: Sequence[Figure] = RULES) -> DatasetFacts:
    """What somebody would publish who has this folder, with or without the pictures' own facts."""
    bare = DatasetFacts("free", {"test": len(CROPS)}, figures=tuple(figures))
    verdict = verify("ours", bare, dataset(folder))
    here = [float(line.here) for line in verdict.lines if line.what.startswith("bicubic")]
    exact = tuple(replace(figure, psnr=value) for figure, value in zip(figures, here, strict=True))
    pictures = {name: Known(**described) for name, described in verdict.pictures.items()} if known else {}
    return replace(bare, figures=exact, pictures=pictures)


def faults(verdict: Verdict) -> dict[str, str]:
    """Picture → cause of each fault."""
    return {finding.picture: finding.cause for finding in verdict.findings if finding.is_fault}


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def jpeg(path: Path, quality: int = 90) -> None:
    """Replace a PNG by its JPEG copy, saved as PNG: its pixels alone tell."""
    copy = path.with_suffix(".jpg")
    Image.fromarray(pixels_of(path)).save(copy, quality=quality)
    Image.fromarray(pixels_of(copy)).save(path)
    copy.unlink()


def swap(path: Path, order: tuple[int, int, int] = (2, 1, 0)) -> None:
    Image.fromarray(pixels_of(path)[..., list(order)]).save(path)


def crop(path: Path, height: int, width: int, top: int = 0, left: int = 0, to: Path | None = None) -> None:
    Image.fromarray(pixels_of(path)[top : top + height, left : left + width]).save(to or path)
