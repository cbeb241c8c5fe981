"""What is promised of datasets."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from srbench.components import DatasetComponent
from srbench.datasets import content_hash
from srbench.errors import DatasetError, PictureError, UsageError
from srbench.images.png import picture_size, read_picture
from srbench.pairs import examine
from srbench.testing.asked import said
from srbench.testing.conformance import Fault, NotDemanded, Subject, promise
from srbench.types import Dataset, Picture

_SCALES = (2, 3, 4, 8)
_SMALLEST = 16
"""Pixels a side: the smallest training patch, and one LR pixel more at ×8 than nothing."""
_SHOWN = 4
"""Pictures that a fault names."""

Halves = Mapping[str, Sequence[Picture]]


@promise("dataset", "builds")
def builds(subject: Subject) -> None:
    """It builds, and has pictures, named and given as they should be."""
    halves = _halves(_built(subject))
    if not any(halves.values()):
        raise Fault("It has no pictures at all. Raise srbench.api.DatasetError where none are found.")
    for half, picture in _each(halves):
        if not isinstance(picture, Picture):
            raise Fault(
                f"Its {half} half holds {type(picture).__name__}. Give srbench.api.Picture(name, file), "
                "or pixels in place of the file."
            )
        for what, pixels in (("hr", picture.hr), ("lr", picture.lr)):
            if pixels is not None and not _is_given_well(pixels):
                found = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels)
                raise Fault(
                    f"{what} of {picture.name!r} is {found}. Give a pathlib.Path, or 8-bit pixels (H, W, 3) "
                    "in RGB or (H, W) in grey."
                )


@promise("dataset", "order")
def order(subject: Subject) -> None:
    """Built twice, it has the same pictures in the same order."""
    first, second = _halves(_built(subject)), _halves(_built(subject))
    for half, pictures in first.items():
        names, again = ([picture.name for picture in one] for one in (pictures, second[half]))
        if names != again:
            at = next(
                (n for n, pair in enumerate(zip(names, again, strict=False)) if pair[0] != pair[1]), None
            )
            seen = (
                f"{len(names)} and then {len(again)} pictures"
                if at is None
                else f"{names[at]!r} and then {again[at]!r} as number {at + 1}"
            )
            raise Fault(
                f"Built twice, its {half} half has {seen}. Patches are drawn by number: sort files by name, "
                "and split by a hash of the name or a fixed seed."
            )
        if content_hash(pictures) != content_hash(second[half]):
            raise Fault(
                f"Built twice, its {half} half has the same names and other pixels. What makes pictures, "
                "makes them from a fixed seed."
            )


@promise("dataset", "names")
def names(subject: Subject) -> None:
    """Names are unique in each half, and the same on every machine."""
    for half, pictures in _halves(_built(subject)).items():
        seen: set[str] = set()
        for picture in pictures:
            if not isinstance(picture.name, str) or not picture.name:
                raise Fault(f"A picture of its {half} half is named {picture.name!r}. A name is a text.")
            if picture.name in seen:
                raise Fault(
                    f"Two pictures of its {half} half are named {picture.name!r}. Take the path below the "
                    "folder, without its suffix."
                )
            if Path(picture.name).is_absolute():
                raise Fault(
                    f"A picture of its {half} half is named {picture.name!r}, which is another name on "
                    "another machine, and so another run. Take the path below the folder: "
                    "path.relative_to(root).with_suffix('').as_posix()."
                )
            seen.add(picture.name)


@promise("dataset", "apart")
def apart(subject: Subject) -> None:
    """No picture is in two halves, by its pixels."""
    halves = _halves(_built(subject))
    by_pixels: dict[str, tuple[str, Picture]] = {}
    same: list[str] = []
    for half, picture in _each(halves):
        try:
            sha256 = _seen(picture).sha256
        except Fault:
            continue  # the check of pictures tells of it
        other_half, other = by_pixels.setdefault(sha256, (half, picture))
        if other_half != half:
            same.append(f"{half} picture {picture.name!r} is {other_half} picture {other.name!r}")
    same += _overlapping_tiles(halves)
    if same:
        raise Fault(
            f"{_listed(same)}. What is scored on pictures that were trained on says nothing: keep copies of "
            "a picture, and all tiles of it, in one half."
        )


@promise("dataset", "pictures")
def pictures(subject: Subject) -> None:
    """Every picture can be read as 8-bit RGB or grey, and is at least 16 pixels a side."""
    wrong: list[str] = []
    for half, picture in _each(_halves(_built(subject))):
        try:
            height, width = _seen(picture).size
        except Fault as fault:
            wrong.append(str(fault))
            continue
        if min(height, width) < _SMALLEST:
            wrong.append(f"{half} picture {picture.name!r} is {width}×{height}")
    if wrong:
        raise Fault(
            f"{_listed(wrong)}. Leave out what cannot be read, and what is smaller than a patch of "
            f"{_SMALLEST}×{_SMALLEST}."
        )


@promise("dataset", "boxes")
def boxes(subject: Subject) -> None:
    """Tiles lie inside their pictures."""
    found = [(half, one) for half, one in _each(_halves(_built(subject))) if one.box is not None]
    if not found:
        raise NotDemanded("Its pictures are whole.")
    wrong: list[str] = []
    for half, picture in found:
        assert picture.box is not None
        top, left, height, width = picture.box
        rows, columns = picture_size(picture.hr)
        if min(top, left) < 0 or min(height, width) < 1 or top + height > rows or left + width > columns:
            wrong.append(
                f"{half} tile {picture.name!r} is {width}×{height} from column {left}, row {top}, of a "
                f"picture of {columns}×{rows}"
            )
    if wrong:
        raise Fault(f"{_listed(wrong)}. A box is (top, left, height, width), inside the picture.")


@promise("dataset", "pairs")
def pairs(subject: Subject) -> None:
    """LR pictures of its own have the right size at every scale it has them for, and show the same scenes."""
    scales = _SCALES if subject.component.asks("scale") else (None,)
    refusals: list[str] = []
    looked_at = 0
    for scale in scales:
        try:
            dataset = _build(subject, scale)
        except (DatasetError, PictureError) as reason:
            refusals.append(str(reason))
            continue
        if not any(picture.lr is not None for _, picture in _each(_halves(dataset))):
            continue
        if scale is None:
            raise Fault(
                "Its pictures have LR of their own, and its builder has no parameter scale. Ask for scale, "
                "and give the LR of that scale."
            )
        try:
            found = examine(dataset, scale)
        except (DatasetError, PictureError) as error:
            raise Fault(f"At ×{scale}: {error}") from error
        if found.faults or found.doubts:
            raise Fault(
                f"At ×{scale}, LR and HR do not go together: {found}. LR is all of HR's size, cut at bottom "
                "and right to a multiple of the scale, over the scale."
            )
        looked_at += 1
    if not looked_at:
        refused = len(refusals) == len(scales)
        raise NotDemanded(refusals[0] if refused else "Its pictures have no LR of their own.")


@promise("dataset", "facts")
def facts(subject: Subject) -> None:
    """What it says is known of a public set can be read, and its counts are true."""
    component: DatasetComponent = subject.component
    try:
        known = component.read_facts()
    except UsageError as error:
        raise Fault(str(error)) from error
    if known is None:
        raise NotDemanded("It declares no facts: it is no public set.")
    if not known.archives and not known.by_hand:
        raise Fault("Its facts say neither where it is downloaded (archives) nor how it is got (by_hand).")
    try:
        halves = _halves(_build(subject, None))
    except (DatasetError, PictureError):
        return  # it is not on this machine, and its facts can be read
    for half, pictures in halves.items():
        count = known.counts.get(half, 0)  # type: ignore[call-overload]
        if len(pictures) == count:
            continue
        seen = f"Its facts count {count} {half} pictures, and it builds {len(pictures)}"
        if any(isinstance(value, Path) for value in subject.settings.values()):
            raise NotDemanded(f"{seen} from the folder that was named, which is not the whole set.")
        raise Fault(f"{seen}. Correct the counts, or what it takes for a picture.")


class _Seen(NamedTuple):
    size: tuple[int, int]
    sha256: str


def _build(subject: Subject, scale: int | None) -> Dataset:
    component: DatasetComponent = subject.component
    given = {"scale": scale} if component.asks("scale") else {}
    try:
        dataset = component.make(**subject.settings, **given)
    except (DatasetError, PictureError):
        raise
    except UsageError as error:
        raise Fault(str(error)) from error
    except Exception as error:
        raise Fault(
            f"Its builder raised {said(error)}. What a user can mend is srbench.api.DatasetError, with a "
            "message that stands alone."
        ) from error
    if not isinstance(dataset, Dataset):
        raise Fault(
            f"Its builder returned {type(dataset).__name__}. Return srbench.api.Dataset(train, val, test)."
        )
    return dataset


def _built(subject: Subject) -> Dataset:
    """The dataset, at the first scale at which it can be built.

    Raises:
        NotDemanded: it cannot be, here, with its own reason.
    """
    reasons: list[str] = []
    for scale in (None, *(_SCALES if subject.component.asks("scale") else ())):
        try:
            return _build(subject, scale)
        except (DatasetError, PictureError) as reason:
            reasons.append(str(reason))
    raise NotDemanded(reasons[0])


def _halves(dataset: Dataset) -> Halves:
    return {"train": dataset.train, "val": dataset.val, "test": dataset.test}


def _each(halves: Halves) -> Iterator[tuple[str, Picture]]:
    for half, pictures in halves.items():
        for picture in pictures:
            yield half, picture


def _is_given_well(pixels: object) -> bool:
    if isinstance(pixels, np.ndarray):
        return pixels.dtype == np.uint8 and (pixels.ndim == 2 or pixels.shape[2:] == (3,))
    return isinstance(pixels, Path)


def _seen(picture: Picture) -> _Seen:
    """Size and hash of a picture as it is decoded; a file is decoded once a process.

    Raises:
        Fault: it cannot be read.
    """
    if isinstance(picture.hr, Path):
        try:
            stat = picture.hr.stat()
        except OSError as error:
            raise Fault(f"{picture.hr} cannot be read ({error.strerror})") from error
        return _of_file(picture.hr, picture.box, stat.st_mtime_ns, stat.st_size)
    return _decoded(picture)


@cache
def _of_file(path: Path, box: tuple[int, int, int, int] | None, mtime_ns: int, size_bytes: int) -> _Seen:
    del mtime_ns, size_bytes
    return _decoded(Picture(path.name, path, box))


def _decoded(picture: Picture) -> _Seen:
    try:
        pixels = read_picture(picture)
    except PictureError as error:
        raise Fault(str(error).rstrip(".")) from error
    if pixels.ndim == 2:  # grey as RGB, as it is trained and scored on
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    return _Seen(pixels.shape[:2], hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest())


def _overlapping_tiles(halves: Halves) -> list[str]:
    """Tiles of one file that are in different halves and share pixels."""
    by_file: dict[Path, list[tuple[str, Picture]]] = {}
    for half, picture in _each(halves):
        if isinstance(picture.hr, Path):
            by_file.setdefault(picture.hr, []).append((half, picture))
    return [
        f"{half} picture {one.name!r} and {other_half} picture {other.name!r} share pixels of {path}"
        for path, found in by_file.items()
        if len({half for half, _ in found}) > 1
        for number, (half, one) in enumerate(found)
        for other_half, other in found[:number]
        if half != other_half and one.box != other.box and _share(one, other)
    ]


def _share(one: Picture, other: Picture) -> bool:
    if one.box is None or other.box is None:
        return True
    return all(
        a < b + length_b and b < a + length_a
        for (a, length_a), (b, length_b) in zip(
            zip(one.box[:2], one.box[2:], strict=True),
            zip(other.box[:2], other.box[2:], strict=True),
            strict=True,
        )
    )


def _listed(lines: Sequence[str]) -> str:
    more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    text = "; ".join(lines[:_SHOWN]) + more
    return text[0].upper() + text[1:]
