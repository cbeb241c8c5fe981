"""RRDBNet: the generator of ESRGAN, residual in residual dense blocks.

Source: Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", ECCV Workshops 2018,
arXiv:1809.00219, section 3.1 and figure 4; enlargement and activations as in the authors' published code.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srbench_classics.arguments import check_counts, check_residual_scale
from srbench_classics.drawing import draw_he
from srbench_classics.upsampling import stages

SLOPE = 0.2
"""Of every leaky ReLU."""

SMALLER = 0.1
"""Factor on the drawn weights of dense blocks: the paper's "smaller initialization"."""


def build(
    planes: int,
    scale: int,
    blocks: int = 23,
    features: int = 64,
    growth: int = 32,
    residual_scale: float = 0.2,
) -> nn.Module:
    """An untrained RRDBNet; the defaults are the paper's.

    The dense blocks are drawn as He et al. 2015 do for ReLU, times 0.1, biases 0; other layers as PyTorch
    does.

    Args:
        planes: of LR and SR; the paper's are three.
        scale: 3 or a power of 2; the paper's is 4.
        blocks: residual in residual dense blocks, of three dense blocks each.
        features: channels between blocks.
        growth: channels that each of a dense block's first four convolutions adds.
        residual_scale: factor of each residual, the inner ones and the outer.

    Returns:
        A module, LR `(N, planes, h, w)` → SR `(N, planes, h·scale, w·scale)`, not clamped.

    Raises:
        ValueError: the scale is neither, a count is below 1, or the factor not above 0.
    """
    check_counts("rrdbnet", planes=planes, blocks=blocks, features=features, growth=growth)
    check_residual_scale("rrdbnet", residual_scale)
    return RRDBNet(planes, stages("rrdbnet", scale), blocks, features, growth, residual_scale)


class RRDBNet(nn.Module):
    """The network; see `build` for its arguments and result."""

    def __init__(
        self,
        planes: int,
        factors: list[int],
        blocks: int,
        features: int,
        growth: int,
        residual_scale: float,
    ) -> None:
        super().__init__()
        self.head = nn.Conv2d(planes, features, 3, padding=1)
        self.body = nn.Sequential(
            *(ResidualInResidual(features, growth, residual_scale) for _ in range(blocks)),
            nn.Conv2d(features, features, 3, padding=1),
        )
        self.enlarge = nn.Sequential(
            *(part for factor in factors for part in (nn.Upsample(scale_factor=factor), *_conv(features)))
        )
        self.tail = nn.Sequential(*_conv(features), nn.Conv2d(features, planes, 3, padding=1))

    def forward(self, lr: Tensor) -> Tensor:
        """LR in [0, 1] → SR."""
        x = self.head(lr)
        sr: Tensor = self.tail(self.enlarge(x + self.body(x)))
        return sr


class ResidualInResidual(nn.Module):
    """Three dense blocks, times a factor, on top of what came in."""

    def __init__(self, features: int, growth: int, residual_scale: float) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.residual = nn.Sequential(*(DenseBlock(features, growth, residual_scale) for _ in range(3)))

    def forward(self, x: Tensor) -> Tensor:
        """Features `(N, C, h, w)` → the same shape."""
        added: Tensor = x + self.residual_scale * self.residual(x)
        return added


class DenseBlock(nn.Module):
    """Five convolutions that each see what came in and all before them; the last one's result is added."""

    def __init__(self, features: int, growth: int, residual_scale: float) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.convs = nn.ModuleList(
            nn.Conv2d(features + number * growth, growth if number < 4 else features, 3, padding=1)
            for number in range(5)
        )
        for conv in self.convs:
            assert isinstance(conv, nn.Conv2d)
            draw_he(conv, factor=SMALLER)

    def forward(self, x: Tensor) -> Tensor:
        """Features `(N, C, h, w)` → the same shape."""
        seen = x
        for conv in self.convs[:-1]:
            seen = torch.cat([seen, F.leaky_relu(conv(seen), SLOPE, inplace=True)], dim=1)
        added: Tensor = x + self.residual_scale * self.convs[-1](seen)
        return added


def _conv(features: int) -> list[nn.Module]:
    return [nn.Conv2d(features, features, 3, padding=1), nn.LeakyReLU(SLOPE, inplace=True)]
