"""The networks of ST-LPIPS: AlexNet and VGG16 in which every stride is one of a blur."""

from collections.abc import Iterator, Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad


class Blur(nn.Module):
    """A 3×3 binomial window at every second pixel, on a picture mirrored by 2 pixels at each side."""

    def __init__(self) -> None:
        super().__init__()
        line = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.window = nn.Buffer(line.outer(line).view(1, 1, 3, 3), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, ⌊(H + 3) / 2⌋, ⌊(W + 3) / 2⌋), of sides above 2."""
        channels = x.shape[1]
        window = self.window.expand(channels, 1, 3, 3)
        return conv2d(pad(x, (2, 2, 2, 2), mode="reflect"), window, stride=2, groups=channels)


class Network(nn.Module):
    """Distance of the unit feature vectors of two pictures at five depths, weighted by channel.

    Args:
        net: `alex` or `vgg`.
        state: the weights as published: `scaling_layer`, `net` and the five linear layers.
    """

    def __init__(self, net: Literal["alex", "vgg"], state: Mapping[str, Tensor]) -> None:
        super().__init__()
        layers = _alex() if net == "alex" else _vgg()
        self.stages = nn.ModuleList(nn.Sequential(*stage) for stage in layers)
        # The published keys count layers throughout: `net.slice2.5.weight`. The order is that of our layers.
        published = [
            (state[f"{key}.weight"], state[f"{key}.bias"])
            for key in sorted(
                (key.removesuffix(".bias") for key in state if key.endswith(".bias")),
                key=lambda key: int(key.rpartition(".")[2]),
            )
        ]
        convolutions = [layer for layer in self.modules() if isinstance(layer, nn.Conv2d)]
        for layer, (weight, bias) in zip(convolutions, published, strict=True):
            layer.load_state_dict({"weight": weight, "bias": bias})
        self.shift = nn.Buffer(state["scaling_layer.shift"])
        self.scale = nn.Buffer(state["scaling_layer.scale"])
        self.channels = nn.ParameterList(
            state[f"lin{depth}.model.1.weight"].flatten().double() for depth in range(5)
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Two pictures (1, 3, H, W) in [−1, 1] → their distance, in float64."""
        x, y = ((picture - self.shift) / self.scale for picture in (x, y))
        total = torch.zeros((), dtype=torch.float64, device=x.device)
        for stage, weights in zip(self.stages, self.channels, strict=True):
            x, y = stage(x), stage(y)
            apart = (_unit(x) - _unit(y)).square().mean((0, 2, 3), dtype=torch.float64)
            total = total + (weights * apart).sum()
        return total


def _alex() -> Iterator[list[nn.Module]]:
    yield [nn.Conv2d(3, 64, 11, padding=2), Blur(), nn.ReLU()]
    yield [nn.MaxPool2d(3, stride=1), Blur(), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU()]
    yield [nn.MaxPool2d(3, stride=1), Blur(), nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()]
    yield [nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()]
    yield [nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()]


def _vgg() -> Iterator[list[nn.Module]]:
    planes = 3
    for number, (features, depth) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))):
        stage: list[nn.Module] = [nn.MaxPool2d(2, stride=1), Blur()] if number else []
        for _ in range(depth):
            stage += [nn.Conv2d(planes, features, 3, padding=1), nn.ReLU()]
            planes = features
        yield stage


def _unit(features: Tensor) -> Tensor:
    """Each pixel's features as a vector of length 1."""
    return features / (features.square().sum(1, keepdim=True).sqrt() + 1e-10)
