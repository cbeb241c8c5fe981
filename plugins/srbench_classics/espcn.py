"""ESPCN: three convolutions at low resolution, and pixels from channels at the very end.

Source: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
Convolutional Neural Network", CVPR 2016, arXiv:1609.05158, section 2 (equations 1 to 4) and section 3.2.
"""

from torch import nn

from srbench_classics.arguments import check_counts, check_scale


def build(planes: int, scale: int, n1: int = 64, n2: int = 32) -> nn.Module:
    """An untrained ESPCN, 5-3-3 with tanh, as the paper's; its initialisation is PyTorch's.

    Args:
        planes: of LR and SR; the paper's is one, luma.
        scale: any whole number from 2.
        n1: channels after the 5×5 convolution.
        n2: channels after the first 3×3 convolution.

    Returns:
        A module, LR `(N, planes, h, w)` → SR `(N, planes, h·scale, w·scale)`, not clamped.

    Raises:
        ValueError: the scale is below 2, or a count below 1.
    """
    check_scale("espcn", scale)
    check_counts("espcn", planes=planes, n1=n1, n2=n2)
    return nn.Sequential(
        nn.Conv2d(planes, n1, 5, padding=2),
        nn.Tanh(),
        nn.Conv2d(n1, n2, 3, padding=1),
        nn.Tanh(),
        nn.Conv2d(n2, planes * scale**2, 3, padding=1),
        nn.PixelShuffle(scale),
    )
