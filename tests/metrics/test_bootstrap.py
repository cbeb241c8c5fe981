"""Bootstrap intervals: golden values, laws, agreement with SciPy, and no torch."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from srbench.metrics.bootstrap import are_apart, difference_interval, mean_interval, pictures_needed

SET5 = [36.93, 36.76, 27.43, 34.86, 32.14]  # bicubic luma PSNR at ×2, baby to woman


def test_golden_interval():
    """Made by this code; Philox's bits are fixed, so it holds with every numpy on every machine."""
    assert mean_interval(SET5) == pytest.approx((33.624, 30.256, 36.448, 5, 0), abs=1e-9)


def test_agrees_with_scipy():
    values = np.random.default_rng(1).normal(30, 3, 40)
    golden = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    found = mean_interval(values, draws=20_000)
    assert (found.low, found.high) == pytest.approx((golden.low, golden.high), abs=0.05)


@settings(max_examples=30)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30), st.floats(0.5, 4), st.floats(-50, 50))
def test_interval_moves_with_the_values(values, factor, shift):
    plain = mean_interval(values, draws=200)
    assert min(values) - 1e-9 <= plain.low <= plain.high <= max(values) + 1e-9
    moved = mean_interval([value * factor + shift for value in values], draws=200)
    assert moved[:3] == pytest.approx([end * factor + shift for end in plain[:3]], abs=1e-9)


def test_higher_level_is_wider_and_seeds_differ():
    narrow, wide = mean_interval(SET5, level=0.5), mean_interval(SET5, level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high
    assert mean_interval(SET5, seed=1) != mean_interval(SET5)


def test_chunks_change_nothing(monkeypatch):
    values = np.random.default_rng(3).normal(size=50)
    whole = mean_interval(values)
    monkeypatch.setattr("srbench.metrics.bootstrap._CHUNK", 777)
    assert mean_interval(values) == whole


def test_what_is_not_finite_is_left_out_and_counted():
    found = mean_interval([1.0, float("nan"), float("inf"), None, 3.0])
    assert (found.mean, found.n, found.left_out) == (2.0, 2, 3)


def test_one_picture_and_none():
    assert mean_interval([7.0, float("nan")]) == (7.0, 7.0, 7.0, 1, 1)
    assert mean_interval([float("inf")]) == (None, None, None, 0, 1)
    assert mean_interval([]) == (None, None, None, 0, 0)


@pytest.mark.parametrize("options", [{"level": 1.0}, {"level": 0.0}, {"draws": 0}])
def test_impossible_settings_are_named(options):
    with pytest.raises(ValueError, match="between 0 and 1 and draws be at least 1"):
        mean_interval(SET5, **options)


def paired(n, *, seed=4, shift=0.1):
    """Scores of two models on n pictures: 4 dB between pictures, `shift` between models, 0.3 dB of noise."""
    random = np.random.default_rng(seed)
    pictures = random.normal(30, 4, n)
    return pictures + shift + random.normal(0, 0.3, n), pictures


@pytest.mark.parametrize(("n", "seed"), [(5, 1), (14, 2), (100, 3)])
def test_paired_interval_agrees_with_scipy(n, seed):
    """scipy.stats.bootstrap(paired=True, method="percentile"). A percentile of 10,000 draws has a standard
    error of √(0.025 · 0.975 / 10,000) / density there, 2.7 % of the standard error of the mean for a normal
    one: two sets of draws differ by less than five times √2 of that."""
    a, b = paired(n, seed=seed)
    golden = stats.bootstrap(
        (a, b),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        paired=True,
        n_resamples=10_000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    found = difference_interval([a], [b])
    tolerance = 5 * 2**0.5 * 0.027 * (a - b).std(ddof=1) / n**0.5
    assert (found.low, found.high) == pytest.approx((golden.low, golden.high), abs=tolerance)
    assert found.mean == pytest.approx((a - b).mean())
    assert found[:3] == mean_interval(a - b)[:3]


def test_seeds_that_scatter_widen_the_interval():
    """Three seeds that are alike change nothing; three that lie 0.5 dB apart make it wider."""
    a, b = paired(20)
    alone = difference_interval([a], [b])
    alike = difference_interval([a, a, a], [b])
    apart = difference_interval([a - 0.5, a, a + 0.5], [b])
    assert alike[:3] == pytest.approx(alone[:3], abs=1e-12)
    assert apart.mean == pytest.approx(alone.mean)
    assert apart.low < alone.low
    assert apart.high > alone.high


def test_two_levels_have_the_variance_of_both():
    """Crossed levels: the variance of a drawn mean is that over pictures plus that over seeds."""
    random = np.random.default_rng(5)
    of_seed, of_picture = random.normal(0, 1, 40), random.normal(0, 2, 60)
    a = of_seed[:, None] + of_picture[None]
    found = difference_interval(a, np.zeros((1, 60)))
    expected = (of_seed.var() / 40 + of_picture.var() / 60) ** 0.5
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(expected, rel=0.05)


def test_a_picture_without_a_value_in_any_seed_is_left_out():
    found = difference_interval([[1.0, 2.0, np.nan], [1.0, 4.0, 3.0]], [[1.0, 1.0, 1.0]])
    assert (found.mean, found.n, found.left_out) == (1.0, 2, 1)
    assert difference_interval([[np.inf]], [[np.inf]]) == (None, None, None, 0, 1)


def test_different_pictures_cannot_be_paired():
    with pytest.raises(ValueError, match=r"same pictures, not \(1, 3\) and \(1, 2\)"):
        difference_interval([[1, 2, 3]], [[1, 2]])


@settings(max_examples=50)
@given(st.lists(st.lists(st.floats(-10, 10), min_size=3, max_size=3), min_size=1, max_size=6), st.data())
def test_apart_is_an_interval_without_zero(rows, data):
    """Also where the signs alone decide it and nothing is drawn, and where values are missing."""
    for row in rows:
        row[data.draw(st.integers(0, 2))] *= data.draw(st.sampled_from([1.0, 1.0, float("nan")]))
    apart = are_apart(np.array(rows))
    for row, found in zip(rows, apart, strict=True):
        interval = mean_interval(row)
        if interval.low not in (0, None) and min(abs(interval.low), abs(interval.high)) > 1e-9:
            assert found == (interval.low > 0 or interval.high < 0)


def test_apart_where_zero_lies_between_the_two_means_next_to_an_end():
    """With 40 draws each end lies between the outermost two, and counting signs does not tell."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(400, 9)) + random.normal(size=(400, 1))
    found = [mean_interval(row, draws=40) for row in rows]
    assert are_apart(rows, draws=40).tolist() == [not one.low <= 0 <= one.high for one in found]


def test_no_picture_is_not_apart():
    assert not are_apart(np.array([[np.nan, np.inf]])).any()


def test_pictures_needed_give_the_power_they_promise():
    """A difference of 0.1 dB with 0.3 dB of spread needs 71 pictures: a t test on so many finds it in four
    repetitions of five (checked on 2,000)."""
    standard = np.tile([-1.0, 1.0], 50)
    needed = pictures_needed(0.1 + 0.3 * standard / standard.std(ddof=1))
    assert needed == 71
    random = np.random.default_rng(6)
    p = stats.ttest_1samp(random.normal(0.1, 0.3, (2000, needed)), 0, axis=1).pvalue
    assert (p < 0.05).mean() == pytest.approx(0.8, abs=0.03)


def test_nothing_can_be_said_of_one_picture_or_no_difference():
    assert pictures_needed(np.array([1.0])) is None
    assert pictures_needed(np.array([-1.0, 1.0])) is None
    assert pictures_needed(np.array([1.0, 1.0])) == 2


def test_loads_no_torch():
    code = "import sys, srbench.metrics.bootstrap; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
