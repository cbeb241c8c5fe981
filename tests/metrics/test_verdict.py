"""Verdicts: every row of the table, intervals against SciPy, causes, lagging channels, and no torch."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from srbench.metrics.bootstrap import mean_interval, ratio_interval
from srbench.metrics.verdict import cautious_interval, lagging, mark, psnr_alone, verdict


def around(mean, spread=0.05, n=10):
    """Values a picture with exactly this mean; the interval reaches about 0.5 · spread to each side."""
    return mean + spread * np.linspace(-1, 1, n)


@pytest.mark.parametrize(
    ("presence", "detail", "word"),
    [
        (around(0.4)[:4], around(0.2)[:4], "inconclusive"),  # 1: too few
        (around(0.4), around(0.2), "over-smoothed"),  # 2
        (around(1.3), around(1.25), "over-sharpened"),  # 3
        (around(1.0), around(0.95), "faithful"),  # 4
        (around(1.2), around(1.14), "faithful"),  # 4: not surely above 1.15
        (around(1.0), around(0.3), "invented detail"),  # 5
        (around(0.9), around(0.7), "not over-smoothed"),  # 6
        (around(0.7), around(0.3), "inconclusive"),  # 7
        (around(0.72, 0.5), around(0.7), "inconclusive"),  # 7
    ],
)
def test_each_row_of_the_table(presence, detail, word):
    assert verdict(presence, detail, around(1.0)).word == word


def test_thresholds_are_reached_by_the_whole_interval_alone():
    """The word changes where an end of the interval passes 0.7, 0.7 and 1.15."""
    reach = cautious_interval(around(0)).high
    for mean, word in ((0.7 - reach - 1e-3, "over-smoothed"), (0.7 - reach + 1e-3, "inconclusive")):
        assert verdict(around(mean), around(0.2), around(1)).word == word
    for mean, word in ((0.7 + reach - 1e-3, "inconclusive"), (0.7 + reach + 1e-3, "invented detail")):
        assert verdict(around(mean), around(0.2), around(1)).word == word
    for mean, word in (
        (0.7 - reach - 1e-3, "invented detail"),
        (0.7 - reach + 1e-3, "not over-smoothed"),
        (0.7 + reach - 1e-3, "not over-smoothed"),
        (0.7 + reach + 1e-3, "faithful"),
        (1.15 + reach - 1e-3, "faithful"),
        (1.15 + reach + 1e-3, "over-sharpened"),
    ):
        assert verdict(around(1.3), around(mean), around(1)).word == word


def test_pictures_without_an_answer_do_not_count():
    gaps = [np.nan, None, np.inf]
    found = verdict([*around(0.4), *gaps], [*around(0.2), *gaps], [*around(1), *gaps])
    assert found.word == "over-smoothed"
    assert (found.presence.n, found.presence.left_out) == (10, 3)
    assert found.presence.mean == pytest.approx(0.4)
    four = [*around(0.4)[:4], *gaps]
    assert verdict(four, four, four).word == "inconclusive"
    assert verdict([], [], []).word == "inconclusive"


@given(
    st.lists(st.floats(0, 2), min_size=1, max_size=12), st.lists(st.floats(-0.5, 2), min_size=12, max_size=12)
)
def test_no_claim_goes_against_the_mean(presence, detail):
    detail = detail[: len(presence)]
    word = verdict(presence, detail, detail).word
    if word == "over-smoothed":
        assert np.mean(presence) < 0.7
    elif word != "inconclusive":
        assert np.mean(presence) > 0.7
    assert word != "faithful" or np.mean(detail) > 0.7
    assert word != "invented detail" or np.mean(detail) < 0.7
    assert word != "over-sharpened" or np.mean(detail) > 1.15
    assert len(presence) >= 5 or word == "inconclusive"


@pytest.mark.parametrize(
    ("presence", "cause"),
    [(0.649, "over-smoothed"), (0.65, "borderline"), (0.75, "borderline"), (0.751, "not over-smoothed")],
)
def test_marks_of_single_pictures(presence, cause):
    assert mark(presence) == cause
    assert mark(np.nan) is None


# Intervals


@pytest.mark.parametrize("n", [2, 5, 14, 100])
def test_interval_is_the_wider_of_bootstrap_and_students(n):
    """Against scipy.stats.t and `mean_interval`; for few pictures t is the wider at both ends."""
    values = np.random.default_rng(n).normal(0.5, 0.1, n)
    found, drawn = cautious_interval(values), mean_interval(values)
    student = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
    assert found.low == pytest.approx(min(student[0], drawn.low), abs=1e-12)
    assert found.high == pytest.approx(max(student[1], drawn.high), abs=1e-12)
    assert (found.mean, found.n, found.left_out) == (drawn.mean, n, 0)
    if n <= 14:
        assert (found.low, found.high) == pytest.approx(student)


def test_bootstrap_is_the_wider_end_of_skewed_values():
    values = [0.2] * 98 + [3.0] * 2
    found, drawn = cautious_interval(values), mean_interval(values)
    assert found.high == drawn.high
    assert found.low < drawn.low


def test_interval_of_one_picture_and_of_none():
    assert cautious_interval([0.4, np.nan]) == (0.4, 0.4, 0.4, 1, 1)
    assert cautious_interval([]) == (None, None, None, 0, 0)


@pytest.mark.parametrize(("n", "seed"), [(5, 1), (14, 2), (100, 3)])
def test_ratio_interval_agrees_with_scipy(n, seed):
    """scipy.stats.bootstrap(paired=True, method="percentile"). Two sets of 10,000 draws differ by less than
    five times √2 of a percentile's standard error, which is 2.7 % of that of the ratio."""
    random = np.random.default_rng(seed)
    below = random.uniform(0.3, 0.6, n)
    above = 0.6 * below + random.normal(0, 0.02, n)
    golden = stats.bootstrap(
        (above, below),
        lambda x, y, axis: x.mean(axis=axis) / y.mean(axis=axis),
        paired=True,
        n_resamples=10_000,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    found = ratio_interval(above, below)
    interval = golden.confidence_interval
    tolerance = 5 * 2**0.5 * 0.027 * golden.standard_error
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=tolerance)
    assert found.mean == pytest.approx(above.mean() / below.mean())
    assert (found.n, found.left_out) == (n, 0)


def test_ratio_interval_is_free_of_scale_and_needs_a_positive_mean():
    above, below = np.array([0.2, 0.4, 0.5]), np.array([0.5, 0.9, 0.8])
    assert ratio_interval(3 * above, 2 * below)[:3] == pytest.approx(
        [1.5 * end for end in ratio_interval(above, below)[:3]]
    )
    assert ratio_interval(below, below)[:3] == (1, 1, 1)
    for bad in (-below, np.zeros(3), np.array([-1.0, 1.0, 1.0])):
        assert ratio_interval(above, bad) == (None, None, None, 3, 0)
    assert ratio_interval(above[:0], below[:0]) == (None, None, None, 0, 0)


# Causes


@pytest.mark.parametrize(
    ("slope", "cause"),
    [
        (around(1.3), "undertrained"),
        (around(1.0), "loss"),
        (around(0.9), "loss"),
        (around(1.15), None),
        (around(0.85), None),
        (around(0.5), None),
        (around(1.0, 0.5), None),  # not wholly within
        (around(1.3)[:4], None),
        ([np.nan] * 10, None),
    ],
)
def test_cause_of_an_over_smoothed_plane(slope, cause):
    assert verdict(around(0.4), around(0.2), slope).cause == cause


def test_no_cause_is_named_of_what_is_not_over_smoothed():
    assert verdict(around(1.0), around(1.0), around(1.0)).cause is None
    assert verdict(around(0.7), around(0.3), around(1.3)).cause is None


def test_psnr_alone_needs_both_intervals():
    assert psnr_alone(0.1, 0.0)
    assert psnr_alone(0.1, -0.1)
    assert not psnr_alone(0.1, 0.1)
    assert not psnr_alone(0.0, -0.1)
    assert not psnr_alone(None, -0.1)
    assert not psnr_alone(0.1, None)


# Channels


def channels(red, green=0.5, blue=0.5, n=10, seed=0):
    """Detail of pictures that differ, and content that does too."""
    random = np.random.default_rng(seed)
    picture = random.uniform(0.7, 1.3, n)
    detail = {
        plane: mean * picture * random.uniform(0.97, 1.03, n)
        for plane, mean in zip("rgb", (red, green, blue), strict=True)
    }
    return detail, {plane: random.uniform(0.3, 0.9, n) for plane in "rgb"}


def test_a_lagging_channel_is_named_with_its_ratio():
    (lag,) = lagging(*channels(0.3))
    assert lag.plane == "r"
    assert lag.ratio.mean == pytest.approx(0.6, abs=0.02)
    assert lag.ratio.low < lag.ratio.mean < lag.ratio.high < 0.85
    assert lag.ratio.n == 10


def test_the_ratio_is_to_the_mean_of_the_two_others():
    (lag,) = lagging(*channels(0.5, green=0.9, blue=0.7))
    assert lag.plane == "r"
    assert lag.ratio.mean == pytest.approx(0.5 / 0.8, abs=0.02)


def test_none_lags_where_the_upper_end_is_not_below_the_threshold():
    assert lagging(*channels(0.5)) == []
    assert lagging(*channels(0.43)) == []  # 0.86
    assert len(lagging(*channels(0.4))) == 1  # 0.80
    random = np.random.default_rng(1)
    detail, content = channels(0.4)
    assert lagging({**detail, "r": detail["r"] * random.uniform(0.4, 1.6, 10)}, content) == []


def test_the_worst_channel_comes_first():
    lags = lagging(*channels(0.2, green=0.25, blue=0.9))
    assert [lag.plane for lag in lags] == ["r", "g"]


def test_grey_pictures_do_not_speak():
    """Their three HR planes, and so the contents, are equal; what SR did to them is no colour's fault."""
    detail, content = channels(0.3)
    for plane in "rgb":
        detail[plane][3:5] = 50.0
        content[plane][3:5] = 0.4
    (lag,) = lagging(detail, content)
    assert lag.ratio.n == 8
    assert lag.ratio.mean == pytest.approx(0.6, abs=0.02)


def test_fewer_than_five_pictures_in_colour_say_nothing():
    detail, content = channels(0.3, n=6)
    assert len(lagging(detail, content)) == 1
    detail["g"][0] = np.nan
    assert lagging(detail, content)[0].ratio.n == 5
    detail["b"][1] = np.inf
    assert lagging(detail, content) == []
    detail, content = channels(0.3, n=4)
    assert lagging(detail, content) == []
    assert lagging({}, {}) == []
    detail, content = channels(0.3)
    assert lagging({"r": detail["r"], "g": detail["g"], "y": detail["b"]}, content) == []


def test_loads_no_torch():
    code = "import sys, srbench.metrics.verdict; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
