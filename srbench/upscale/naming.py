"""Pictures and folders as typed → which file becomes which, and how names are shown."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from srbench.errors import PictureError, UsageError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif", ".pgm", ".ppm")
"""What is taken for a picture in a folder; a file that is named itself may be called anything."""


@dataclass(frozen=True)
class Task:
    """One picture to be made.

    Args:
        source: of this file.
        target: under this name.
        error: why it cannot be; None: it can.
    """

    source: Path
    target: Path
    error: PictureError | None = None


def named(path: Path | str) -> str:
    """A path as it is shown on one line: quoted, with escapes, where it could pass for something else."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def tasks_of(typed: Sequence[Path], folder: Path, scale: int) -> list[Task]:
    """What each picture becomes: `NAME_xSCALE.png` in `folder`.

    Pictures whose names differ by their kinds alone keep these: `NAME.jpg_xSCALE.png`. A picture that is
    named twice is made once; of a folder, all pictures in it are taken, by name, but for results that lie
    there.

    Args:
        typed: files and folders.
        folder: for the results.
        scale: of the run.

    Raises:
        UsageError: a folder cannot be read, or holds no pictures.
    """
    named_files, found = _expanded(typed)
    targets = _targets(found, folder, scale)
    made = {_place(one) for one in targets}
    kept = [one for one in found if one in named_files or _place(one) not in made]
    targets = _targets(kept, folder, scale)
    sources, counts = {_place(one) for one in kept}, Counter(_key(one) for one in targets)
    tasks = []
    for source, target in zip(kept, targets, strict=True):
        error = None
        if _place(target) in sources:
            error = PictureError(
                f"{named(source)} is not upscaled: its result {named(target)} would take the place of "
                "another of the pictures. Name another folder by -o."
            )
        elif counts[_key(target)] > 1:
            error = PictureError(
                f"{named(source)} is not upscaled: another of the pictures would have the same result "
                f"{named(target)}. Upscale them into folders of their own."
            )
        tasks.append(Task(source, target, error))
    return tasks


def _expanded(typed: Sequence[Path]) -> tuple[set[Path], list[Path]]:
    """The files that were named themselves, and all there are, each once."""
    named_files: set[Path] = set()
    found: dict[Path, Path] = {}
    for path in typed:
        if os.path.isdir(path):  # noqa: PTH112 - a name too long for any file is none, and no error
            for one in _in_folder(path):
                found.setdefault(_place(one), one)
        else:
            found.setdefault(_place(path), path)
            named_files.add(found[_place(path)])
    return named_files, list(found.values())


def _in_folder(folder: Path) -> list[Path]:
    try:
        files = sorted(folder.iterdir())
    except OSError as error:
        raise UsageError(f"{named(folder)} cannot be read: {error.strerror}.") from error
    pictures = [
        one
        for one in files
        if one.suffix.lower() in SUFFIXES and not one.name.startswith(".") and not one.is_dir()
    ]
    if not pictures:
        raise UsageError(
            f"{named(folder)} holds no pictures: no file in it ends in {', '.join(SUFFIXES)}. Folders within "
            "it are not looked into."
        )
    return pictures


def _targets(sources: Sequence[Path], folder: Path, scale: int) -> list[Path]:
    stems = Counter(one.stem.casefold() for one in sources)
    bases = [one.name if stems[one.stem.casefold()] > 1 else one.stem for one in sources]
    return [folder / f"{base}_x{scale}.png" for base in bases]


def _place(path: Path) -> Path:
    """Where a file lies, but for a last link."""
    return Path(os.path.realpath(path.parent)) / path.name


def _key(path: Path) -> Path:
    """What some file systems tell names apart by."""
    return path.with_name(path.name.casefold())
