"""LPIPS: published values, agreement with the package, pictures that cannot be scored."""

import importlib.metadata
import warnings

import lpips as package
import pytest
import torch
from safetensors.torch import save_file
from skimage import data
from torchvision import models

from srbench.errors import MetricUnavailable
from srbench.metrics.backbones import set_weights_dir
from srbench.metrics.lpips import facts, lpips

PHOTO = torch.from_numpy(data.chelsea()[60:160, 100:237].copy()).permute(2, 0, 1)[None] / 255
BUILDERS = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}


@pytest.fixture(autouse=True)
def _forget():
    yield
    set_weights_dir(None)


def package_network(net):
    """The package's own network on the random backbone of seed 0, built as its authors build it."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return package.LPIPS(net=net, pnet_rand=True, verbose=False)


def name_random_backbone(net, folder):
    """Write the backbone of seed 0 as a features file, and name its folder."""
    torch.manual_seed(0)
    features = models.get_model(BUILDERS[net], weights=None).features.state_dict(prefix="features.")
    save_file(features, folder / f"{BUILDERS[net]}-features.safetensors")
    set_weights_dir(folder)


def test_squeeze_scores_as_published(assets):
    """Source: the documentation of torchmetrics, two random pairs of seed 42 in [-1, 1]."""
    set_weights_dir(assets / "weights")
    generator = torch.Generator().manual_seed(42)
    sr, hr = (torch.rand(2, 3, 100, 100, generator=generator) for _ in range(2))
    torch.testing.assert_close(
        lpips(sr, hr, "squeeze"), torch.tensor([0.1024, 0.0938]).double(), rtol=0, atol=5e-5
    )
    assert facts("squeeze") == {
        "net": "squeeze",
        "weights_sha256": "e91a11bbe0014947714bbb336e97f5d8720aa9b857d069b545302024996b0c13",
        "lpips": importlib.metadata.version("lpips"),
    }


@pytest.mark.parametrize("net", ["alex", "squeeze", pytest.param("vgg", marks=pytest.mark.slow)])
def test_every_backbone_equals_the_package(net, tmp_path):
    name_random_backbone(net, tmp_path)
    sr = PHOTO.roll(2, dims=-1)
    with torch.no_grad():
        golden = package_network(net)(2 * sr - 1, 2 * PHOTO - 1).flatten()
    torch.testing.assert_close(lpips(sr, PHOTO, net), golden.double(), rtol=0, atol=1e-5)
    assert lpips(PHOTO, PHOTO, net) == 0


@pytest.mark.parametrize(("net", "side"), [("alex", 31), ("squeeze", 17)])
def test_smallest_side_is_the_package_s_own(net, side, tmp_path):
    name_random_backbone(net, tmp_path)
    network = package_network(net)
    with pytest.raises(RuntimeError, match="Output size is too small"), torch.no_grad():
        network(PHOTO[..., : side - 1, :], PHOTO[..., : side - 1, :])
    assert lpips(PHOTO[..., : side - 1, :], PHOTO[..., : side - 1, :], net).isnan().all()
    assert lpips(PHOTO[..., :side, :side], PHOTO[..., :side, :side], net) == 0


def test_score_does_not_depend_on_neighbours_and_nan_stays_alone(tmp_path):
    name_random_backbone("squeeze", tmp_path)
    sr, hr = torch.rand(2, 3, 3, 40, 40, generator=torch.Generator().manual_seed(3))
    alone = lpips(sr[2:], hr[2:], "squeeze")
    sr[1, 0, 0, 0] = torch.nan
    scores = lpips(sr, hr, "squeeze")
    assert torch.equal(scores[2:], alone)
    assert scores.isnan().tolist() == [False, True, False]


def test_building_a_network_leaves_the_generator_and_the_graph_alone(tmp_path):
    name_random_backbone("squeeze", tmp_path)
    before = torch.get_rng_state()
    scores = lpips(PHOTO.clone().requires_grad_(), PHOTO, "squeeze")
    assert torch.equal(torch.get_rng_state(), before)
    assert not scores.requires_grad


def test_autocast_changes_nothing(tmp_path):
    name_random_backbone("squeeze", tmp_path)
    sr = PHOTO.flip(-1)
    plain = lpips(sr, PHOTO, "squeeze")
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(lpips(sr, PHOTO, "squeeze"), plain)


def test_failure_is_one_clear_paragraph_tried_once(file_server, tmp_path, monkeypatch):
    monkeypatch.setenv("SRBENCH_LPIPS_URL", file_server.url)
    set_weights_dir(tmp_path)
    for ask in (facts, facts, lambda net: lpips(PHOTO, PHOTO, net)):
        with pytest.raises(MetricUnavailable) as caught:
            ask("alex")
        assert str(caught.value) == (
            f"LPIPS (alex) cannot be computed: its weights are neither in {tmp_path} nor could they be "
            "downloaded (the server answers 404). Copy alexnet-owt-7be5be79.pth or "
            "alexnet-features.safetensors there, or pass --lpips-weights DIR."
        )
    assert file_server.requests == 2  # one download with its one retry


def test_folder_in_the_environment_is_searched(tmp_path, monkeypatch):
    (tmp_path / "lpips").mkdir()
    name_random_backbone("squeeze", tmp_path / "lpips")
    set_weights_dir(None)
    monkeypatch.setenv("SRBENCH_LPIPS_WEIGHTS", str(tmp_path))
    assert facts("squeeze")["net"] == "squeeze"


@pytest.mark.parametrize(
    ("shape", "net", "words"),
    [((1, 1, 40, 40), "alex", r"RGB \(N, 3, H, W\), not \(1, 1, 40, 40\)"), ((1, 3, 40, 40), "res", "'res'")],
)
def test_what_it_cannot_take_is_named(shape, net, words):
    with pytest.raises(ValueError, match=words):
        lpips(torch.zeros(shape), torch.zeros(shape), net)
