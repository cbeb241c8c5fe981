"""Pictures looked up among those a set is published with: which is which, and what is wrong with it."""

import math
from collections.abc import Iterator
from itertools import permutations
from typing import Any

from srbench.data.figures import PER_PICTURE, bicubic_psnr
from srbench.data.traces import (
    Pixels,
    fingerprint,
    has_one_channel,
    is_grey,
    is_jpeg_file,
    place_inside,
    rgb_pixels,
    was_jpeg,
)
from srbench.data.verdict import TOLERANCE_DB, Finding, direction
from srbench.facts import DatasetFacts, Known
from srbench.types import Picture


class Seen:
    """Pictures looked at one by one, and those known ones that have not turned up."""

    def __init__(self, facts: DatasetFacts) -> None:
        self._facts = facts
        self._missing = dict(facts.pictures)
        self._found: dict[str, Picture] = {}
        self._others: list[Picture] = []
        self._noted: list[Finding] = []
        self._sizes = {_even(size) for size in facts.sizes}
        self.sized = self.fitting = 0
        self.recognised: set[str] = set()
        self.values: dict[str, list[float]] = {}
        self.described: dict[str, dict[str, Any]] = {}

    def look(self, picture: Picture, scored: bool) -> None:
        """Take in one picture; `scored` if the published figures are of it."""
        pixels = rgb_pixels(picture)
        height, width = pixels.shape[:2]
        name = self._recognised(pixels)
        # A grey picture may be stored with three planes, and the other way round; the published one counts.
        grey = self._missing[name].grey if name else has_one_channel(picture)
        if scored:
            *values, own = bicubic_psnr(pixels, [*self._facts.figures, PER_PICTURE], grey=grey)
            self.values[picture.name] = values
        else:
            own = math.nan
        self.described[picture.name] = {
            "width": width,
            "height": height,
            "fingerprint": fingerprint(pixels),
            "psnr": round(own, 2) if math.isfinite(own) else None,
        }
        if name is not None:
            del self._missing[name]
            self._found[name] = picture
            self.recognised.add(picture.name)
            self.sized += 1
            self.fitting += 1
        else:
            self._others.append(picture)
            if self._sizes:
                self.sized += 1
                fits = _even((width, height)) in self._sizes
                self.fitting += fits
                if not fits:
                    self._noted.append(
                        Finding(picture.name, f"wrong crop: {width}×{height} is no size of the set")
                    )
            if not self._facts.pictures and not self._facts.from_jpeg and is_jpeg_file(picture):
                self._noted.append(Finding(picture.name, "JPEG copy: the set is published without loss"))

    def findings(self, complete: bool) -> Iterator[Finding]:
        """All that is wrong with pictures; `complete` if every half has been looked at."""
        yield from self._noted
        if not self._facts.pictures:
            return
        extra = []
        for picture, name in self._named():
            if name is None:
                extra.append(picture)
                continue
            known = self._missing.pop(name)
            self._found[name] = picture
            self.sized += 1
            self.fitting += _is_size(self._size(picture), known)
            yield from self._differences(picture, known)
        if complete:
            yield from (Finding(name, "missing") for name in self._missing)
        for picture in extra:
            yield Finding(picture.name, self._origin(picture))

    def _recognised(self, pixels: Pixels) -> str | None:
        height, width = pixels.shape[:2]
        for name, known in self._missing.items():
            fits = known.fingerprint and _is_size((width, height), known)
            if fits and fingerprint(pixels[: known.height, : known.width]) == known.fingerprint:
                return name
        return None

    def _named(self) -> Iterator[tuple[Picture, str | None]]:
        """Pictures not recognised, with the known name that is theirs, or that theirs begins with."""
        waiting = list(self._others)
        taken: dict[str, str] = {}
        for exact in (True, False):
            for picture in waiting:
                stem = picture.name.rpartition("/")[2].lower()
                for name in self._missing:
                    begins = stem.startswith(name.lower()) and not stem[len(name) : len(name) + 1].isalnum()
                    fits = stem == name.lower() if exact else begins
                    if fits and picture.name not in taken and name not in taken.values():
                        taken[picture.name] = name
        for picture in waiting:
            yield picture, taken.get(picture.name)

    def _size(self, picture: Picture) -> tuple[int, int]:
        described = self.described[picture.name]
        return described["width"], described["height"]

    def _differences(self, picture: Picture, known: Known) -> Iterator[Finding]:
        """Why a picture is not the one of its name."""
        pixels = rgb_pixels(picture)
        size = self._size(picture)
        explained = False
        if not _is_size(size, known):
            yield Finding(picture.name, _wrong_size(size, known))
            explained = True
        elif known.fingerprint:
            order = _order(pixels[: known.height, : known.width], known.fingerprint)
            if order:
                yield Finding(picture.name, f"swapped channels: {order.upper()} where RGB should be")
                return
        if is_jpeg_file(picture) and not self._facts.from_jpeg:
            yield Finding(picture.name, "JPEG copy: the file is a JPEG")
            explained = True
        elif known.fingerprint and not (known.from_jpeg or self._facts.from_jpeg) and was_jpeg(pixels):
            yield Finding(picture.name, "JPEG copy: its pixels are rounded as JPEG does")
            explained = True
        if explained or not known.fingerprint:
            return
        own = self.described[picture.name]["psnr"]
        if is_grey(pixels):
            yield Finding(picture.name, "grey copy: its colours are gone")
        elif known.psnr is None or own is None:
            yield Finding(picture.name, "its pixels are not the published ones", is_fault=False)
        else:
            off = own - known.psnr
            fault = abs(off) > TOLERANCE_DB
            why = f"bicubic ×2 {off:+.2f} dB, so {direction(off)}" if fault else "its figure is the same"
            yield Finding(picture.name, f"its pixels are not the published ones; {why}", is_fault=fault)

    def _origin(self, picture: Picture) -> str:
        """What a picture is that is none of the set."""
        pixels = rgb_pixels(picture)
        for name, other in self._found.items():
            whole = rgb_pixels(other)
            place = place_inside(pixels, whole)
            if place is not None and pixels.shape == whole.shape:
                return f"extra picture: {name} a second time"
            if place is not None:
                return f"extra picture: a crop of {name}, from row {place[0]}, column {place[1]}"
        return "extra picture" + (", a JPEG" if is_jpeg_file(picture) or was_jpeg(pixels) else "")


def _even(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] // 2 * 2, size[1] // 2 * 2


def _is_size(size: tuple[int, int], known: Known) -> bool:
    return all(0 <= side - published <= 1 for side, published in zip(size, known.size, strict=True))


def _wrong_size(size: tuple[int, int], known: Known) -> str:
    (width, height), text = size, f"{size[0]}×{size[1]}, published {known.width}×{known.height}"
    stretch = width / known.width, height / known.height
    if abs(stretch[0] / stretch[1] - 1) < 0.01 and not 0.9 < stretch[0] < 1.1:
        return f"resized: {text}"
    if width <= known.width + 1 and height <= known.height + 1:
        return f"wrong crop: {text}"
    return f"another size: {text}"


def _order(pixels: Pixels, known: str) -> str | None:
    """The order of channels in which these pixels are the known ones; None where there is none."""
    for order in permutations(range(3)):
        if fingerprint(pixels[..., list(order)]) == known:
            # Channel `order[i]` here holds what should be plane i.
            return "".join("rgb"[order.index(place)] for place in range(3))
    return None
