"""A set, compared with what is published of it: side by side, with the likely causes of what differs."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import permutations
from typing import Any, get_args

from srbench.data.facts import DatasetFacts, Figure, Half, Known
from srbench.data.figures import PER_PICTURE, bicubic_psnr, means
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
from srbench.progress import steps
from srbench.types import Dataset, Picture

TOLERANCE_DB = 0.05
"""Figures of one set differ by so much between publications: rounding of LR, odd last rows."""

HALVES: tuple[Half, ...] = get_args(Half)

_ENLARGED_DB = 42.0  # bicubic ×2 gives photographs back at 25 to 37 dB, copies enlarged ×2 at 43 or more
_LISTED = 8


@dataclass(frozen=True)
class Line:
    """One thing compared: what, how it is published, how it is here, and whether that fits."""

    what: str
    published: str
    here: str
    difference: str = ""
    fits: bool = True


@dataclass(frozen=True)
class Finding:
    """Something about a picture, or about the whole set where `picture` is empty.

    Args:
        picture: its name.
        cause: what it is, in words that follow the name and a colon.
        is_fault: whether scores on it cannot stand for the published set.
    """

    picture: str
    cause: str
    is_fault: bool = True

    def __str__(self) -> str:
        return f"{self.picture}: {self.cause}" if self.picture else self.cause


@dataclass(frozen=True)
class Verdict:
    """What became of a comparison.

    Args:
        dataset: the set's name.
        lines: side by side.
        findings: what was found in looking for causes.
        pictures: name → width, height, fingerprint and figure, as facts would have them.
    """

    dataset: str
    lines: tuple[Line, ...]
    findings: tuple[Finding, ...] = ()
    pictures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def is_verified(self) -> bool:
        """Whether nothing speaks against its being the published set."""
        return all(line.fits for line in self.lines) and not any(one.is_fault for one in self.findings)

    @property
    def reason(self) -> str:
        """Why not, in one line."""
        faults = [str(finding) for finding in self.findings if finding.is_fault]
        off = [f"{line.what} {line.here}, published {line.published}" for line in self.lines if not line.fits]
        more = [f"and {len(faults) - _LISTED} more"] if len(faults) > _LISTED else []
        return "; ".join([*off, *faults[:_LISTED], *more])

    def data(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "verified": self.is_verified}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Verdict":
        """From `data`."""
        return cls(
            data["dataset"],
            tuple(Line(**line) for line in data["lines"]),
            tuple(Finding(**finding) for finding in data["findings"]),
            data["pictures"],
        )


def verify(
    name: str,
    facts: DatasetFacts,
    dataset: Dataset,
    halves: Sequence[Half] = HALVES,
    check: Callable[[], None] = lambda: None,
    *,
    quiet: bool = False,
) -> Verdict:
    """Compare a set with its facts.

    Args:
        name: the set's.
        facts: what is published.
        dataset: what is here.
        halves: which to look at.
        check: called once a picture; raises to stop.
        quiet: no progress bar.

    Raises:
        PictureError: a picture cannot be decoded.
    """
    lines: list[Line] = []
    pictures: dict[Half, Sequence[Picture]] = {
        half: getattr(dataset, half) for half in halves if half in facts.counts
    }
    for half, found in pictures.items():
        count = facts.counts[half]
        difference = f"{len(found) - count:+d}" if len(found) != count else "0"
        fits = len(found) == count
        lines.append(Line(f"{half} pictures", f"{count:,}", f"{len(found):,}", difference, fits))
    seen = _Seen(facts)
    total = sum(map(len, pictures.values()))
    with steps(f"comparing {name} with what is published", total, check, quiet=quiet) as tick:
        for half, found in pictures.items():
            for picture in found:
                seen.look(picture, scored=half == "test")
                tick()
    findings = list(seen.findings(complete=set(pictures) >= set(facts.counts)))
    if seen.sized:
        lines.append(
            Line("pictures of a published size", f"{seen.sized:,}", f"{seen.fitting:,}",
                 f"{seen.fitting - seen.sized:+d}" if seen.fitting != seen.sized else "0",
                 seen.fitting == seen.sized)
        )  # fmt: skip
    if "test" in pictures and facts.figures:
        here = means(seen.values) if seen.values else [math.nan] * len(facts.figures)
        for figure, value in zip(facts.figures, here, strict=True):
            lines.append(
                Line(f"{figure.rules}, luma dB", f"{figure.psnr:.2f}", f"{value:.2f}",
                     f"{value - figure.psnr:+.2f}", _fits(value, figure))
            )  # fmt: skip
        if not _all_fit(here, facts.figures) and not any(finding.is_fault for finding in findings):
            suspects = [one for one in pictures["test"] if one.name not in seen.recognised]
            with steps(f"looking for causes in {name}", len(suspects), check, quiet=quiet) as tick:
                findings += _causes(facts, suspects, seen.values, here, tick)
    return Verdict(name, tuple(lines), tuple(findings), seen.described)


class _Seen:
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
            why = f"bicubic ×2 {off:+.2f} dB, so {_direction(off)}" if fault else "its figure is the same"
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


def _causes(
    facts: DatasetFacts,
    suspects: Sequence[Picture],
    values: Mapping[str, Sequence[float]],
    here: Sequence[float],
    tick: Callable[[], None],
) -> Iterator[Finding]:
    """Likely causes of figures that are off, each tried: would they fit without it?"""
    swapped: dict[str, list[float]] = {}
    rgb: dict[str, list[float]] = {}
    traced, enlarged, grey = [], [], []
    for picture in suspects:
        pixels, one_channel = rgb_pixels(picture), has_one_channel(picture)
        swapped[picture.name] = bicubic_psnr(pixels[..., ::-1].copy(), facts.figures, grey=one_channel)
        rgb[picture.name] = bicubic_psnr(pixels, facts.figures, grey=one_channel, planes=("r", "g", "b"))
        (own,) = bicubic_psnr(pixels, [PER_PICTURE], grey=one_channel)
        if own > _ENLARGED_DB:
            enlarged.append(picture.name)
        if not facts.from_jpeg and was_jpeg(pixels):
            traced.append(picture.name)
        if is_grey(pixels):
            grey.append(picture.name)
        tick()
    if len(grey) <= len(values) / 2:
        grey = []  # a few may well be
    findings = [
        *(
            Finding(name, "enlarged copy, by another resampler: bicubic ×2 gives it back")
            for name in enlarged
        ),
        *(Finding(name, "JPEG copy: its pixels are rounded as JPEG does") for name in traced),
        *(Finding(name, "grey copy: its colours are gone") for name in grey),
    ]
    if _all_fit(means({**values, **rgb}), facts.figures):
        findings.append(Finding("", "RGB against luma: the published figures are what RGB gives here"))
    findings += _swapped(facts, values, swapped)
    if not findings:
        off = [value - figure.psnr for value, figure in zip(here, facts.figures, strict=True)]
        findings.append(Finding("", f"the pictures are {_direction(max(off, key=abs))}"))
    yield from findings


def _swapped(
    facts: DatasetFacts, values: Mapping[str, Sequence[float]], swapped: Mapping[str, Sequence[float]]
) -> list[Finding]:
    """Red and blue exchanged in all pictures, or in one: whichever brings the figures nearest."""
    guesses = {"": means({**values, **swapped})}
    guesses |= {name: means({**values, name: one}) for name, one in swapped.items()}
    fitting = {name: guess for name, guess in guesses.items() if _all_fit(guess, facts.figures)}
    if not fitting:
        return []

    def distance(name: str) -> float:
        pairs = zip(fitting[name], facts.figures, strict=True)
        return sum(abs(value - figure.psnr) for value, figure in pairs)

    name = min(fitting, key=distance)
    how = ", perhaps" if name else " throughout"
    return [Finding(name, f"swapped channels{how}: the figures fit with red and blue exchanged")]


def _fits(value: float, figure: Figure) -> bool:
    # What is printed has two digits, so what is published may be half of one off.
    return abs(value - figure.psnr) <= TOLERANCE_DB + 1e-9


def _all_fit(values: Sequence[float], figures: Sequence[Figure]) -> bool:
    return all(map(_fits, values, figures))


def _direction(difference_db: float) -> str:
    if difference_db > 0:
        return "smoother than published (another resampler, a filter, JPEG)"
    return "sharper or noisier than published (another resampler, sharpening, JPEG, or another picture)"


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
