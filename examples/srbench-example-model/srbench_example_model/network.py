"""A network that trains with three branches a layer, and is used with one convolution in their place.

Each layer is the sum of a 3×3 convolution, a 1×1 convolution and the picture itself. All are linear, so that
one 3×3 convolution does the same: `Network.deployed` returns the network made of those. Training has the
branches, and what is used afterwards costs as much as a plain chain of convolutions.

Source: Ding et al. 2021, arXiv:2101.03697, section 3.3, without batch norm.
"""

import copy

import torch
from torch import Tensor, nn


def build(planes: int, scale: int, features: int = 24, layers: int = 4) -> nn.Module:
    """An untrained network.

    Args:
        planes: of LR and SR, 3 or 1.
        scale: the factor.
        features: channels of the hidden layers, from 1.
        layers: of three branches each, from 1.

    Returns:
        LR `(N, planes, h, w)` in [0, 1] → SR `(N, planes, h·scale, w·scale)`, not clamped.

    Raises:
        ValueError: a count is below 1.
    """
    if features < 1 or layers < 1:
        raise ValueError(f"features={features} and layers={layers} must be 1 or more")
    return Network(planes, scale, features, layers)


class Branches(nn.Module):
    """3×3 + 1×1 + identity, `(N, features, h, w)` → the same shape."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.wide = nn.Conv2d(features, features, 3, padding=1)
        self.narrow = nn.Conv2d(features, features, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The sum of the three."""
        wide: Tensor = self.wide(x)
        narrow: Tensor = self.narrow(x)
        return wide + narrow + x

    @torch.no_grad()
    def folded(self) -> nn.Conv2d:
        """The one convolution that does the same."""
        one = copy.deepcopy(self.wide)
        middle = one.weight[:, :, 1, 1]
        middle += self.narrow.weight[:, :, 0, 0]
        middle += torch.eye(len(middle), dtype=middle.dtype, device=middle.device)
        return one


class Network(nn.Module):
    """The whole; see `build` for its arguments and result."""

    def __init__(self, planes: int, scale: int, features: int, layers: int) -> None:
        super().__init__()
        self.scale = scale
        self.first = nn.Conv2d(planes, features, 3, padding=1)
        self.body = nn.ModuleList(Branches(features) for _ in range(layers))
        self.last = nn.Conv2d(features, planes * scale**2, 3, padding=1)
        self.enlarge = nn.PixelShuffle(scale)

    def forward(self, lr: Tensor) -> Tensor:
        """LR → SR: what is learnt is the difference from LR's pixels, each repeated."""
        x = self.first(lr)
        for layer in self.body:
            x = layer(torch.relu(x))
        repeated = lr.repeat_interleave(self.scale**2, dim=1)
        sr: Tensor = self.enlarge(repeated + self.last(torch.relu(x)))
        return sr

    def deployed(self) -> nn.Module:
        """A copy with a single convolution a layer, whose cost `srbench table --cost` measures."""
        network = copy.deepcopy(self)
        network.body = nn.ModuleList(
            layer.folded() if isinstance(layer, Branches) else layer for layer in network.body
        )
        return network
