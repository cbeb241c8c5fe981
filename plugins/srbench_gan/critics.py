"""The networks that judge pictures: one of patches, one of single pixels."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

_SLOPE = 0.2


class PatchCritic(nn.Module):
    """One logit for each patch of 70×70 pixels, every 8 pixels; RGB `(N, 3, H, W)` in [0, 1].

    Spectral normalisation stands in place of batch normalisation, so that each picture is judged by itself.

    Args:
        features: channels of the first layer; later ones have 2, 4 and 8 times as many.

    Source: Isola et al. 2017, arXiv:1611.07004, appendix 6.1.2; Miyato et al. 2018, arXiv:1802.05957.
    """

    smallest = 24
    """Pixels a side that it needs."""

    def __init__(self, features: int) -> None:
        super().__init__()
        widths = [3, features, 2 * features, 4 * features, 8 * features]
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(pairwise(widths)):
            convolution = nn.Conv2d(before, after, 4, 2 if number < 3 else 1, padding=1)
            layers += [spectral_norm(convolution) if number else convolution, nn.LeakyReLU(_SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, padding=1))

    def forward(self, picture: Tensor) -> Tensor:
        """`(N, 3, H, W)` → logits `(N, 1, H/8 − 2, W/8 − 2)`."""
        logits: Tensor = self.layers(picture)
        return logits


class UNetCritic(nn.Module):
    """One logit a pixel, from a U-Net; RGB `(N, 3, H, W)` in [0, 1].

    Steps up are by nearest neighbour, where the paper's are bilinear: those have no deterministic gradient
    on a GPU.

    Args:
        features: channels at full size; at 1/2, 1/4 and 1/8 there are 2, 4 and 8 times as many.

    Source: Wang et al. 2021 (Real-ESRGAN), arXiv:2107.10833, section 3.3; Schönfeld et al. 2020,
    arXiv:2002.12655.
    """

    smallest = 8
    """Pixels a side that it needs."""

    def __init__(self, features: int) -> None:
        super().__init__()
        widths = [features, 2 * features, 4 * features, 8 * features]
        self.first = nn.Conv2d(3, features, 3, padding=1)
        self.down = nn.ModuleList(
            spectral_norm(nn.Conv2d(before, after, 4, 2, padding=1, bias=False))
            for before, after in pairwise(widths)
        )
        self.up = nn.ModuleList(
            spectral_norm(nn.Conv2d(after, before, 3, padding=1, bias=False))
            for before, after in reversed(list(pairwise(widths)))
        )
        self.same = nn.ModuleList(
            spectral_norm(nn.Conv2d(features, features, 3, padding=1, bias=False)) for _ in range(2)
        )
        self.last = nn.Conv2d(features, 1, 3, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        """`(N, 3, H, W)` → logits `(N, 1, H, W)`."""
        levels = [F.leaky_relu(self.first(picture), _SLOPE)]
        for layer in self.down:
            levels.append(F.leaky_relu(layer(levels[-1]), _SLOPE))
        features = levels.pop()
        for layer in self.up:
            skip = levels.pop()
            larger = F.interpolate(features, size=skip.shape[-2:], mode="nearest")
            features = F.leaky_relu(layer(larger), _SLOPE) + skip
        for layer in self.same:
            features = F.leaky_relu(layer(features), _SLOPE)
        logits: Tensor = self.last(features)
        return logits
