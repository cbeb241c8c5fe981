"""EDSR: residual blocks without batch normalisation, and one long skip around them.

Source: Lim, Son, Kim, Nah and Lee, "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPR
Workshops 2017, arXiv:1707.02921, sections 3.1 to 3.3, figures 2c and 3, table 1.
"""

import torch
from torch import Tensor, nn

from srbench_classics.arguments import check_counts, check_residual_scale
from srbench_classics.upsampling import shuffled, stages

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)
"""Of red, green and blue over DIV2K's training pictures, as the authors' published code has it."""


def build(
    planes: int, scale: int, blocks: int = 16, features: int = 64, residual_scale: float = 1.0
) -> nn.Module:
    """An untrained EDSR; the defaults are the paper's baseline, initialised as PyTorch does.

    `blocks=32,features=256,residual_scale=0.1` is the full network of the paper. With three planes the mean
    of DIV2K is subtracted from LR and added to SR, as in the paper; with one plane nothing is. The authors'
    code computes in [0, 255], this one in [0, 1]: biases apart, which would be 255 times smaller, the two
    are the same function.

    Args:
        planes: of LR and SR; the paper's are three.
        scale: 3 or a power of 2; the paper's are 2, 3 and 4.
        blocks: residual blocks.
        features: channels of every hidden layer.
        residual_scale: factor of each block's residual.

    Returns:
        A module, LR `(N, planes, h, w)` → SR `(N, planes, h·scale, w·scale)`, not clamped.

    Raises:
        ValueError: the scale is neither, a count is below 1, or the factor not above 0.
    """
    check_counts("edsr", planes=planes, blocks=blocks, features=features)
    check_residual_scale("edsr", residual_scale)
    return EDSR(planes, stages("edsr", scale), blocks, features, residual_scale)


class EDSR(nn.Module):
    """The network; see `build` for its arguments and result."""

    mean: Tensor

    def __init__(
        self, planes: int, factors: list[int], blocks: int, features: int, residual_scale: float
    ) -> None:
        super().__init__()
        mean = DIV2K_MEAN if planes == 3 else (0.0,) * planes
        # A constant, so it is in no weights file.
        self.register_buffer("mean", torch.tensor(mean).view(1, planes, 1, 1), persistent=False)
        self.head = nn.Conv2d(planes, features, 3, padding=1)
        self.body = nn.Sequential(
            *(ResidualBlock(features, residual_scale) for _ in range(blocks)),
            nn.Conv2d(features, features, 3, padding=1),
        )
        self.enlarge = nn.Sequential(*(part for factor in factors for part in shuffled(features, factor)))
        self.tail = nn.Conv2d(features, planes, 3, padding=1)

    def forward(self, lr: Tensor) -> Tensor:
        """LR in [0, 1] → SR."""
        x = self.head(lr - self.mean)
        sr: Tensor = self.tail(self.enlarge(x + self.body(x))) + self.mean
        return sr


class ResidualBlock(nn.Module):
    """Convolution, ReLU, convolution, times a factor, on top of what came in (figure 2c)."""

    def __init__(self, features: int, residual_scale: float) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.residual = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(features, features, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features `(N, C, h, w)` → the same shape."""
        added: Tensor = x + self.residual_scale * self.residual(x)
        return added
