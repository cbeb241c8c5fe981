"""What comes of comparing a set with what is published of it, and how near a figure must be."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from srbench.facts import Figure

TOLERANCE_DB = 0.05
"""Figures of one set differ by so much between publications: rounding of LR, odd last rows."""

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


def fits(value: float, figure: Figure) -> bool:
    """Whether a value is near enough to a published figure."""
    # What is printed has two digits, so what is published may be half of one off.
    return abs(value - figure.psnr) <= TOLERANCE_DB + 1e-9


def all_fit(values: Sequence[float], figures: Sequence[Figure]) -> bool:
    """The same of several."""
    return all(map(fits, values, figures))


def direction(difference_db: float) -> str:
    """What pictures are on which bicubic scores by so much more than published."""
    if difference_db > 0:
        return "smoother than published (another resampler, a filter, JPEG)"
    return "sharper or noisier than published (another resampler, sharpening, JPEG, or another picture)"
