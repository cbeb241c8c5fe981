"""How a scale is cut into stages, and the stage of convolution and pixel shuffle."""

from torch import nn


def stages(model: str, scale: int) -> list[int]:
    """The factors that are applied in turn: doublings, or ×3 at once.

    Args:
        model: whose scale it is, for the message.
        scale: 3 or a power of 2.

    Raises:
        ValueError: it is neither.
    """
    if scale == 3:
        return [3]
    if scale < 2 or scale & (scale - 1):
        raise ValueError(
            f"{model} enlarges by 3 or by doublings, so its scale is 3 or a power of 2, not {scale}"
        )
    return [2] * (scale.bit_length() - 1)


def shuffled(features: int, factor: int) -> list[nn.Module]:
    """A 3×3 convolution to `factor`² times the channels, which become `factor`² times the pixels.

    Source: Shi et al. 2016, arXiv:1609.05158, section 2.2.
    """
    return [nn.Conv2d(features, features * factor**2, 3, padding=1), nn.PixelShuffle(factor)]
