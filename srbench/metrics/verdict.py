"""Detail scores of a run → is it over-smoothed, does a channel lag, and what may be the cause; free of torch.

A verdict is given only where the pictures agree: all of an interval lies on one side of a threshold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from srbench.metrics.bootstrap import Interval, mean_interval, ratio_interval

Word: TypeAlias = Literal[
    "over-smoothed", "over-sharpened", "faithful", "invented detail", "not over-smoothed", "inconclusive"
]
Mark: TypeAlias = Literal["over-smoothed", "not over-smoothed", "borderline"]
Cause: TypeAlias = Literal["undertrained", "loss"]

THRESHOLD = 0.7
"""Of presence and detail: half the power."""

FLAT = 0.05
"""Of content; a plane with less has no detail that could be lost."""

MISPLACED = 0.1
"""Pixels; a larger mean shift of SR is worth a warning."""

_FEWEST = 5  # pictures
_OVER = 1.15  # detail from which a picture is sharper than HR
_LAGS = 0.85  # of the other channels' detail
_SLOPES = (0.85, 1.15)
_BORDERLINE = (0.65, 0.75)


@dataclass(frozen=True)
class Verdict:
    """What is said of one plane of a run on one test at one scale.

    Args:
        word: the verdict.
        presence, detail, slope: means over pictures with intervals, from `cautious_interval`.
        cause: of an over-smoothed plane, a hint: `undertrained` (smoother than its own loss asks for) or
            `loss` (as strong as a pixel loss wants it); None where nothing is to be said.
    """

    word: Word
    presence: Interval
    detail: Interval
    slope: Interval
    cause: Cause | None


@dataclass(frozen=True)
class Lag:
    """A channel that has less of its detail than the two others.

    Args:
        plane: r, g or b.
        ratio: its mean detail to that of the two others, with its interval over pictures.
    """

    plane: str
    ratio: Interval


def verdict(presence: Sequence[float], detail: Sequence[float], slope: Sequence[float]) -> Verdict:
    """The verdict on one plane.

    Args:
        presence, detail, slope: one value a picture, as `metrics.detail.detail` gives them; NaN, infinite and
            None are left out and counted.
    """
    of_presence, of_detail, of_slope = map(cautious_interval, (presence, detail, slope))
    word = _word(of_presence, of_detail)
    return Verdict(word, of_presence, of_detail, of_slope, _cause(word, of_slope))


def mark(presence: float) -> Mark | None:
    """What one picture looks like, which is no claim; None where `presence` is NaN."""
    if np.isnan(presence):
        return None
    low, high = _BORDERLINE
    return "over-smoothed" if presence < low else "not over-smoothed" if presence > high else "borderline"


def lagging(detail: Mapping[str, Sequence[float]], content: Mapping[str, Sequence[float]]) -> list[Lag]:
    """The channels that lag behind the two others, the worst first; empty with fewer than five pictures.

    Args:
        detail: plane → one value a picture, the pictures alike in r, g and b.
        content: the same of `content`; pictures on which it is one number in all three, which are grey ones,
            are left out.
    """
    if not {"r", "g", "b"} <= set(detail):
        return []
    values, filled = (np.array([one[plane] for plane in "rgb"], np.float64) for one in (detail, content))
    colour = np.ptp(filled, axis=0) > 1e-6
    usable = values[:, colour & np.isfinite(values).all(axis=0)]
    if usable.shape[1] < _FEWEST:
        return []
    found = []
    for at, plane in enumerate("rgb"):
        others = np.delete(usable, at, axis=0).mean(axis=0)
        ratio = ratio_interval(usable[at], others)
        if ratio.high is not None and ratio.high < _LAGS:
            found.append(Lag(plane, ratio))
    return sorted(found, key=lambda one: one.ratio.mean or 0.0)


def psnr_alone(psnr_low: float | None, lpips_gain_low: float | None) -> bool:
    """Whether PSNR is up and LPIPS has not improved: a hint that means rose and looks did not.

    Args:
        psnr_low: lower end of the paired interval of the PSNR gained.
        lpips_gain_low: lower end of that of the LPIPS gained, less distance being a gain.
    """
    return psnr_low is not None and lpips_gain_low is not None and psnr_low > 0 >= lpips_gain_low


def cautious_interval(values: Sequence[float] | NDArray[np.floating]) -> Interval:
    """Mean with the wider, at each end, of its percentile bootstrap and Student's t 95 % interval.

    The bootstrap alone is too narrow for a handful of pictures; t alone knows nothing of skewed values.

    Args:
        values: one a picture; what is not finite is left out and counted.
    """
    found = mean_interval(values)
    if found.n < 2 or found.mean is None or found.low is None or found.high is None:
        return found
    everything = np.asarray(values, dtype=np.float64)
    spread = float(everything[np.isfinite(everything)].std(ddof=1))
    reach = float(stdtrit(found.n - 1, 0.975)) * spread / found.n**0.5
    return found._replace(low=min(found.low, found.mean - reach), high=max(found.high, found.mean + reach))


def _word(presence: Interval, detail: Interval) -> Word:
    if min(presence.n, detail.n) < _FEWEST:
        return "inconclusive"
    assert presence.low is not None
    assert presence.high is not None
    assert detail.low is not None
    assert detail.high is not None
    if presence.high < THRESHOLD:
        return "over-smoothed"
    if presence.low <= THRESHOLD:
        return "inconclusive"
    if detail.low > _OVER:
        return "over-sharpened"
    if detail.low > THRESHOLD:
        return "faithful"
    if detail.high < THRESHOLD:
        return "invented detail"
    return "not over-smoothed"


def _cause(word: Word, slope: Interval) -> Cause | None:
    if word != "over-smoothed" or slope.low is None or slope.high is None or slope.n < _FEWEST:
        return None
    low, high = _SLOPES
    if slope.low > high:
        return "undertrained"
    return "loss" if low <= slope.low and slope.high <= high else None
