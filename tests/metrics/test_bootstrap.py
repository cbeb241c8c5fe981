"""Bootstrap intervals: golden values, laws, agreement with SciPy, and no torch."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from srbench.metrics.bootstrap import mean_interval

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


def test_loads_no_torch():
    code = "import sys, srbench.metrics.bootstrap; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
