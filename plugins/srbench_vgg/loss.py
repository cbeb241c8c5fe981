"""The perceptual loss: distance of the features that a network trained on ImageNet has for two pictures."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor, nn

from srbench.api import SizeError, build_features, did_you_mean, find_weights

Net = Literal["vgg19", "vgg16", "squeeze", "alex"]
Distance = Literal["l1", "l2"]

_SRBENCH_NAMES: Mapping[Net, Literal["vgg19", "vgg", "squeeze", "alex"]] = {
    "vgg19": "vgg19", "vgg16": "vgg", "squeeze": "squeeze", "alex": "alex",
}  # fmt: skip
_LAYERS: Mapping[Net, str] = {"vgg19": "conv5_4", "vgg16": "conv5_3", "squeeze": "fire9", "alex": "conv5"}
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def vgg(
    net: Net = "vgg19", layers: str = "", distance: Distance = "l1"
) -> Callable[[Tensor, Tensor], Tensor]:
    """Weighted sum over layers of the mean distance between the features of SR and HR; 0 is perfect.

    On the recomposed RGB picture, at the full scale. Used beside a pixel loss, and mostly a critic
    (`l1+vgg+0.005*gan`).

    Args:
        net: torchvision's VGG19, VGG16, SqueezeNet 1.1 or AlexNet, trained on ImageNet.
        layers: names with weights, such as `"0.1*conv1_2+conv5_4"`, in quotes. In a VGG: `conv`, `relu` (5_4:
            fourth of block 5) and `pool`; in SqueezeNet: `conv1`, `relu1`, `pool1` to `pool3`, `fire2` to
            `fire9`; in AlexNet: `conv1` to `conv5`, `relu1` to `relu5`, `pool1` to `pool3`. Empty: the last
            convolution before its activation (conv5_4 of VGG19, fire9 of SqueezeNet).
        distance: `l1` as in ESRGAN, or `l2` (mean squared) as in SRGAN.

    Raises:
        ValueError: a layer is none of the network's, or a weight is no number above 0.
        SizeError: a patch is too small for the deepest layer.
        MetricUnavailable: no weights can be had.

    Source: Johnson et al. 2016, arXiv:1603.08155, equation 2; Ledig et al. 2017 (SRGAN), arXiv:1609.04802,
    equation 5; Wang et al. 2018 (ESRGAN), arXiv:1809.00219, section 3.3: features before activation.
    """
    weights = _parsed(layers or _LAYERS[net])
    of = _difference if distance == "l1" else _squared
    _network(net, tuple(weights), torch.device("cpu"))  # names and weights are looked for here

    def loss(sr: Tensor, hr: Tensor) -> Tensor:
        network = _network(net, tuple(weights), sr.device)
        with torch.autocast(sr.device.type, enabled=False):
            wanted = network(hr)
            found = network(sr)
        total = sr.new_zeros(())
        for name, weight in weights.items():
            total = total + weight * of(found[name], wanted[name]).mean()
        return total

    return loss


def facts(net: Net = "vgg19") -> dict[str, object]:
    """What a run that is trained by this loss depends on: the SHA-256 of the network's weights."""
    return {"weights_sha256": find_weights(_SRBENCH_NAMES[net], f"The loss vgg ({net})").sha256}


class Features(nn.Module):
    """A network up to its deepest layer that is asked for.

    Args:
        net: which network.
        layers: names of layers.

    Raises:
        ValueError: a name is none of the network's.
        MetricUnavailable: no weights can be had.
    """

    def __init__(self, net: Net, layers: tuple[str, ...]) -> None:
        super().__init__()
        network = build_features(_SRBENCH_NAMES[net], f"The loss vgg ({net})")
        self._names = layer_names(network, blocks=net.startswith("vgg"))
        for layer in layers:
            if layer not in self._names:
                raise ValueError(
                    f"layer {layer!r} is none of {net}'s.{did_you_mean(layer, self._names)} It has: "
                    f"{', '.join(self._names)}"
                )
        self._asked, self._net = frozenset(layers), net
        self.layers = network[: 1 + max(self._names.index(layer) for layer in layers)]
        self.mean = nn.Buffer(torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.deviation = nn.Buffer(torch.tensor(_DEVIATION).view(1, 3, 1, 1))

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        """RGB `(N, 3, H, W)` in [0, 1] → features by layer."""
        if picture.shape[1] != 3:
            raise ValueError(f"vgg takes RGB (N, 3, H, W), not {tuple(picture.shape)}")
        features = (picture.float() - self.mean) / self.deviation
        found = {}
        for name, layer in zip(self._names, self.layers, strict=False):
            if min(features.shape[-2:]) < _smallest(layer):
                height, width = picture.shape[-2:]
                raise SizeError(
                    f"vgg with net={self._net} needs more pixels for its layer {name} than {width}×{height}"
                )
            features = layer(features)
            if name in self._asked:
                found[name] = features
        return found


def layer_names(network: nn.Sequential, *, blocks: bool) -> list[str]:
    """A name for each layer, counted from 1: `conv5_4` with `blocks` that end in a pooling, else `conv5`."""
    names = []
    counts = {"conv": 0, "pool": 0}
    in_block = 0
    for module in network:
        if isinstance(module, nn.MaxPool2d):
            counts["pool"] += 1
            in_block = 0
            names.append(f"pool{counts['pool']}")
            continue
        if not isinstance(module, nn.ReLU):
            counts["conv"] += 1
            in_block += 1
        place = f"{counts['pool'] + 1}_{in_block}" if blocks else f"{counts['conv']}"
        kind = {nn.ReLU: "relu", nn.Conv2d: "conv"}.get(type(module), "fire")
        names.append(kind + place)
    return names


@lru_cache(maxsize=4)
def _network(net: Net, layers: tuple[str, ...], device: torch.device) -> Features:
    """One for all instances: it is never trained, and no part of a checkpoint."""
    network = Features(net, layers).requires_grad_(False).eval().to(device)
    return network.to(memory_format=torch.channels_last)


def _parsed(text: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for part in text.split("+"):
        factor, _, name = part.strip().rpartition("*")
        try:
            weight = float(factor) if factor else 1.0
        except ValueError as error:
            raise ValueError(f"layers={text!r}: {factor!r} is no number") from error
        if not 0 < weight < float("inf"):
            raise ValueError(f"layers={text!r}: {factor!r} is no number above 0")
        weights[name.strip()] = weights.get(name.strip(), 0.0) + weight
    return weights


def _smallest(layer: nn.Module) -> int:
    """The side that a layer needs: its kernel's, unless it is padded."""
    if isinstance(layer, nn.MaxPool2d):
        assert isinstance(layer.kernel_size, int)
        return 2 if layer.ceil_mode else layer.kernel_size
    if isinstance(layer, nn.Conv2d):
        assert isinstance(layer.padding, tuple)
        return max(layer.kernel_size[0] - 2 * layer.padding[0], 1)
    return 1


def _difference(found: Tensor, wanted: Tensor) -> Tensor:
    return (found - wanted).abs()


def _squared(found: Tensor, wanted: Tensor) -> Tensor:
    return (found - wanted).square()
