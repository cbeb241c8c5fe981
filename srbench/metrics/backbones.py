"""ImageNet networks that pictures are compared by: from a folder the user names, the cache, or a download."""

import hashlib
import logging
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from srbench.errors import MetricUnavailable, StoreError
from srbench.files import sha256_file, write_atomic
from srbench.images.download import DownloadError, cache_dir, fetch

_log = logging.getLogger(__name__)

Net: TypeAlias = Literal["alex", "vgg", "squeeze"]
"""Those that LPIPS has, by its own words: `vgg` is VGG16."""
AnyNet: TypeAlias = Literal["alex", "vgg", "squeeze", "vgg19"]


@dataclass(frozen=True)
class Backbone:
    """One ImageNet network as torchvision publishes it.

    Args:
        name: torchvision's builder; its convolutional part `features` is what is used.
        file: name on the server.
        size_bytes: of that file.
        sha256: of that file.
    """

    name: str
    file: str
    size_bytes: int
    sha256: str

    @property
    def features_file(self) -> str:
        """What the convolutional part alone is called, in a user's folder and in the cache."""
        return f"{self.name}-features.safetensors"


BACKBONES: Mapping[AnyNet, Backbone] = {
    "alex": Backbone(
        "alexnet",
        "alexnet-owt-7be5be79.pth",
        244_408_911,
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    ),
    "vgg": Backbone(
        "vgg16",
        "vgg16-397923af.pth",
        553_433_881,
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    ),
    "squeeze": Backbone(
        "squeezenet1_1",
        "squeezenet1_1-b8a52dc0.pth",
        4_958_839,
        "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
    ),
    "vgg19": Backbone(
        "vgg19",
        "vgg19-dcbb9e9d.pth",
        574_673_361,
        "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
    ),
}


class Weights(NamedTuple):
    """The convolutional weights of a backbone, and the hash that names them."""

    features: dict[str, Tensor]
    sha256: str


_weights_dir: Path | None = None
_outcomes: dict[AnyNet, Weights | str] = {}  # or why there are none
_finding = threading.Lock()


class DamagedWeightsError(Exception):
    """A weights file is not what its name says; the message is a clause that names the file."""


def weights_url() -> str:
    """The folder on the network that holds torchvision's files; `SRBENCH_LPIPS_URL` names a mirror."""
    return os.environ.get("SRBENCH_LPIPS_URL") or "https://download.pytorch.org/models/"


def set_weights_dir(path: Path | None) -> None:
    """Search `path` (and its `lpips/`) for backbone weights first; goes before `SRBENCH_LPIPS_WEIGHTS`.

    Forgets what was found, or found missing, before. None: no folder is named.
    """
    global _weights_dir
    with _finding:
        _weights_dir = path
        _outcomes.clear()


def weights_dir() -> Path | None:
    """The folder that is searched first: the one set, else that of `SRBENCH_LPIPS_WEIGHTS`; None: none."""
    named = _weights_dir or os.environ.get("SRBENCH_LPIPS_WEIGHTS")
    return Path(named).expanduser() if named else None


def find_weights(net: AnyNet, what: str) -> Weights:
    """The weights of a backbone, looked for once a process; so is the failure to find them.

    Args:
        net: which.
        what: is computed with them, for messages: `LPIPS (vgg)`.

    Raises:
        ValueError: `net` is none of the backbones.
        MetricUnavailable: no sound file is to be had; one paragraph says where was looked and what to do.
    """
    if net not in BACKBONES:
        raise ValueError(f"net is none of {', '.join(BACKBONES)}: {net!r}")
    with _finding:
        if net not in _outcomes:
            try:
                features = find_features(BACKBONES[net], weights_dir(), weights_url())
                _outcomes[net] = Weights(features, features_sha256(features))
            except MetricUnavailable as unavailable:
                # Not the exception: its traceback holds on to every frame.
                _outcomes[net] = str(unavailable)
        outcome = _outcomes[net]
    if isinstance(outcome, str):
        raise MetricUnavailable(f"{what} cannot be computed: {outcome}")
    return outcome


def build_features(net: AnyNet, what: str) -> nn.Sequential:
    """The convolutional part of a backbone with its weights, frozen, on the CPU; a new one each time.

    RGB `(N, 3, H, W)`, normalised by ImageNet's mean and deviation → features. No layer works in place.

    Args, Raises: as `find_weights`.
    """
    from torchvision import models

    found = find_weights(net, what)
    with torch.random.fork_rng(devices=[]):  # torchvision draws weights before ours are loaded
        network = models.get_model(BACKBONES[net].name, weights=None).features
    network.load_state_dict({key.removeprefix("features."): one for key, one in found.features.items()})
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    features: nn.Sequential = network.requires_grad_(False).eval()
    return features


def find_features(backbone: Backbone, named: Path | None, url: str) -> dict[str, Tensor]:
    """The convolutional weights of a backbone, from the first place that has them.

    A file in the user's folder that is damaged is an error, never skipped; a damaged one in the cache is
    downloaded again.

    Args:
        backbone: file names, size and hash.
        named: the user's folder, searched directly and in its `lpips/`; None: there is none.
        url: the folder on the network.

    Returns:
        torchvision's keys (`features.0.weight`, …) → float32 on the CPU.

    Raises:
        MetricUnavailable: no sound file is to be had; a clause says where was looked and what to do.
    """
    cached = _cached(backbone)
    folder = cached.parent
    try:
        for path in _named(backbone, named):
            if path.is_file():
                read = _read_published if path.name == backbone.file else _read_features
                return read(path, backbone)
        if cached.is_file():
            try:
                return _read_features(cached, backbone)
            except DamagedWeightsError as damage:
                _log.warning("%s; it is downloaded again.", damage)
        return _download(backbone, url, cached)
    except DamagedWeightsError as damage:
        raise MetricUnavailable(
            f"{damage}. Copy it again, or take it away and another source is tried."
        ) from damage
    except DownloadError as error:
        for damaged in (folder / backbone.file, cached):  # a sound one would have been taken
            if damaged.is_file():
                raise MetricUnavailable(
                    f"{damaged} is damaged, and its weights could not be downloaded again ({error.reason}). "
                    f"Copy a sound {damaged.name} there, or pass --lpips-weights DIR."
                ) from error
        place = named or folder
        absent = "" if place.is_dir() else " (no such folder)"
        raise MetricUnavailable(
            f"its weights are neither in {place}{absent} nor could they be downloaded ({error.reason}). Copy "
            f"{backbone.file} or {backbone.features_file} there, or pass --lpips-weights DIR."
        ) from error
    except OSError as error:
        raise MetricUnavailable(
            f"{error.filename or named or folder} cannot be read ({error.strerror or error}). Correct its "
            "permissions."
        ) from error


def stored_file(net: AnyNet) -> Path | None:
    """The file that the weights of a backbone would be read from, not verified; None where there is none."""
    cached = _cached(BACKBONES[net])
    places = (*_named(BACKBONES[net], weights_dir()), cached, cached.parent / BACKBONES[net].file)
    return next((path for path in places if path.is_file()), None)


def _named(backbone: Backbone, named: Path | None) -> tuple[Path, ...]:
    """Where a user's folder may have it."""
    places = () if named is None else (named, named / "lpips")
    return tuple(place / name for place in places for name in (backbone.file, backbone.features_file))


def _cached(backbone: Backbone) -> Path:
    return cache_dir() / "lpips" / backbone.features_file


def features_sha256(features: Mapping[str, Tensor]) -> str:
    """SHA-256 over sorted keys, shapes and float32 bytes: the same for every kind of file they came in."""
    digest = hashlib.sha256()
    for key in sorted(features):
        tensor = features[key].detach().to("cpu", torch.float32).contiguous()
        digest.update(f"{key} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.numpy().astype("<f4", copy=False).tobytes())
    return digest.hexdigest()


def _download(backbone: Backbone, url: str, cached: Path) -> dict[str, Tensor]:
    """Fetch the published file, keep its convolutional part in the cache, and drop the rest."""
    from safetensors.torch import save

    published = fetch(
        url.rstrip("/") + "/" + backbone.file,
        backbone.sha256,
        cached.parent / backbone.file,
        size_bytes=backbone.size_bytes,
    )
    features = _read_published(published, backbone)
    try:
        write_atomic(cached, save(features, {"features_sha256": features_sha256(features)}))
        published.unlink(missing_ok=True)
    except (StoreError, OSError) as error:
        _log.warning("%s cannot be written (%s); the next process reads %s.", cached, error, published)
    return features


def _read_published(path: Path, backbone: Backbone) -> dict[str, Tensor]:
    """The convolutional part of torchvision's own file, which is opened only once its hash is right."""
    found = sha256_file(path)
    if found != backbone.sha256:
        raise DamagedWeightsError(f"{path} is damaged (SHA-256 {found[:8]}…, not {backbone.sha256[:8]}…)")
    state = torch.load(path, map_location="cpu", weights_only=True)
    features = {key: value for key, value in state.items() if key.startswith("features.")}
    return _check(path, backbone, features)


def _read_features(path: Path, backbone: Backbone) -> dict[str, Tensor]:
    """A file of the convolutional part alone."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            features = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
            stated = (file.metadata() or {}).get("features_sha256")
    except (SafetensorError, OSError) as error:
        raise DamagedWeightsError(f"{path} is damaged ({error})") from error
    features = _check(path, backbone, features)
    if stated is not None and stated != features_sha256(features):
        raise DamagedWeightsError(f"{path} is damaged (its content differs from the hash stored with it)")
    return features


def _check(path: Path, backbone: Backbone, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The features as contiguous float32, if keys and shapes are the backbone's and all values finite."""
    from torchvision import models

    with torch.device("meta"):  # shapes without memory, and without a draw from the global generator
        network = models.get_model(backbone.name, weights=None)
    expected = {
        key: value.shape for key, value in network.state_dict().items() if key.startswith("features.")
    }
    for key in sorted(expected.keys() | features.keys()):
        wanted, given = expected.get(key), features[key].shape if key in features else None
        if wanted != given:
            raise DamagedWeightsError(
                f"{path} does not hold the features of {backbone.name}: {key} is "
                f"{_shape(given)} there and {_shape(wanted)} in the network"
            )
        if not features[key].isfinite().all():
            raise DamagedWeightsError(f"{path} is damaged ({key} holds values that are not finite)")
    return {key: value.to(torch.float32).contiguous() for key, value in features.items()}


def _shape(shape: torch.Size | None) -> str:
    return "missing" if shape is None else "×".join(map(str, shape))


def package_key(key: str) -> str:
    """The torchvision key of a parameter of the lpips package: `slice2.3.bias` is `features.3.bias`."""
    return re.sub(r"^slice\d+\.", "features.", key)
