"""SRResNet: the generator of SRGAN, trained for pixels alone.

Source: Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network",
CVPR 2017, arXiv:1609.04802, section 2.1.1 and figure 4.
"""

from torch import Tensor, nn

from srbench_classics.arguments import check_counts
from srbench_classics.upsampling import shuffled, stages


def build(
    planes: int, scale: int, blocks: int = 16, features: int = 64, batch_norm: bool = True
) -> nn.Module:
    """An untrained SRResNet, initialised as PyTorch does.

    Each PReLU has a slope a channel, as in He et al. 2015, which the paper cites. The paper trains for
    pictures in [−1, 1]; here they are in [0, 1], and the last layer makes up for it.

    Args:
        planes: of LR and SR; the paper's are three.
        scale: 3 or a power of 2; the paper's is 4.
        blocks: residual blocks.
        features: channels of every hidden layer.
        batch_norm: normalise in the blocks and after them, as the paper does.

    Returns:
        A module, LR `(N, planes, h, w)` → SR `(N, planes, h·scale, w·scale)`, not clamped.

    Raises:
        ValueError: the scale is neither, or a count below 1.
    """
    check_counts("srresnet", planes=planes, blocks=blocks, features=features)
    return SRResNet(planes, stages("srresnet", scale), blocks, features, batch_norm)


class SRResNet(nn.Module):
    """The network; see `build` for its arguments and result."""

    def __init__(self, planes: int, factors: list[int], blocks: int, features: int, batch_norm: bool) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(planes, features, 9, padding=4), nn.PReLU(features))
        self.body = nn.Sequential(
            *(ResidualBlock(features, batch_norm) for _ in range(blocks)), *_conv(features, batch_norm)
        )
        self.enlarge = nn.Sequential(
            *(part for factor in factors for part in (*shuffled(features, factor), nn.PReLU(features)))
        )
        self.tail = nn.Conv2d(features, planes, 9, padding=4)

    def forward(self, lr: Tensor) -> Tensor:
        """LR in [0, 1] → SR."""
        x = self.head(lr)
        sr: Tensor = self.tail(self.enlarge(x + self.body(x)))
        return sr


class ResidualBlock(nn.Module):
    """Convolution, PReLU, convolution, each convolution normalised, on top of what came in."""

    def __init__(self, features: int, batch_norm: bool) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *_conv(features, batch_norm), nn.PReLU(features), *_conv(features, batch_norm)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features `(N, C, h, w)` → the same shape."""
        added: Tensor = x + self.residual(x)
        return added


def _conv(features: int, batch_norm: bool) -> list[nn.Module]:
    conv = nn.Conv2d(features, features, 3, padding=1)
    return [conv, nn.BatchNorm2d(features)] if batch_norm else [conv]
