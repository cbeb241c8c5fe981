"""LPIPS weights: every source gives the same weights, and a damaged file is named."""

import hashlib
import logging

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from srbench.errors import MetricUnavailable
from srbench.images.download import cache_dir
from srbench.metrics.backbones import BACKBONES, Backbone, features_sha256, find_features

NOWHERE = "http://127.0.0.1:9/"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SRBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        return models.squeezenet1_1(weights=None)


@pytest.fixture(scope="module")
def features(network):
    return network.features.state_dict(prefix="features.")


@pytest.fixture(scope="module")
def published(network, tmp_path_factory):
    """A file as torchvision publishes it, classifier and all."""
    path = tmp_path_factory.mktemp("published") / "squeezenet1_1-test.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def backbone(published):
    content = published.read_bytes()
    return Backbone("squeezenet1_1", published.name, len(content), hashlib.sha256(content).hexdigest())


def find(backbone, named=None, url=NOWHERE):
    return find_features(backbone, named, url)


@pytest.mark.parametrize("place", [".", "lpips"])
@pytest.mark.parametrize("kind", ["published", "features"])
def test_named_folder_is_searched_directly_and_in_lpips(backbone, features, published, tmp_path, place, kind):
    folder = tmp_path / "weights" / place
    folder.mkdir(parents=True)
    if kind == "published":
        (folder / backbone.file).write_bytes(published.read_bytes())
    else:
        save_file(features, folder / "squeezenet1_1-features.safetensors")
    found = find(backbone, tmp_path / "weights")
    assert found.keys() == features.keys()
    assert features_sha256(found) == features_sha256(features)


def test_download_is_cached_as_features_alone(backbone, features, published, file_server):
    file_server.files[backbone.file] = published.read_bytes()
    first = find(backbone, url=file_server.url)
    assert [path.name for path in (cache_dir() / "lpips").iterdir()] == ["squeezenet1_1-features.safetensors"]
    again = find(backbone, url=NOWHERE)
    assert features_sha256(first) == features_sha256(again) == features_sha256(features)
    assert file_server.requests == 1


def test_damaged_cache_is_downloaded_again(backbone, features, published, file_server, caplog):
    """One flipped bit in a weight; keys and shapes are right, only the stored hash tells."""
    file_server.files[backbone.file] = published.read_bytes()
    find(backbone, url=file_server.url)
    cached = cache_dir() / "lpips" / backbone.features_file
    content = bytearray(cached.read_bytes())
    content[-1000] ^= 1
    cached.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert features_sha256(find(backbone, url=file_server.url)) == features_sha256(features)
    assert "its content differs from the hash stored with it); it is downloaded again." in caplog.text
    assert file_server.requests == 2


@pytest.mark.parametrize("kind", ["published", "features"])
def test_damaged_file_in_the_cache_is_named_where_no_other_can_be_had(backbone, features, published, kind):
    folder = cache_dir() / "lpips"
    folder.mkdir(parents=True)
    path = folder / (backbone.file if kind == "published" else backbone.features_file)
    if kind == "published":
        path.write_bytes(published.read_bytes()[:-1])
    else:
        save_file(features, path)
        path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(
        MetricUnavailable, match=rf"^{path} is damaged, and its weights could not be .*Copy a"
    ):
        find(backbone)


@pytest.mark.parametrize("fault", ["cuts off", "sends wrong bytes"])
def test_bad_download_leaves_no_file_behind(backbone, published, file_server, fault):
    file_server.files[backbone.file] = published.read_bytes()
    file_server.fault = fault
    with pytest.raises(MetricUnavailable, match="nor could they be downloaded"):
        find(backbone, url=file_server.url)
    assert list((cache_dir() / "lpips").iterdir()) == []


def test_damaged_published_file_of_the_user_is_named_and_never_opened(backbone, published, tmp_path):
    (tmp_path / backbone.file).write_bytes(published.read_bytes()[:-1])
    with pytest.raises(MetricUnavailable, match=rf"{backbone.file} is damaged \(SHA-256 .*Copy it again"):
        find(backbone, tmp_path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: f.pop("features.0.bias"), "features.0.bias is missing there and 64 in the network"),
        (lambda f: f.update({"features.0.bias": torch.zeros(63)}), "is 63 there and 64 in the network"),
        (
            lambda f: f.update({"classifier.1.bias": torch.zeros(2)}),
            "classifier.1.bias is 2 there and missing",
        ),
        (lambda f: f.update({"features.0.bias": torch.full((64,), torch.nan)}), "are not finite"),
    ],
)
def test_features_file_of_another_network_is_named(backbone, features, tmp_path, damage, words):
    changed = dict(features)
    damage(changed)
    save_file(changed, tmp_path / backbone.features_file)
    with pytest.raises(MetricUnavailable, match=words):
        find(backbone, tmp_path)


def test_features_file_that_is_cut_off_is_named(backbone, features, tmp_path):
    path = tmp_path / backbone.features_file
    save_file(features, path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(MetricUnavailable, match=r"^/.*-features.safetensors is damaged"):
        find(backbone, tmp_path)


def test_folder_that_does_not_exist_is_called_so(backbone, tmp_path):
    with pytest.raises(MetricUnavailable, match=r"neither in .*/absent \(no such folder\) nor could they"):
        find(backbone, tmp_path / "absent")


def test_hash_sees_names_shapes_and_values():
    one = {"features.0.weight": torch.arange(6.0).reshape(2, 3), "features.0.bias": torch.zeros(2)}
    variants = [
        one,
        {**one, "features.0.weight": one["features.0.weight"].reshape(3, 2)},
        {**one, "features.0.weight": one["features.0.weight"] + 1},
        {"features.1.weight": one["features.0.weight"], "features.0.bias": torch.zeros(2)},
    ]
    assert len({features_sha256(variant) for variant in variants}) == len(variants)
    assert features_sha256(dict(reversed(one.items()))) == features_sha256(one)


def test_released_features_load(assets):
    """The features of torchvision's IMAGENET1K_V1, as development machines have them."""
    found = find(BACKBONES["squeeze"], assets / "weights")
    assert len(found) == 50


def test_names_of_features_files():
    assert [backbone.features_file for backbone in BACKBONES.values()] == [
        "alexnet-features.safetensors",
        "vgg16-features.safetensors",
        "squeezenet1_1-features.safetensors",
        "vgg19-features.safetensors",
    ]
