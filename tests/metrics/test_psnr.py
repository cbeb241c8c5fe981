"""PSNR: a law, agreement with scikit-image on a photograph, and its one error."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage import data, metrics

from srbench.metrics.psnr import psnr


@given(grey_levels=st.integers(1, 255), planes=st.integers(1, 4), side=st.integers(1, 9))
def test_constant_offset_scores_its_closed_form(grey_levels, planes, side):
    """Off by k of 255 grey levels everywhere is 20·log10(255 / k) dB."""
    hr = torch.zeros(2, planes, side, side + 1)
    scores = psnr(hr + grey_levels / 255, hr)
    expected = torch.full((2, planes), 20 * math.log10(255 / grey_levels), dtype=torch.float64)
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-5)


def test_each_plane_matches_scikit_image():
    """Source of the values: skimage.metrics.peak_signal_noise_ratio, data_range=1, same arrays."""
    hr = torch.from_numpy(data.chelsea()[100:164, 120:200].copy()).permute(2, 0, 1)[None] / 255
    sr = hr.roll(1, dims=-1)
    for plane, score in enumerate(psnr(sr, hr)[0]):
        golden = metrics.peak_signal_noise_ratio(
            hr[0, plane].double().numpy(), sr[0, plane].double().numpy(), data_range=1
        )
        assert score.item() == pytest.approx(golden, abs=1e-6)


def test_equal_planes_are_infinite_and_broken_ones_nan():
    hr = torch.rand(1, 4, 5, 6)
    sr = hr.clone()
    sr[0, 1] += 0.1
    sr[0, 2, 0, 0] = torch.nan
    sr[0, 3, 0, 0] = -torch.inf
    scores = psnr(sr, hr)[0]
    assert scores[0] == torch.inf
    assert scores[1].item() == pytest.approx(20, abs=1e-4)
    assert scores[2:].isnan().all()


def test_shape_mismatch_names_both_shapes():
    with pytest.raises(ValueError, match=r"\(1, 3, 8, 8\).*\(1, 3, 8, 9\)"):
        psnr(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 9))
