"""SRCNN: three convolutions that sharpen a bicubically enlarged picture.

Source: Dong, Loy, He and Tang, "Image Super-Resolution Using Deep Convolutional Networks", TPAMI 2016,
arXiv:1501.00092, section 3.1 (equations 1 to 3); initialisation from section 3.3.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from srbench.api import resize_bicubic
from srbench_classics.arguments import check_counts, check_scale
from srbench_classics.drawing import draw_normal

DEVIATION = 0.001
"""Of the normal distribution that weights are drawn from."""


def build(
    planes: int, scale: int, f1: int = 9, f2: int = 1, f3: int = 5, n1: int = 64, n2: int = 32
) -> nn.Module:
    """An untrained SRCNN; the defaults are the paper's 9-1-5, and `f2=5` gives its larger 9-5-5.

    Args:
        planes: of LR and SR; the paper's is one, luma.
        scale: any whole number from 2.
        f1: side of the filters that extract patches.
        f2: side of the filters of the non-linear mapping.
        f3: side of the filters that reconstruct.
        n1: channels after the first layer.
        n2: channels after the second layer.

    Returns:
        A module, LR `(N, planes, h, w)` → SR `(N, planes, h·scale, w·scale)`, not clamped.

    Raises:
        ValueError: the scale is below 2, a count below 1, or a side of filters even.
    """
    check_scale("srcnn", scale)
    check_counts("srcnn", planes=planes, f1=f1, f2=f2, f3=f3, n1=n1, n2=n2)
    for name, side in (("f1", f1), ("f2", f2), ("f3", f3)):
        if side % 2 == 0:
            raise ValueError(f"srcnn needs filters with a middle, so an odd {name}, not {side}")
    return SRCNN(planes, scale, (f1, f2, f3), (n1, n2))


class SRCNN(nn.Module):
    """The three layers; see `build` for their arguments and result."""

    def __init__(
        self, planes: int, scale: int, sides: tuple[int, int, int], channels: tuple[int, int]
    ) -> None:
        super().__init__()
        self.scale = scale
        self.margin = sum(side // 2 for side in sides)
        self.extract = nn.Conv2d(planes, channels[0], sides[0])
        self.map = nn.Conv2d(channels[0], channels[1], sides[1])
        self.reconstruct = nn.Conv2d(channels[1], planes, sides[2])
        for conv in (self.extract, self.map, self.reconstruct):
            draw_normal(conv, DEVIATION)

    def forward(self, lr: Tensor) -> Tensor:
        """LR in [0, 1] → SR of all its pixels."""
        enlarged = resize_bicubic(lr, lr.shape[-2] * self.scale, lr.shape[-1] * self.scale)
        # The paper's convolutions have no padding, so that borders do not mislead training. The picture is
        # continued by its edge pixels instead, once, as far as the three layers see.
        x = F.pad(enlarged, [self.margin] * 4, mode="replicate")
        x = F.relu(self.extract(x), inplace=True)
        x = F.relu(self.map(x), inplace=True)
        sr: Tensor = self.reconstruct(x)
        return sr
