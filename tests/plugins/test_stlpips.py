"""ST-LPIPS: the package's own scores, its smallest pictures, and the laws of a distance."""

import sys

import pytest
import torch
from skimage import data

from srbench.api import MetricUnavailable, find_published, resize_bicubic
from srbench_stlpips.metric import SMALLEST_SIDE, WEIGHTS, _network, facts, stlpips
from srbench_stlpips.network import Blur, Network

PHOTO = torch.from_numpy(data.chelsea()[:120, :137].copy()).permute(2, 0, 1)[None] / 255

GOLDEN = {"alex": [0.0128758969, 0.3340499997], "vgg": [0.0579773225, 0.3497948349]}


def blurred(picture, by):
    height, width = picture.shape[-2:]
    small = resize_bicubic(picture, round(height / by), round(width / by))
    return resize_bicubic(small, height, width).clamp(0, 1)


@pytest.fixture(params=["alex", "vgg"])
def net(request):
    try:
        find_published(WEIGHTS[request.param], "ST-LPIPS")
    except MetricUnavailable as reason:
        pytest.skip(str(reason))
    return request.param


def test_it_scores_as_its_package(net):
    """Recorded with stlpips-pytorch 0.0.2: `LPIPS(net=…, variant="shift_tolerant")` on `2·x − 1`, float32."""
    expected = GOLDEN[net]
    sr = torch.cat([PHOTO.roll(1, -1), blurred(PHOTO, 4)])
    torch.testing.assert_close(
        stlpips(sr, PHOTO.expand_as(sr), net), torch.tensor(expected).double(), rtol=0, atol=2e-6
    )


def test_the_laws_of_a_distance(net):
    sr = torch.cat([PHOTO, blurred(PHOTO, 2), blurred(PHOTO, 4)])
    none, less, more = stlpips(sr, PHOTO.expand_as(sr), net).tolist()
    assert none == 0 < less < more
    assert stlpips(PHOTO, blurred(PHOTO, 4), net).item() == pytest.approx(more, abs=1e-9)


def test_a_score_does_not_depend_on_neighbours_and_nan_stays_alone(net):
    sr = torch.cat([PHOTO, blurred(PHOTO, 2), blurred(PHOTO, 4)])
    alone = stlpips(sr[2:], PHOTO, net)
    sr[1, 0, 0, 0] = torch.nan
    scores = stlpips(sr, PHOTO.expand_as(sr), net)
    assert torch.equal(scores[2:], alone)
    assert scores.isnan().tolist() == [False, True, False]


def test_building_a_network_leaves_the_generator_alone(net):
    _network.cache_clear()
    before = torch.get_rng_state()
    stlpips(PHOTO, PHOTO, net)
    assert torch.equal(torch.get_rng_state(), before)


def test_facts_name_network_and_file(net):
    assert facts(net) == {"net": net, "weights_sha256": WEIGHTS[net].sha256}


def state(net):
    """Weights of the published names and shapes, drawn at random."""
    generator = torch.Generator().manual_seed(0)
    widths = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}[net]
    places = {
        "alex": [(1, 0, 11), (2, 5, 5), (3, 9, 3), (4, 11, 3), (5, 13, 3)],
        "vgg": [
            (1, 0, 3), (1, 2, 3), (2, 6, 3), (2, 8, 3), (3, 12, 3), (3, 14, 3), (3, 16, 3),
            (4, 20, 3), (4, 22, 3), (4, 24, 3), (5, 28, 3), (5, 30, 3), (5, 32, 3),
        ],
    }[net]  # fmt: skip
    made = {"scaling_layer.shift": torch.zeros(1, 3, 1, 1), "scaling_layer.scale": torch.ones(1, 3, 1, 1)}
    planes = 3
    for stage, number, side in places:
        shape = (widths[stage - 1], planes, side, side)
        spread = (2 / (planes * side**2)) ** 0.5
        made[f"net.slice{stage}.{number}.weight"] = spread * torch.randn(shape, generator=generator)
        made[f"net.slice{stage}.{number}.bias"] = torch.zeros(shape[0])
        planes = shape[0]
    for depth, width in enumerate(widths):
        made[f"lin{depth}.model.1.weight"] = torch.rand(1, width, 1, 1, generator=generator)
    return made


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_the_smallest_side_is_what_the_layers_take(net):
    network = Network(net, state(net)).requires_grad_(False)
    side = SMALLEST_SIDE[net]
    fits, small = (2 * PHOTO[..., :one, :one] - 1 for one in (side, side - 1))
    assert network(fits, fits) == 0
    assert network(fits, -fits) > 0
    with pytest.raises(RuntimeError):
        network(small, small)


def test_a_blur_keeps_the_mean_and_halves_the_sides():
    assert Blur()(torch.ones(1, 2, 7, 10)).equal(torch.ones(1, 2, 5, 6))


def test_without_weights_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("SRBENCH_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "stlpips_pytorch", None)
    with pytest.raises(MetricUnavailable) as raised:
        facts("alex")
    assert str(raised.value).endswith(
        'a package that ships it: stlpips_pytorch (pip install "srbench-harness[stlpips]").'
    )
