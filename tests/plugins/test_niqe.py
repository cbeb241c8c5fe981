"""NIQE: published scores where its model is to be had, and the statistics themselves."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import color, data

from srbench.api import MetricUnavailable, resize_bicubic
from srbench.metrics.backbones import set_weights_dir
from srbench.metrics.protocol import prepare
from srbench_niqe.features import _fitted, features, normalised
from srbench_niqe.metric import PRISTINE, _pristine, distance, facts, niqe

LEVELS = {
    name: torch.from_numpy(color.rgb2ycbcr(getattr(data, name)())[..., 0]).round()
    for name in ("astronaut", "coffee", "chelsea", "rocket")
}


@pytest.fixture
def pristine(assets):
    """The published model, where somebody has put it among the weights."""
    _pristine.cache_clear()
    set_weights_dir(assets / "weights")
    try:
        _pristine()
    except MetricUnavailable as reason:
        pytest.skip(str(reason))
    yield
    set_weights_dir(None)


@pytest.fixture(scope="module")
def photographs():
    """Mean and covariance of a few photographs: not the published model, but one of the same kind."""
    blocks = torch.cat([features(LEVELS[name]) for name in ("astronaut", "coffee", "rocket")])
    blocks = blocks[~blocks.isnan().any(1)]
    return blocks.mean(0), blocks.T.cov()


def blurred(levels, by):
    height, width = levels.shape
    small = resize_bicubic(levels[None, None], round(height / by), round(width / by))
    return resize_bicubic(small, height, width)[0, 0].clamp(16, 235).round()


def test_baboon_scores_as_published(pristine, assets):
    """MATLAB R2021a gives 5.7296, as BasicSR documents; the other two are from mmagic's tests."""
    rgb = np.asarray(Image.open(assets / "data" / "set14" / "baboon.png"))
    picture = torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None].double() / 255
    assert float(niqe(prepare(picture, picture, ["y"], 0)[0])) == pytest.approx(5.72957338, abs=1e-4)
    assert float(niqe(picture[:, 2:])) == pytest.approx(5.62525, abs=1e-4)
    assert float(niqe(prepare(picture, picture, ["y"], 6)[0])) == pytest.approx(6.10074, abs=1e-3)
    assert facts() == {"pristine_sha256": "2a7c182a68c9e7f1b2e2e5ec723279d6f65d912b6fcaf37eb2bf03d7367c4296"}


def test_planes_and_pictures_are_scored_one_by_one(pristine):
    planes = (LEVELS["astronaut"] / 255).expand(2, 2, -1, -1).clone()
    planes[0, 1] = blurred(LEVELS["astronaut"], 3) / 255
    planes[1, 0, 0, 0] = torch.nan
    scores = niqe(planes)
    assert scores.isnan().tolist() == [[False, False], [True, False]]
    assert scores[0, 0] == scores[1, 1] < scores[0, 1]


def test_blur_and_noise_are_less_natural(photographs):
    sharp = LEVELS["chelsea"]
    noise = 12 * torch.randn(sharp.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    score = distance(features(sharp), *photographs)
    for worse in (blurred(sharp, 2), blurred(sharp, 4), (sharp + noise).clamp(16, 235).round()):
        assert distance(features(worse), *photographs) > score
    assert distance(features(blurred(sharp, 4)), *photographs) > distance(
        features(blurred(sharp, 2)), *photographs
    )


def test_the_distance_of_photographs_to_their_own_model_is_none(photographs):
    own = torch.cat([features(LEVELS[name]) for name in ("astronaut", "coffee", "rocket")])
    assert distance(own[~own.isnan().any(1)], *photographs) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("shape", "draw"), [(2, torch.Tensor.normal_), (1, None)])
def test_a_fit_finds_the_distribution_that_was_drawn_from(shape, draw):
    """Of a Gaussian β is σ·√2, of a Laplacian its scale; the right half is twice as wide."""
    generator = torch.Generator().manual_seed(0)
    if draw:
        values = torch.empty(1, 400, 400, dtype=torch.float64).normal_(generator=generator) * 2**-0.5
    else:
        uniform = torch.rand(1, 400, 400, dtype=torch.float64, generator=generator) - 0.5
        values = -uniform.sign() * (1 - 2 * uniform.abs()).log()
    fit = _fitted(values)
    assert [float(one) for one in fit] == pytest.approx([shape, 1, 1], rel=0.02)
    # An asymmetric one has as much more of its values on the wider side.
    skewed = torch.cat([values[values < 0], 2 * values[values > 0], 2 * values[values > 0]])
    assert [float(one) for one in _fitted(skewed[None, None])] == pytest.approx([shape, 1, 2], rel=0.02)


def test_normalised_luma_of_a_photograph_has_mean_none_and_a_ramp_is_flat():
    assert abs(float(normalised(LEVELS["astronaut"]).mean())) < 0.02
    ramp = torch.arange(192.0, dtype=torch.float64).expand(96, -1)
    assert normalised(ramp)[:, 3:-3].abs().max() == 0


def test_blocks_without_texture_are_left_out_and_change_nothing(photographs):
    picture = LEVELS["astronaut"][:192, :288].clone()
    picture[:, 192:] = 235
    blocks = features(picture)
    flat = blocks.isnan().any(1)
    assert blocks.shape == (6, 36)
    assert flat.tolist() == [False, False, True] * 2
    assert distance(blocks, *photographs) > 0


@pytest.mark.parametrize("picture", [torch.full((192, 192), 128.0).double(), LEVELS["chelsea"][:191, :95]])
def test_what_has_no_texture_or_no_block_has_no_score(picture, photographs):
    assert np.isnan(distance(features(picture), *photographs))


def test_one_block_has_no_score(photographs):
    assert np.isnan(distance(features(LEVELS["chelsea"][:96, :191]), *photographs))


def test_without_the_model_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("SRBENCH_CACHE", str(tmp_path))
    for package, _ in PRISTINE.packages:
        monkeypatch.setitem(sys.modules, package, None)
    _pristine.cache_clear()
    with pytest.raises(
        MetricUnavailable, match="^NIQE cannot be computed: niqe_pris_params.npz is neither in"
    ):
        facts()
