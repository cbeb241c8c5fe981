"""Bicubic upsampling as a model: the row every other row is read against."""

from torch import Tensor, nn

from srbench.api import resize_bicubic


def build(planes: int, scale: int) -> nn.Module:
    """Bicubic upsampling of LR, without parameters.

    Args:
        planes: of LR and SR; each is resized by itself.
        scale: any whole number from 2.

    Returns:
        A module, LR `(N, planes, h, w)` → SR at every divisor of `scale` from 2, each
        `(N, planes, h·s, w·s)`, neither clamped nor rounded: ×4 gives {2, 4}, ×6 gives {2, 3, 6}. So it has
        a score beside every inner output of a network of that run scale.

    Raises:
        ValueError: the scale is below 2, or `planes` below 1.

    Source: Keys 1981, doi:10.1109/TASSP.1981.1163711, a = −0.5, as MATLAB's `imresize` has it.
    """
    if scale < 2:
        raise ValueError(f"bicubic needs a scale of at least 2, not {scale}")
    if planes < 1:
        raise ValueError(f"bicubic needs planes of at least 1, not {planes}")
    return Bicubic(scale)


class Bicubic(nn.Module):
    """The upsampling; see `build` for its argument and result."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scales = [divisor for divisor in range(2, scale + 1) if scale % divisor == 0]

    def forward(self, lr: Tensor) -> dict[int, Tensor]:
        """LR `(N, C, h, w)` in [0, 1] → SR by scale; overshoots at edges leave the range."""
        height, width = lr.shape[-2:]
        return {scale: resize_bicubic(lr, height * scale, width * scale) for scale in self.scales}
