"""`folder`: any folder of pictures as a dataset, split by picture."""

import hashlib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from pathlib import Path

from srbench.api import Dataset, DatasetError, Picture
from srbench_datasets.files import Found, base_of, existing, find, find_lr, has_name

SMALLEST_TILE = 16

log = logging.getLogger(__name__)


def folder(
    root: Path | None = None,
    train: Path | None = None,
    val: Path | None = None,
    test: Path | None = None,
    split: float = 0.2,
    tile: int | None = None,
    *,
    hr: Path | None = None,
    lr: Path | None = None,
    train_lr: Path | None = None,
    val_lr: Path | None = None,
    test_lr: Path | None = None,
    same_size: bool = False,
    scale: int | None = None,
) -> Dataset:
    """Every picture below a folder, split into training and test, or a folder for each of them.

    PNG, JPEG, BMP, TIFF and WebP files are taken, at any depth; what is hidden is skipped, and linked folders
    are not entered. A name is the path below its folder, with `/` between the parts and without the suffix.

    In place of a folder, a pattern such as `DIR/{name}_HR.png` takes the files that fit it: `{name}` is any
    path below `DIR`, and the picture's name; `{scale}` is the run's scale. The suffix may be left out.

    Args:
        root: one folder for both halves, divided by `split`; not together with the next three.
        train: pictures to train on.
        val: pictures for the curves and the best checkpoint; needs `train`.
        test: pictures to be scored on. `train` or `test` alone leaves the other half empty.
        split: share of the pictures below `root` that are test pictures, above 0 and below 1; rounded half
            up, with at least one picture on each side where there are two.
        tile: cut the training pictures into tiles of this side in pixels, from 16. The remainder at the
            right and bottom is dropped. Other pictures stay whole.
        hr: another word for `root`, which reads better beside `lr`.
        lr: LR pictures of those below `root`, in place of LR made of HR: a folder in which each is called as
            its HR picture or, after that, `{name}x{scale}`; or a pattern in which `{name}` is the HR
            picture's name.
        train_lr, val_lr, test_lr: the same for those of `train`, `val` and `test`.
        same_size: LR pictures have the size of HR, and the run's degradation reduces them.
        scale: of the run.

    Returns:
        The halves, each sorted by name; the test half is called as its folder is (`test`, else `root`).

    Raises:
        DatasetError: a folder is missing or empty, two of them overlap, two files share a name, every
            picture is smaller than a tile, no LR picture is found or no scale is known for them, or the
            arguments do not go together.
        PictureError: with `tile`, a file whose size cannot be read.
    """
    if hr is not None and root is not None:
        raise DatasetError("hr and root are two words for one folder. Give one of them.")
    root = root if hr is None else hr
    _check_arguments(root, train, val, test, split, tile)
    given = {
        role: path
        for role, path in (("root", root), ("train", train), ("val", val), ("test", test))
        if path is not None
    }
    lr_given = {
        role: path
        for role, path in (("root", lr), ("train", train_lr), ("val", val_lr), ("test", test_lr))
        if path is not None
    }
    _check_pairs(given, lr_given, tile, same_size, scale)
    folders = {role: existing(role, base_of(path, scale)) for role, path in given.items()}
    _check_apart({role: folders[role] for role, path in given.items() if not has_name(path)})
    found = {role: find(role, path, scale) for role, path in given.items()}
    _check_disjoint(found)
    halves = {role: [Picture(name, path) for name, path in one.items()] for role, one in found.items()}
    unpaired: list[Path] = []
    for role, path in lr_given.items():
        assert scale is not None
        lr_role = "lr" if role == "root" else f"{role}_lr"
        _check_outside(lr_role, path, role, given[role], scale)
        pairs, extra = find_lr(lr_role, path, scale, found[role])
        unpaired += extra
        halves[role] = [replace(one, lr=pairs[one.name], same_size=same_size) for one in halves[role]]
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
        unpaired=unpaired,
    )


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
        replace(picture, name=f"{picture.name}@{top}+{left}", box=(top, left, tile, tile))
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


def _check_pairs(
    given: Mapping[str, Path],
    lr_given: Mapping[str, Path],
    tile: int | None,
    same_size: bool,
    scale: int | None,
) -> None:
    for role, path in lr_given.items():
        if role not in given:
            lr_role = "lr" if role == "root" else f"{role}_lr"
            raise DatasetError(
                f"{lr_role}={path} has the LR pictures of those in {role}=, which is not there. Add "
                f"{role}=DIR."
            )
        if scale is None:
            raise DatasetError(
                f"{path} has LR pictures of one scale, and which is not known here. Give --scale."
            )
    if same_size and not lr_given:
        raise DatasetError(
            "same_size=true is about LR pictures that are files, and none are named. Add lr=DIR, or leave it "
            "out."
        )
    is_cut = not same_size and lr_given.keys() & {"root", "train"}
    if is_cut and tile is not None and scale is not None and tile % scale:
        raise DatasetError(
            f"tile={tile} is no multiple of the scale {scale}, so tiles would begin between two pixels of "
            f"LR pictures. Take tile={tile + -tile % scale}."
        )


def _check_outside(lr_role: str, lr: Path, role: str, hr: Path, scale: int) -> None:
    """Refuse LR pictures among those that are taken for HR."""
    inner, outer = base_of(lr, scale).resolve(), base_of(hr, scale).resolve()
    if not has_name(hr) and (inner == outer or outer in inner.parents):
        raise DatasetError(
            f"{lr_role}={lr} is in {role}={hr}, all of whose pictures are taken for HR. Name a folder that "
            f'has HR alone, or say which they are by a pattern: {role}="{hr}/{{name}}_HR.png".'
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


def _check_disjoint(found: Mapping[str, Found]) -> None:
    """The same of patterns, which may share a folder and no file."""
    for (role, files), (other_role, others) in combinations(found.items(), 2):
        shared = {path.resolve() for path in files.values()} & {path.resolve() for path in others.values()}
        if shared:
            raise DatasetError(
                f"{role}= and {other_role}= both name {min(shared)}, so scores would be of pictures already "
                "seen. Name patterns or folders that have no picture in common."
            )


def _cut(pictures: Sequence[Picture], tile: int) -> list[Picture]:
    from srbench.api import picture_size  # loads torch

    sizes = [picture_size(picture.hr) for picture in pictures]
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


def _base_name(path: Path) -> str | None:
    return (path.name if path.name not in ("", "..") else path.resolve().name) or None
