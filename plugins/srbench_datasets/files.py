"""Picture files by folder or by pattern, and the LR file of each HR picture."""

import os
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from srbench.api import DatasetError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
NAME, SCALE = "{name}", "{scale}"

LR_PATTERNS = (NAME, f"{NAME}x{SCALE}")
"""What an LR picture in a folder of them is called, in the order in which that is tried."""

Found = dict[str, Path]
"""Picture name → its file."""


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


def has_name(path: Path) -> bool:
    """Whether it is a pattern of files, and no folder."""
    return NAME in str(path)


def base_of(path: Path, scale: int | None) -> Path:
    """The folder of a pattern: all before the part that has `{name}`. A folder is its own.

    Raises:
        DatasetError: it has `{scale}`, and no scale is known.
    """
    if SCALE in str(path):
        if scale is None:
            raise DatasetError(
                f"{path} has {SCALE} in it, and which scale is meant is not known here. Give --scale."
            )
        path = Path(str(path).replace(SCALE, str(scale)))
    if not has_name(path):
        return path
    parts = path.parts
    return Path(*parts[: next(at for at, part in enumerate(parts) if NAME in part)])


def find(role: str, path: Path, scale: int | None) -> Found:
    """The pictures that a folder or pattern names, sorted by name.

    Args:
        role: the parameter it was given as, for messages.
        path: as typed.
        scale: of the run, for a pattern with `{scale}`.

    Raises:
        DatasetError: the folder is missing, cannot be read, or has none; or two share a name.
    """
    top = existing(role, base_of(path, scale))
    files = _named(top)
    if not files:
        raise DatasetError(
            f"The folder {top} holds no pictures, nor do folders in it; srbench looks for files ending in "
            f"{', '.join(SUFFIXES)}. Correct the path, or put pictures there."
        )
    if not has_name(path):
        return files
    fitting = _fitting(files, _pattern_below(path, scale))
    if not fitting:
        raise DatasetError(
            f"No picture below {top} fits the pattern {role}={path}; there is {next(iter(files.values()))}, "
            "for one. Correct the pattern."
        )
    return fitting


def find_lr(role: str, path: Path, scale: int, hr: Mapping[str, Path]) -> tuple[Found, list[Path]]:
    """The LR file of each HR picture, there or not, and the files that fit the pattern and are of none.

    Args:
        role: the parameter it was given as, for messages.
        path: a folder or a pattern, as typed.
        scale: of the run.
        hr: name → HR file.

    Raises:
        DatasetError: the folder is missing, or has no LR picture of any.
    """
    top = existing(role, base_of(path, scale))
    files = _named(top)
    patterns = [_pattern_below(path, scale)] if has_name(path) else [
        one.replace(SCALE, str(scale)) for one in LR_PATTERNS
    ]  # fmt: skip
    for pattern in patterns:
        fitting = _fitting(files, pattern)
        if fitting.keys() & hr.keys():
            break
    else:
        wanted = " or ".join(one.replace(NAME, next(iter(hr))) for one in patterns)
        raise DatasetError(
            f"{role}={path} has no LR picture of any of the {len(hr)} HR pictures: below {top}, srbench "
            f"looks for {wanted}. Correct the path, or say how they are called by a pattern: "
            f'{role}="{top}/{NAME}x{SCALE}.png".'
        )
    suffix = "" if Path(pattern).suffix.lower() in SUFFIXES else next(iter(fitting.values())).suffix
    absent = {name: top / (pattern.replace(NAME, name) + suffix) for name in hr if name not in fitting}
    used = {name: path for name, path in fitting.items() if name in hr}
    return {**used, **absent}, [path for name, path in fitting.items() if name not in hr]


def _pattern_below(path: Path, scale: int | None) -> str:
    """The part of a pattern below its folder, the scale filled in."""
    base = base_of(path, scale)
    whole = Path(str(path).replace(SCALE, str(scale)))
    return whole.relative_to(base).as_posix()


def _fitting(files: Found, pattern: str) -> Found:
    """`{name}` → file, of those that fit; a pattern without a suffix takes any."""
    stem = Path(pattern)
    suffix = stem.suffix.lower() if stem.suffix.lower() in SUFFIXES else None
    text = stem.with_suffix("").as_posix() if suffix else pattern
    first, *others = (re.escape(part) for part in text.split(NAME))
    fits = re.compile(first + "(?P<name>.+)" + "(?P=name)".join(others))
    matches = {file: fits.fullmatch(name) for name, file in files.items()}
    return {
        match["name"]: file
        for file, match in matches.items()
        if match and suffix in (None, file.suffix.lower())
    }


def _named(top: Path) -> Found:
    """Every picture file below `top`, sorted by name: its path below `top`, without the suffix."""

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
    return {name: found[name] for name in sorted(found)}
