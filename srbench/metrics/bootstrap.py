"""Intervals of a mean over pictures, and of the difference of two means; free of torch.

Two models scored on the same pictures are compared by their differences, one a picture: pictures lie several
dB apart and models tenths of one, and the difference takes the pictures' own spread out.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_CHUNK = 2_000_000  # values drawn at a time: 16 MB


class Interval(NamedTuple):
    """A mean with its interval; all three are None where no picture has a finite value.

    Args:
        mean: over the pictures with a finite value.
        low: lower end of the interval.
        high: upper end of the interval.
        n: pictures that count.
        left_out: pictures left out because their value is NaN or infinite.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int
    left_out: int


def mean_interval(
    values: Sequence[float | None] | NDArray[np.floating],
    *,
    draws: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Mean over pictures with its percentile bootstrap interval.

    Equal arguments give equal results with every numpy version: the draws come from the raw bits of the
    Philox generator, not from a method whose algorithm may change.

    Args:
        values: one a picture; NaN, infinite and None are left out and counted.
        draws: resamples.
        level: share of resampled means inside the interval, between 0 and 1.
        seed: of the draws, 0 or more.

    Returns:
        mean, low, high, n, left_out. With one picture low = high = mean; with none the three are None.

    Raises:
        ValueError: `level` is not between 0 and 1, or `draws` is below 1.

    Source: Efron 1979, doi:10.1214/aos/1176344552.
    """
    if not 0 < level < 1 or draws < 1:
        raise ValueError(f"level must lie between 0 and 1 and draws be at least 1, not {level} and {draws}")
    everything = np.asarray(values, dtype=np.float64).reshape(-1)
    finite = everything[np.isfinite(everything)]
    n, left_out = len(finite), len(everything) - len(finite)
    if n == 0:
        return Interval(None, None, None, 0, left_out)
    mean = float(finite.mean())
    if n == 1:
        return Interval(mean, mean, mean, 1, left_out)
    means = np.concatenate([finite[chosen].mean(axis=1) for chosen in _chosen(n, draws, seed)])
    low, high = _percentiles(means, level)
    return Interval(mean, float(low), float(high), n, left_out)


def difference_interval(
    a: Sequence[Sequence[float]] | NDArray[np.floating],
    b: Sequence[Sequence[float]] | NDArray[np.floating],
    *,
    draws: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Mean of a − b over pictures with its paired percentile bootstrap interval.

    With one seed a side it is `mean_interval` of the differences. With several, each draw takes as many seeds
    a side as there are, with replacement, and then one draw of pictures for all of them: seeds and pictures
    are crossed, since every seed was scored on the same pictures.

    Args:
        a: (seeds, pictures).
        b: (seeds, pictures), the same pictures in the same order; the number of seeds may differ.
        draws: as in `mean_interval`.
        level: as in `mean_interval`.
        seed: as in `mean_interval`.

    Returns:
        mean, low, high, n, left_out: a picture counts where all its values are finite.

    Raises:
        ValueError: a and b have different pictures, or as in `mean_interval`.

    Source: Owen 2007, doi:10.1214/07-AOAS122, for the two crossed levels.
    """
    of_a, of_b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if of_a.ndim != 2 or of_b.ndim != 2 or of_a.shape[1] != of_b.shape[1]:
        raise ValueError(
            f"a and b are (seeds, pictures) with the same pictures, not {of_a.shape} and {of_b.shape}"
        )
    finite = np.isfinite(of_a).all(axis=0) & np.isfinite(of_b).all(axis=0)
    of_a, of_b = of_a[:, finite], of_b[:, finite]
    n, left_out = int(finite.sum()), int((~finite).sum())
    if n == 0 or len(of_a) == len(of_b) == 1:
        alone = mean_interval((of_a - of_b).reshape(-1), draws=draws, level=level, seed=seed)
        return alone._replace(left_out=left_out)
    weights_a, weights_b = (
        np.concatenate([_shares(chosen) for chosen in _chosen(len(one), draws, seed, stream)])
        for stream, one in enumerate((of_a, of_b), 1)
    )
    means = np.empty(draws)
    start = 0
    for pictures in _chosen(n, draws, seed):
        rows = slice(start, start + len(pictures))
        differences = weights_a[rows] @ of_a - weights_b[rows] @ of_b
        means[rows] = np.take_along_axis(differences, pictures, axis=1).mean(axis=1)
        start = rows.stop
    low, high = _percentiles(means, level)
    return Interval(float(of_a.mean() - of_b.mean()), float(low), float(high), n, left_out)


def ratio_interval(
    above: NDArray[np.floating],
    below: NDArray[np.floating],
    *,
    draws: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Ratio of two means over the same pictures, with its percentile bootstrap interval over pictures.

    Args:
        above, below: one finite value a picture, in the same order.
        draws: as in `mean_interval`.
        level: as in `mean_interval`.
        seed: as in `mean_interval`.

    Returns:
        ratio, low, high, n, 0; the three are None with no picture, or where the mean of `below`, or that of a
        draw, is not positive.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 10.3.
    """
    n = len(above)
    if n == 0 or below.mean() <= 0:
        return Interval(None, None, None, n, 0)
    drawn = [(above[chosen].mean(axis=1), below[chosen].mean(axis=1)) for chosen in _chosen(n, draws, seed)]
    tops, bottoms = (np.concatenate(part) for part in zip(*drawn, strict=True))
    if (bottoms <= 0).any():
        return Interval(None, None, None, n, 0)
    low, high = _percentiles(tops / bottoms, level)
    return Interval(float(above.mean() / below.mean()), float(low), float(high), n, 0)


def are_apart(differences: NDArray[np.floating], *, draws: int = 10_000, seed: int = 0) -> NDArray[np.bool_]:
    """Whether the 95 % interval of each row's mean, as `mean_interval` has it, leaves out zero.

    Args:
        differences: (k, pictures), one row a pair of models; what is not finite is left out.
        draws: as in `mean_interval`.
        seed: as in `mean_interval`.

    Returns:
        (k,); False where a row has no finite value.
    """
    values = np.asarray(differences, dtype=np.float64)
    finite = np.isfinite(values)
    some = finite.any(axis=1)
    # All of one sign: so is the mean of any draw, and nothing need be drawn.
    positive = ((values > 0) | ~finite).all(axis=1)
    negative = ((values < 0) | ~finite).all(axis=1)
    apart: NDArray[np.bool_] = np.logical_and(some, positive | negative)
    whole = some & ~apart & finite.all(axis=1)
    if whole.any():
        # Nor where the mean is farther from zero than any draw can be from the mean (Cauchy and Schwarz).
        mean = values[whole].mean(axis=1)
        spread = np.linalg.norm(values[whole] - mean[:, None], axis=1)
        apart[whole] = np.abs(mean) > _reach(values.shape[1], draws, seed) * spread * (1 + 1e-9)
        whole &= ~apart
    rest = some & ~apart & ~whole
    if whole.any():
        # All rows at once, as a product with how often each picture was drawn: 0.1 ms a row, not 12.
        at_most, at_least = np.zeros((2, int(whole.sum())), dtype=np.intp)
        for shares in _drawn_shares(values.shape[1], draws, seed):
            means = shares @ values[whole].T
            at_most += np.count_nonzero(means <= 0, axis=0)
            at_least += np.count_nonzero(means >= 0, axis=0)
        # Each end lies between two of the sorted means, so counting tells its sign. Where zero lies between
        # those very two, the interval itself is needed.
        below = math.floor(0.025 * (draws - 1))
        apart[whole] = (at_most <= below) | (at_least <= below)
        rest[whole] = (at_most == below + 1) | (at_least == below + 1)
    for row in np.flatnonzero(rest & ~apart):
        found = mean_interval(values[row], draws=draws, seed=seed)
        apart[row] = found.low is not None and found.high is not None and not found.low <= 0 <= found.high
    return apart


def pictures_needed(
    differences: NDArray[np.floating], *, level: float = 0.95, power: float = 0.8
) -> int | None:
    """Pictures in all with which a difference of this mean and spread would be told from zero.

    ((z_level + z_power) · s / |mean|)², the two-sided test of a mean with normal quantiles: at the defaults
    7.85 · (s / mean)², which finds a true difference of that size four times of five. The mean and spread are
    themselves estimates from few pictures: it gives an order of magnitude.

    Args:
        differences: one a picture; what is not finite is left out.
        level: 1 − the share of false alarms.
        power: share of repetitions that would find the difference.

    Returns:
        At least 2; None where there are fewer than two pictures, or their mean is 0.

    Source: Cohen 1988, Statistical Power Analysis, section 2.4.
    """
    finite = differences[np.isfinite(differences)]
    mean = float(finite.mean()) if len(finite) > 1 else 0.0
    if mean == 0:
        return None
    quantiles = NormalDist().inv_cdf((1 + level) / 2) + NormalDist().inv_cdf(power)
    return max(2, math.ceil((quantiles * float(finite.std(ddof=1)) / mean) ** 2))


def _chosen(n: int, draws: int, seed: int, stream: int = 0) -> Iterator[NDArray[np.intp]]:
    """The draws in order, (rows, n) at a time: which of n things each takes, with replacement."""
    bits = np.random.Philox(key=np.array([seed, stream], dtype=np.uint64))
    step = max(1, _CHUNK // n)
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        # The upper 32 bits as a fraction of n: off a fair choice by at most n / 2³².
        raw = np.asarray(bits.random_raw(rows * n), dtype=np.uint64)
        yield (((raw >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32)).astype(np.intp).reshape(rows, n)


def _drawn_shares(n: int, draws: int, seed: int) -> Iterable[NDArray[np.float64]]:
    """The shares of all draws, some draws at a time; kept for the next call where they come in one piece."""
    if draws * n <= _CHUNK:
        return (_shares_of_all(n, draws, seed),)
    return map(_shares, _chosen(n, draws, seed))


@lru_cache(maxsize=1)
def _shares_of_all(n: int, draws: int, seed: int) -> NDArray[np.float64]:
    return np.concatenate([_shares(chosen) for chosen in _chosen(n, draws, seed)])


@lru_cache(maxsize=8)
def _reach(n: int, draws: int, seed: int) -> float:
    """The largest Euclidean distance of a draw's shares from equal ones."""
    return max(float(np.linalg.norm(one - 1 / n, axis=1).max()) for one in _drawn_shares(n, draws, seed))


def _shares(chosen: NDArray[np.intp]) -> NDArray[np.float64]:
    """(rows, n): how often each of n was taken, of n times."""
    rows, n = chosen.shape
    counts = np.bincount((chosen + n * np.arange(rows)[:, None]).reshape(-1), minlength=rows * n)
    shares: NDArray[np.float64] = counts.reshape(rows, n) / n
    return shares


def _percentiles(means: NDArray[np.float64], level: float = 0.95) -> tuple[Any, Any]:
    """The ends of the interval of each column."""
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high
