"""What srbench promises of every data set, and what this one promises beside that."""

import numpy as np
import pytest
from numpy.typing import NDArray
from srbench.api import DatasetError
from srbench.testing import conformance_tests

from srbench_example_dataset.camera import photograph
from srbench_example_dataset.dataset import build

test_conformance = conformance_tests("dataset", "snapshots", "snapshots:side=96,noise=0")


def tone(level: int) -> NDArray[np.uint8]:
    return np.full((64, 66, 3), level, np.uint8)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_without_noise_one_tone_stays_that_tone(scale: int) -> None:
    lr = photograph(tone(77), scale, 0.0, "grey")
    assert lr.shape == (64 // scale, 66 // scale, 3)
    assert (lr == 77).all()


def test_noise_is_of_the_strength_it_says() -> None:
    """In full light, as the tone curve's slope there is a half: 0.04 is 0.02 of the range after it."""
    bright = photograph(tone(180), 2, 0.04, "bright").astype(float)
    assert 255 * 0.019 < bright.std() < 255 * 0.021


def test_noise_belongs_to_the_name_and_the_scale() -> None:
    one, same, other = (photograph(tone(120), 2, 0.05, name) for name in ("a", "a", "b"))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_without_a_scale_there_is_hr_alone() -> None:
    dataset = build(side=64)
    assert [len(half) for half in (dataset.train, dataset.val, dataset.test)] == [3, 1, 2]
    assert all(picture.lr is None for picture in dataset.train)


@pytest.mark.parametrize(("side", "noise"), [(47, 0.0), (301, 0.0), (96, -0.1), (96, float("nan"))])
def test_what_cannot_be_is_refused(side: int, noise: float) -> None:
    with pytest.raises(DatasetError, match="snapshots takes side from 48 to 300 and noise from 0"):
        build(side=side, noise=noise)
