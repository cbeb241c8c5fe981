"""Intervals of a mean over pictures; free of torch."""

from collections.abc import Sequence
from typing import NamedTuple

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
    means = _resampled_means(finite, draws, seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, float(low), float(high), n, left_out)


def _resampled_means(values: NDArray[np.float64], draws: int, seed: int) -> NDArray[np.float64]:
    """Means of `draws` samples with replacement, each as many values as there are."""
    bits = np.random.Philox(key=seed)
    n = len(values)
    means = np.empty(draws)
    step = max(1, _CHUNK // n)
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        # The upper 32 bits as a fraction of n: off a fair choice by at most n / 2³².
        raw = np.asarray(bits.random_raw(rows * n), dtype=np.uint64)
        chosen = ((raw >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32)
        means[start : start + rows] = values[chosen.astype(np.intp)].reshape(rows, n).mean(axis=1)
    return means
