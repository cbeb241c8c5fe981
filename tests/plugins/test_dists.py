"""DISTS: equal to torchmetrics on any VGG16, and the laws of a distance."""

import pytest
import torch
from safetensors.torch import save_file
from skimage import data
from torchvision import models

from srbench.api import MetricUnavailable, find_published, resize_bicubic
from srbench.metrics.backbones import set_weights_dir
from srbench_dists.metric import SMALLEST_SIDE, WEIGHTS, L2Pooling, Network, dists, facts

PHOTO = torch.from_numpy(data.chelsea()[60:156, 100:213].copy()).permute(2, 0, 1)[None] / 255


@pytest.fixture(scope="module")
def vgg16():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return models.vgg16(weights=None).requires_grad_(False).eval()


@pytest.fixture(scope="module")
def backbone(vgg16, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    save_file(vgg16.features.state_dict(prefix="features."), folder / "vgg16-features.safetensors")
    return folder


@pytest.fixture
def available(backbone):
    """The metric as it is, on a VGG16 of random weights."""
    set_weights_dir(backbone)
    try:
        find_published(WEIGHTS, "DISTS")
    except MetricUnavailable as reason:
        pytest.skip(str(reason))
    yield
    set_weights_dir(None)


def blurred(picture, by):
    height, width = picture.shape[-2:]
    small = resize_bicubic(picture, round(height / by), round(width / by))
    return resize_bicubic(small, height, width).clamp(0, 1)


def test_it_equals_torchmetrics(available, vgg16, monkeypatch):
    package = pytest.importorskip(
        "torchmetrics.functional.image.dists", reason='pip install -e ".[dists]" brings torchmetrics'
    )
    made = models.vgg16(weights=None)
    made.load_state_dict(vgg16.state_dict())
    monkeypatch.setattr(package, "vgg16", lambda weights: made)
    noise = 0.1 * torch.randn(PHOTO.shape, generator=torch.Generator().manual_seed(1))
    sr = torch.cat([PHOTO.roll(2, -1), (PHOTO + noise).clamp(0, 1), blurred(PHOTO, 4)])
    hr = PHOTO.expand_as(sr)
    expected = package.deep_image_structure_and_texture_similarity(sr, hr)
    torch.testing.assert_close(dists(sr, hr), expected.double(), rtol=0, atol=2e-6)


def test_facts_name_both_files(available):
    assert facts()["dists_sha256"] == "f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218"
    assert len(facts()["weights_sha256"]) == 64


def test_a_score_does_not_depend_on_neighbours_and_nan_stays_alone(available):
    sr = torch.cat([blurred(PHOTO, 2), PHOTO, blurred(PHOTO, 4)])
    alone = dists(sr[2:], PHOTO)
    sr[1, 0, 0, 0] = torch.nan
    scores = dists(sr, PHOTO.expand_as(sr))
    assert torch.equal(scores[2:], alone)
    assert scores.isnan().tolist() == [False, True, False]


def test_tiny_pictures_have_no_score(available):
    side = SMALLEST_SIDE - 1
    assert dists(PHOTO[..., :side, :], PHOTO[..., :side, :]).isnan().all()
    assert dists(PHOTO[..., : side + 1, : side + 1], PHOTO[..., : side + 1, : side + 1]) == 0


@pytest.fixture(scope="module")
def network(vgg16):
    """With weights that are the same for every channel: its laws do not hang on the authors' weights."""
    return Network(vgg16.features, torch.ones(1475), torch.ones(1475))


def test_the_laws_of_a_distance(network):
    assert network(PHOTO, PHOTO) == 0
    less, more = (network(blurred(PHOTO, by), PHOTO) for by in (2, 4))
    assert 0 < less < more < 1
    assert network(PHOTO, blurred(PHOTO, 4)) == pytest.approx(float(more), abs=1e-12)


def test_the_last_stage_of_the_smallest_picture_has_two_pixels(network):
    features = PHOTO[..., :SMALLEST_SIDE, :SMALLEST_SIDE]
    for stage in network.stages:
        features = stage(features)
    assert features.shape == (1, 512, 2, 2)


def test_pooling_is_a_root_mean_square():
    flat = torch.full((1, 2, 8, 8), -3.0)
    assert L2Pooling()(flat)[..., 1:, 1:].sub(3).abs().max() < 1e-6


def test_without_weights_it_says_what_to_do(backbone, tmp_path, monkeypatch):
    monkeypatch.setenv("SRBENCH_CACHE", str(tmp_path))
    set_weights_dir(tmp_path)
    try:
        with pytest.raises(MetricUnavailable, match="^DISTS cannot be computed: "):
            facts()
    finally:
        set_weights_dir(None)
