"""Schedules: closed forms at the places that matter."""

import pytest

from srbench.train.schedule import SCHEDULES, constant, cosine, step


def test_step_halves_after_each_fifty_epochs():
    rate = step(every=50, factor=0.5)
    assert [rate(n, 10.0) for n in (0, 499, 500, 1000)] == [1, 1, 0.5, 0.25]


def test_step_counts_in_steps_where_asked():
    rate = step(every=100, factor=0.1, unit="steps")
    assert [rate(n, 7.0) for n in (99, 100)] == [1, 0.1]


def test_cosine_falls_from_one_to_its_floor_and_stays_there():
    rate = cosine(steps=100, floor=0.1)
    assert rate(0, 1.0) == 1
    assert rate(50, 1.0) == pytest.approx(0.55)
    assert rate(100, 1.0) == rate(500, 1.0) == pytest.approx(0.1)
    assert cosine(epochs=10)(50, 10.0) == pytest.approx(0.5)


def test_warm_up_rises_linearly():
    assert [constant(warmup=4)(n, 1.0) for n in range(5)] == [0.25, 0.5, 0.75, 1, 1]


def test_all_are_registered_under_their_names():
    assert set(SCHEDULES) == {"constant", "step", "cosine"}
