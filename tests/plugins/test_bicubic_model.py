"""The model `bicubic`: its scales, its values against a known pattern, and that it has nothing to train."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from srbench.api import resize_bicubic
from srbench_baselines.bicubic import build


@given(
    scale=st.integers(2, 12),
    planes=st.integers(1, 3),
    height=st.integers(1, 8),
    width=st.integers(1, 8),
)
def test_it_predicts_every_divisor_of_its_scale(scale, planes, height, width):
    prediction = build(planes, scale)(torch.rand(2, planes, height, width))
    assert list(prediction) == [divisor for divisor in range(2, scale + 1) if scale % divisor == 0]
    for divisor, sr in prediction.items():
        assert sr.shape == (2, planes, height * divisor, width * divisor)


def test_each_scale_is_resized_from_lr_itself():
    lr = torch.rand(1, 3, 6, 5)
    prediction = build(3, 4)(lr)
    assert torch.equal(prediction[2], resize_bicubic(lr, 12, 10))
    assert torch.equal(prediction[4], resize_bicubic(lr, 24, 20))


def test_overshoot_is_kept():
    """An edge of black and white rings past both by Keys' kernel; clamping is the protocol's."""
    lr = torch.zeros(1, 1, 8, 8)
    lr[..., 4:] = 1
    sr = build(1, 2)(lr)[2]
    assert sr.min() < -0.01
    assert sr.max() > 1.01


def test_it_has_no_weights():
    assert build(3, 4).state_dict() == {}


def test_wrong_scale_and_planes_are_refused():
    with pytest.raises(ValueError, match="at least 2, not 1"):
        build(3, 1)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        build(0, 2)
