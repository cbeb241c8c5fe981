"""A folder of SR pictures that another program made, matched by name to the test sets they are of."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from srbench.datasets import TestSet
from srbench.errors import DatasetError, UsageError
from srbench.files import canonical_json, sha256_file, sha256_text
from srbench.images.png import read_picture
from srbench.images.tiles import read_rgb
from srbench.inference import WHOLE
from srbench.types import Picture

if TYPE_CHECKING:
    from srbench.types import Prediction

SUFFIXES = (".png", ".bmp", ".tif", ".tiff")
"""Of files that keep every pixel: a JPEG would be scored with its own losses."""

_SHOWN = 8


class Pictures:
    """SR pictures of whole test sets, given out as the predictions they are.

    A file's name is that of the test picture, as it is or with what programs add: `_x4`, `x4`, `_SR`, `_out`.
    They lie in `folder`, or for each test set in the folder below it that is called as the set.

    Args:
        folder: where they are.
        tests: whose pictures are needed.
        scale: their factor.
        allow_missing: score what is there where others are missing.

    Raises:
        DatasetError: some are missing or of another size; all of them are named.
        PictureError: one cannot be decoded.
        UsageError: it is no folder.
    """

    inference = WHOLE
    tileable = False

    def __init__(
        self, folder: Path, tests: Sequence[TestSet], scale: int, *, allow_missing: bool = False
    ) -> None:
        self.scales = [scale]
        self.extra: list[str] = []
        self._files: dict[tuple[str, str], Path] = {}
        faults: list[str] = []
        used: set[Path] = set()
        incomplete = False
        for test in tests:
            place = folder / test.name if (folder / test.name).is_dir() else folder
            found, missing = _matched(test, _files(place), place, scale)
            if missing and (not allow_missing or not found):
                incomplete = True
                faults.append(
                    f"{len(missing)} of the {len(test.pictures)} pictures of {test.name} missing in {place}: "
                    f"{listed(missing)}"
                )
            wrong = _wrong_sizes(test, found, scale)
            if wrong and len(wrong) == len(found):
                wrong[-1] += ", so --scale or --test may be another"
            faults += wrong
            self._files |= {(test.name, name): file for name, file in found.items()}
            used |= set(found.values())
        self.extra = [str(file.relative_to(folder)) for file in _files(folder) if file not in used]
        if faults:
            extra = f" Files that match no picture: {listed(self.extra)}." if self.extra else ""
            way_out = "Complete it" if incomplete else "Put pictures of that size there"
            if incomplete and not allow_missing:
                way_out += ", or let srbench eval score what is there by --allow-missing"
            raise DatasetError(f"Nothing is scored of {folder}: {'; '.join(faults)}.{extra} {way_out}.")

    def __call__(
        self, test: str, picture: Picture, lr: Tensor, check: Callable[[], None] = lambda: None
    ) -> "Prediction":
        """The SR picture, (1, 3, H, W) by its scale; nothing where it is missing."""
        check()
        file = self._files.get((test, picture.name))
        return {self.scales[0]: read_rgb(Picture(file.stem, file), 1).to(lr)} if file else {}


def folder_hash(folder: Path) -> str:
    """SHA-256 over the names and file hashes of all pictures below a folder.

    Raises:
        UsageError: it is no folder, or holds none.
    """
    files = _files(folder)
    if not files:
        raise UsageError(
            f"{folder} holds no pictures. {', '.join(SUFFIXES)} are taken: formats that keep every pixel."
        )
    return sha256_text(canonical_json([[str(one.relative_to(folder)), sha256_file(one)] for one in files]))


def _files(folder: Path) -> list[Path]:
    """The pictures below a folder, in the order of their paths.

    Raises:
        UsageError: it is no folder.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder. Name the one that holds the SR pictures.")
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    )


def _matched(
    test: TestSet, files: Sequence[Path], folder: Path, scale: int
) -> tuple[dict[str, Path], list[str]]:
    """Picture name → its file, and the names without one.

    Raises:
        DatasetError: two files could be one picture, or one file two pictures.
    """
    exact: dict[str, list[Path]] = {}
    plain: dict[str, list[Path]] = {}
    for path in files:
        name = path.relative_to(folder).with_suffix("").as_posix()
        exact.setdefault(name, []).append(path)
        plain.setdefault(_plain(name, scale), []).append(path)
    found: dict[str, Path] = {}
    missing: list[str] = []
    for picture in test.pictures:
        candidates = exact.get(picture.name) or plain.get(_plain(picture.name, scale), [])
        if len(candidates) > 1:
            names = " and ".join(str(path.relative_to(folder)) for path in candidates)
            raise DatasetError(
                f"Both {names} in {folder} could be {picture.name} of {test.name}. Remove one."
            )
        if candidates:
            found[picture.name] = candidates[0]
        else:
            missing.append(picture.name)
    of = {path: name for name, path in found.items()}
    for name, path in found.items():
        if of[path] != name:
            raise DatasetError(
                f"{path.relative_to(folder)} in {folder} could be both {name} and {of[path]} of {test.name}. "
                "Name it as the one it is."
            )
    return found, missing


def _plain(name: str, scale: int) -> str:
    """A name without what programs add to it: `baby_x4_SR` → `baby`; `_HR` of some test sets goes too."""
    added = rf"(?:[._-]?x{scale}|[._-](?:{scale}x|SR|HR|out|SRF_{scale}))$"
    while (shorter := re.sub(added, "", name, flags=re.IGNORECASE)) not in ("", name):
        name = shorter
    return name


def _wrong_sizes(test: TestSet, found: dict[str, Path], scale: int) -> list[str]:
    faults = []
    for picture in test.pictures:
        if picture.name in found:
            height, width = read_rgb(picture, scale).shape[-2:]
            rows, columns = read_picture(Picture(picture.name, found[picture.name])).shape[:2]
            if (rows, columns) != (height, width):
                faults.append(
                    f"{found[picture.name].name} is {columns}×{rows}, and {picture.name} of {test.name} at "
                    f"×{scale} is {width}×{height}"
                )
    return faults


def listed(names: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
