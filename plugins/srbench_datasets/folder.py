"""`folder`: any folder of pictures as a dataset, split by picture."""

import hashlib
import logging
import math
import os
import unicodedata
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import NoReturn

from PIL import Image, TiffImagePlugin

from srbench.api import Dataset, DatasetError, Picture, PictureError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
SMALLEST_TILE = 16

_ORIENTATION, _TIFF_WIDTH, _TIFF_HEIGHT = 274, 256, 257  # EXIF and TIFF tags

log = logging.getLogger(__name__)


def folder(
    root: Path | None = None,
    train: Path | None = None,
    val: Path | None = None,
    test: Path | None = None,
    split: float = 0.2,
    tile: int | None = None,
) -> Dataset:
    """Every picture below a folder, split into training and test, or a folder for each of them.

    PNG, JPEG, BMP, TIFF and WebP files are taken, at any depth; what is hidden is skipped, and linked folders
    are not entered. A name is the path below its folder, with `/` between the parts and without the suffix.

    Args:
        root: one folder for both halves, divided by `split`; not together with the next three.
        train: pictures to train on.
        val: pictures for the curves and the best checkpoint; needs `train`.
        test: pictures to be scored on. `train` or `test` alone leaves the other half empty.
        split: share of the pictures below `root` that are test pictures, above 0 and below 1; rounded half
            up, with at least one picture on each side where there are two.
        tile: cut the training pictures into tiles of this side in pixels, from 16. The remainder at the
            right and bottom is dropped. Other pictures stay whole.

    Returns:
        The halves, each sorted by name; the test half is called as its folder is (`test`, else `root`).

    Raises:
        DatasetError: a folder is missing or empty, two of them overlap, two files share a name, every
            picture is smaller than a tile, or the arguments do not go together.
        PictureError: with `tile`, a file whose size cannot be read.
    """
    _check_arguments(root, train, val, test, split, tile)
    folders = {
        role: existing(role, path)
        for role, path in (("root", root), ("train", train), ("val", val), ("test", test))
        if path is not None
    }
    _check_apart(folders)
    halves = {role: _pictures_below(path) for role, path in folders.items()}
    if "root" in halves:
        halves["train"], halves["test"] = split_by_name(halves.pop("root"), split)
    if tile is not None:
        halves["train"] = _cut(halves["train"], tile)
    tested = folders.get("test", folders.get("root"))
    return Dataset(
        train=halves.get("train", ()),
        val=halves.get("val", ()),
        test=halves.get("test", ()),
        test_name=_base_name(tested) if tested else None,
    )


def existing(role: str, path: Path) -> Path:
    """A folder as typed → its absolute path, so that a run goes on from any working directory.

    Args:
        role: the parameter it was given as, for the message.
        path: relative to the working directory, or with `~`.

    Raises:
        DatasetError: it does not exist, or is a file.
    """
    found = path.expanduser().absolute()
    if not found.exists():
        raise DatasetError(
            f"The folder {role}={path} does not exist ({found}). Correct the path, or put the pictures there."
        )
    if not found.is_dir():
        raise DatasetError(
            f"{role}={path} is a file, not a folder ({found}). Name the folder that holds the pictures; an "
            "archive has to be unpacked first."
        )
    return found


def split_by_name(pictures: Sequence[Picture], split: float) -> tuple[list[Picture], list[Picture]]:
    """Training and test pictures; whole pictures only, so no scene lends its tiles to both.

    The test half is the pictures whose names have the lowest SHA-256. So it depends on the names and their
    number alone, not on machine, order or seed, and a picture added moves at most one across.

    Args:
        pictures: with unique names, in any order.
        split: share of test pictures, above 0 and below 1.

    Returns:
        (training, test), each in the order of `pictures`.
    """
    # As typed, in decimals: the binary 0.145 of 100 pictures is 14.4999…, which would not round up.
    count = math.floor(Fraction(str(split)) * len(pictures) + Fraction(1, 2))
    if len(pictures) > 1:
        count = min(max(count, 1), len(pictures) - 1)
    ranked = sorted(pictures, key=lambda picture: hashlib.sha256(picture.name.encode()).digest())
    held_out = {picture.name for picture in ranked[:count]}
    return (
        [picture for picture in pictures if picture.name not in held_out],
        [picture for picture in pictures if picture.name in held_out],
    )


def tiles_of(picture: Picture, height: int, width: int, tile: int) -> list[Picture]:
    """The tiles of a picture of that size, row by row; none where a side is shorter than `tile`.

    A tile is named by the pixel of its top left corner: the one of `a` at row 48, column 0 is `a@48+0`.
    """
    return [
        Picture(f"{picture.name}@{top}+{left}", picture.hr, (top, left, tile, tile))
        for top in range(0, height - tile + 1, tile)
        for left in range(0, width - tile + 1, tile)
    ]


def _check_arguments(
    root: Path | None,
    train: Path | None,
    val: Path | None,
    test: Path | None,
    split: float,
    tile: int | None,
) -> None:
    others = [role for role, path in (("train", train), ("val", val), ("test", test)) if path is not None]
    if root is not None and others:
        raise DatasetError(
            "A folder dataset takes root=, which it splits itself, or train=, val= and test=, not both: "
            f"root={root} came with {' and '.join(f'{role}=' for role in others)}. Leave out one kind."
        )
    if root is None and not others:
        raise DatasetError(
            "A folder dataset needs a folder. Write folder:root=DIR to have one split into training and test "
            "pictures, or folder:train=DIR,test=DIR."
        )
    if others == ["val"] or others == ["val", "test"]:
        raise DatasetError(
            f"val={val} is for a training to be watched on, and there is no train=. Add train=DIR, or give "
            "the folder as test=."
        )
    if not 0 < split < 1:
        raise DatasetError(
            f"split={split} is the share of test pictures and must lie between 0 and 1; split=0.2 holds out "
            "every fifth. To test on all or none, name the folder as test= or train= instead of root=."
        )
    if tile is not None and tile < SMALLEST_TILE:
        raise DatasetError(
            f"tile={tile} is too small: a tile has at least {SMALLEST_TILE} pixels a side, and must hold a "
            "training patch. Write tile=128, or leave it out to train on whole pictures."
        )
    if tile is not None and root is None and train is None:
        raise DatasetError(
            f"tile={tile} cuts training pictures, and there are none; test pictures stay whole. Leave out "
            "tile=, or add train=DIR."
        )


def _check_apart(folders: Mapping[str, Path]) -> None:
    """Refuse folders of which one holds the other: its pictures would be on two sides."""
    for (role, path), (other_role, other) in combinations(folders.items(), 2):
        inner, outer = path.resolve(), other.resolve()
        if inner == outer or outer in inner.parents or inner in outer.parents:
            raise DatasetError(
                f"{role}={path} and {other_role}={other} overlap. Folders are read with all that is below "
                "them, so scores would be of pictures already seen. Name folders of which none holds "
                "another, or use root=DIR with split=."
            )


def _pictures_below(top: Path) -> list[Picture]:
    """Every picture file below `top`, sorted by name."""

    def refuse(error: OSError) -> NoReturn:
        raise DatasetError(
            f"The folder {error.filename} cannot be read ({error.strerror}). Correct its permissions, or "
            f"move it out of {top}."
        ) from error

    found: dict[str, Path] = {}
    for directory, subfolders, files in os.walk(top, onerror=refuse):
        subfolders[:] = [subfolder for subfolder in subfolders if not subfolder.startswith(".")]
        for file in files:
            path = Path(directory, file)
            if file.startswith(".") or path.suffix.lower() not in SUFFIXES:
                continue
            # macOS may hand out decomposed letters; names, and with them the split, are to be the same.
            name = unicodedata.normalize("NFC", path.relative_to(top).with_suffix("").as_posix())
            if name in found:
                # Keeping both would be easy, but they are most likely one picture, and might part company
                # in the split.
                first, second = sorted((found[name], path))
                raise DatasetError(
                    f"{first} and {second.name} in the same folder differ only by suffix, and a picture's "
                    "name has none. Take one of them out if they are copies, else rename one."
                )
            found[name] = path
    if not found:
        raise DatasetError(
            f"The folder {top} holds no pictures, nor do folders in it; srbench looks for files ending in "
            f"{', '.join(SUFFIXES)}. Correct the path, or put pictures there."
        )
    return [Picture(name, found[name]) for name in sorted(found)]


def _cut(pictures: Sequence[Picture], tile: int) -> list[Picture]:
    sizes = [_upright_size(picture) for picture in pictures]
    cut = [tiles_of(picture, *size, tile=tile) for picture, size in zip(pictures, sizes, strict=True)]
    too_small = [picture.name for picture, tiles in zip(pictures, cut, strict=True) if not tiles]
    if len(too_small) == len(pictures):
        height, width = max(sizes, key=min)
        raise DatasetError(
            f"tile={tile} is larger than every training picture: the one that comes nearest is "
            f"{width}×{height}. Choose tile={min(height, width)} or less, or leave it out to train on whole "
            "pictures."
        )
    if too_small:
        log.warning(
            "%d of %d training pictures are smaller than tile=%d and are left out, %s first. "
            "A smaller tile keeps them.",
            len(too_small),
            len(pictures),
            tile,
            too_small[0],
        )
    return [one for tiles in cut for one in tiles]


def _upright_size(picture: Picture) -> tuple[int, int]:
    """Height and width as the picture is decoded, from its header alone."""
    assert isinstance(picture.hr, Path)
    try:
        with Image.open(picture.hr) as image:
            width, height = image.size
            if isinstance(image, TiffImagePlugin.TiffImageFile):
                # Newer Pillows give the size of a TIFF already turned, older ones do not; the tags are plain.
                width, height = image.tag_v2[_TIFF_WIDTH], image.tag_v2[_TIFF_HEIGHT]
            turned = image.getexif().get(_ORIENTATION) in (5, 6, 7, 8)
    except (OSError, ValueError, KeyError, SyntaxError, Image.DecompressionBombError) as error:
        raise PictureError(
            f"{picture.hr} is not a picture whose size can be read ({error}). Replace it, or take it out of "
            "the folder."
        ) from error
    return (width, height) if turned else (height, width)


def _base_name(path: Path) -> str | None:
    return (path.name if path.name not in ("", "..") else path.resolve().name) or None
