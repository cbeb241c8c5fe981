"""SSIM: laws, agreement with scikit-image under both edge rules, planes that cannot be scored."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data
from skimage.metrics import structural_similarity

from srbench.metrics.ssim import facts, ssim

PHOTO = torch.from_numpy(data.chelsea()[60:160, 100:237].copy()).permute(2, 0, 1)[None] / 255
EDGES = pytest.mark.parametrize("edge", ["valid", "replicate"])


def degraded(hr, amount=0.08):
    noise = torch.rand(hr.shape, generator=torch.Generator().manual_seed(1))
    return (hr.roll(1, dims=-2) + amount * (noise - 0.5)).clamp(0, 1)


@EDGES
def test_each_plane_matches_scikit_image(edge):
    """Source: skimage's structural_similarity; for `replicate` on pictures padded by the window's reach."""
    hr, sr = PHOTO, degraded(PHOTO)
    for plane, score in enumerate(ssim(sr, hr, edge)[0]):
        a, b = (np.asarray(x[0, plane].double()) for x in (sr, hr))
        if edge == "replicate":
            a, b = (np.pad(x, 5, mode="edge") for x in (a, b))
        golden = structural_similarity(
            a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1
        )
        assert score.item() == pytest.approx(golden, abs=1e-9)


@settings(max_examples=20)
@given(st.integers(11, 80), st.integers(11, 80), st.sampled_from(["valid", "replicate"]))
def test_equal_planes_score_one_and_order_does_not_matter(height, width, edge):
    x, y = torch.rand(2, 1, 2, height, width)
    torch.testing.assert_close(ssim(x, x, edge), torch.ones(1, 2, dtype=torch.float64))
    torch.testing.assert_close(ssim(x, y, edge), ssim(y, x, edge))
    assert (ssim(x, y, edge).abs() <= 1).all()


@given(st.integers(0, 255), st.integers(0, 255))
def test_two_constants_score_their_closed_form(a, b):
    """Without structure only the luminance term is left: (2ab + C1) / (a² + b² + C1)."""
    a, b = a / 255, b / 255
    x, y = torch.full((1, 1, 12, 13), a).double(), torch.full((1, 1, 12, 13), b).double()
    expected = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
    for edge in ("valid", "replicate"):
        assert ssim(x, y, edge).item() == pytest.approx(expected, abs=1e-6)


@EDGES
def test_a_broken_plane_leaves_the_others_alone(edge):
    hr, sr = PHOTO.expand(2, -1, -1, -1), degraded(PHOTO).repeat(2, 1, 1, 1)
    whole = ssim(sr, hr, edge)
    sr[0, 1, 50, 50], sr[1, 2, 0, 0] = torch.nan, torch.inf
    scores = ssim(sr, hr, edge)
    assert scores.isnan().tolist() == [[False, True, False], [False, False, True]]
    assert torch.equal(scores[~scores.isnan()], whole[~scores.isnan()])


def test_plane_smaller_than_the_window():
    hr = torch.rand(2, 3, 10, 40)
    assert ssim(hr, hr).isnan().all()
    assert ssim(hr, hr).shape == (2, 3)
    torch.testing.assert_close(ssim(hr, hr, "replicate"), torch.ones(2, 3, dtype=torch.float64))


def test_edge_rule_is_named():
    with pytest.raises(ValueError, match="'valid' or 'replicate', not 'same'"):
        ssim(PHOTO, PHOTO, "same")


def test_shape_mismatch_names_both_shapes():
    with pytest.raises(ValueError, match=r"\(1, 3, 18, 18\).*\(1, 3, 18, 19\)"):
        ssim(torch.zeros(1, 3, 18, 18), torch.zeros(1, 3, 18, 19))


def test_facts_are_plain_data():
    assert facts(edge="replicate") == {
        "window": 11,
        "sigma": 1.5,
        "k1": 0.01,
        "k2": 0.03,
        "statistics": "population",
    }
