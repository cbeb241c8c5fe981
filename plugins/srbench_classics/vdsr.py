"""VDSR: twenty convolutions that predict what a bicubically enlarged picture lacks.

Source: Kim, Lee and Lee, "Accurate Image Super-Resolution Using Very Deep Convolutional Networks", CVPR
2016, arXiv:1511.04587, section 3.1, figure 2 and the residual learning of section 3.2.

The paper trains one network for ×2, ×3 and ×4 together. Here, as everywhere in srbench, each scale has its
own.
"""

import itertools

from torch import Tensor, nn

from srbench.api import resize_bicubic
from srbench_classics.arguments import check_counts, check_scale
from srbench_classics.drawing import draw_he


def build(planes: int, scale: int, layers: int = 20, features: int = 64) -> nn.Module:
    """An untrained VDSR.

    Args:
        planes: of LR and SR; the paper's is one, luma.
        scale: any whole number from 2.
        layers: 3×3 convolutions, the first and the last included; 2 or more.
        features: channels between them.

    Returns:
        A module, LR `(N, planes, h, w)` → SR `(N, planes, h·scale, w·scale)`, not clamped.

    Raises:
        ValueError: the scale or `layers` is below 2, or a count below 1.
    """
    check_scale("vdsr", scale)
    check_counts("vdsr", planes=planes, features=features)
    if layers < 2:
        raise ValueError(f"vdsr needs layers of at least 2, the first and the last, not {layers}")
    return VDSR(planes, scale, layers, features)


class VDSR(nn.Module):
    """The layers and the sum; see `build` for its arguments and result."""

    def __init__(self, planes: int, scale: int, layers: int, features: int) -> None:
        super().__init__()
        self.scale = scale
        channels = [planes, *[features] * (layers - 1), planes]
        parts: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(channels):
            conv = nn.Conv2d(inputs, outputs, 3, padding=1)
            draw_he(conv)  # section 5.2
            parts += [conv, nn.ReLU(inplace=True)]
        self.residual = nn.Sequential(*parts[:-1])

    def forward(self, lr: Tensor) -> Tensor:
        """LR in [0, 1] → SR: the enlarged picture and its predicted residual."""
        enlarged = resize_bicubic(lr, lr.shape[-2] * self.scale, lr.shape[-1] * self.scale)
        sr: Tensor = enlarged + self.residual(enlarged)
        return sr
