"""FSRCNN: shrink the features, map them at low resolution, expand, and enlarge by a transposed convolution.

Source: Dong, Loy and Tang, "Accelerating the Super-Resolution Convolutional Neural Network", ECCV 2016,
arXiv:1608.00367, section 3.2 and figure 2.
"""

from torch import Tensor, nn

from srbench_classics.arguments import check_counts, check_scale
from srbench_classics.drawing import draw_he, draw_normal

SLOPE = 0.25
"""That each PReLU begins with, one a channel (He et al. 2015, doi:10.1109/ICCV.2015.123)."""


SIDE = 9
"""Of the filters of the transposed convolution."""


def build(planes: int, scale: int, d: int = 56, s: int = 12, m: int = 4) -> nn.Module:
    """An untrained FSRCNN(d, s, m), in the paper's letters; `d=32,s=5,m=1` is its FSRCNN-s.

    Args:
        planes: of LR and SR; the paper's is one, luma.
        scale: from 2 to 9; only the stride of the last layer depends on it.
        d: channels of the LR features.
        s: channels they are shrunk to.
        m: 3×3 mapping layers.

    Returns:
        A module, LR `(N, planes, h, w)` → SR `(N, planes, h·scale, w·scale)`, not clamped.

    Raises:
        ValueError: the scale is not between 2 and 9, or a count below 1.
    """
    check_scale("fsrcnn", scale)
    if scale > SIDE:
        raise ValueError(f"fsrcnn enlarges by filters of {SIDE}×{SIDE}, which leave gaps at ×{scale}")
    check_counts("fsrcnn", planes=planes, d=d, s=s, m=m)
    return FSRCNN(planes, scale, d, s, m)


class FSRCNN(nn.Module):
    """The layers in the paper's order; see `build` for their arguments and result."""

    def __init__(self, planes: int, scale: int, d: int, s: int, m: int) -> None:
        super().__init__()
        sides = [5, 1, *[3] * m, 1]
        inputs = [planes, d, *[s] * (m + 1)]
        outputs = [*inputs[1:], d]
        layers: list[nn.Module] = []
        for side, one, other in zip(sides, inputs, outputs, strict=True):
            conv = nn.Conv2d(one, other, side, padding=side // 2)
            draw_he(conv, SLOPE)
            layers += [conv, nn.PReLU(other, SLOPE)]
        self.features = nn.Sequential(*layers)
        # The authors pad by 4 and lose the outer pixels: 3h − 2 of 3h at ×3. Cutting less keeps them, with
        # every filter still around the middle of its LR pixel; at even scales, half an SR pixel before it.
        cut = (SIDE + 1 - scale) // 2
        self.deconvolution = nn.ConvTranspose2d(
            d, planes, SIDE, stride=scale, padding=cut, output_padding=2 * cut - SIDE + scale
        )
        # Section 4.1: He et al. for PReLU, and for the last layer SRCNN's distribution.
        draw_normal(self.deconvolution, 0.001)

    def forward(self, lr: Tensor) -> Tensor:
        """LR in [0, 1] → SR."""
        sr: Tensor = self.deconvolution(self.features(lr))
        return sr
