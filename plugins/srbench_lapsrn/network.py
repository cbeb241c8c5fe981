"""LapSRN: a pyramid of ×2 levels, each adding a predicted residual to an upsampled picture.

Source: Lai, Huang, Ahuja and Yang, "Deep Laplacian Pyramid Networks for Fast and Accurate Super-Resolution",
CVPR 2017, doi:10.1109/CVPR.2017.618, in the form of the weights its authors released: transposed 3×3
convolutions for the features, and one set of convolutions a level.

Modules bear the authors' names, so `level2_conv1_f` and `_b` in their files are `level2_conv1.weight` and
`.bias` here. Their levels count down: level L ends 2^(L−1) below the full size, so the ×4 network runs level
2 (×2) before level 1 (×4), and level 1 is always the last.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2
"""Of the leaky ReLU after every convolution but the residual ones."""


def build(planes: int, scale: int, features: int = 64, depth: int = 10) -> nn.Module:
    """An untrained LapSRN; it equals its bilinear upsampling until the first step.

    Args:
        planes: of LR and SR; the authors' weights are for one.
        scale: 2, 4 or 8.
        features: channels of every hidden layer.
        depth: 3×3 convolutions a level before its upsampling.

    Returns:
        A module, LR `(N, planes, h, w)` → `{2: …, 4: …}` up to `scale`, each `(N, planes, h·s, w·s)`, not
        clamped.

    Raises:
        ValueError: the scale is none of the three, or a count is below 1.
    """
    if scale not in (2, 4, 8):
        raise ValueError(f"lapsrn doubles the picture once a level, so its scale is 2, 4 or 8, not {scale}")
    for name, count in (("planes", planes), ("features", features), ("depth", depth)):
        if count < 1:
            raise ValueError(f"lapsrn needs {name} of at least 1, not {count}")
    return LapSRN(planes, scale, features, depth)


class LapSRN(nn.Module):
    """The pyramid; see `build` for its arguments and result."""

    def __init__(self, planes: int, scale: int, features: int, depth: int) -> None:
        super().__init__()
        self.depth = depth
        self.levels = range(int(math.log2(scale)), 0, -1)
        self.input_conv = _conv(planes, features)
        for level in self.levels:
            for number in range(1, depth + 1):
                self.add_module(f"level{level}_conv{number}", _conv(features, features))
            self.add_module(f"level{level}_upconv", FeatureDoubling(features))
            residual_conv = nn.Conv2d(features, planes, 3, padding=1)
            # Zero, where the authors draw: training starts from plain upsampling, not from noise upon it.
            # The price is that the features get their first gradient one step later.
            nn.init.zeros_(residual_conv.weight)
            assert residual_conv.bias is not None
            nn.init.zeros_(residual_conv.bias)
            self.add_module(f"level{level}_residual_conv", residual_conv)
            self.add_module(f"level{level}_img_up", ImageDoubling(planes))

    def forward(self, lr: Tensor) -> dict[int, Tensor]:
        """LR `(N, planes, h, w)` in [0, 1] → SR at every level, coarse to fine."""
        prediction = {}
        image = lr
        features = F.leaky_relu(self.input_conv(lr), SLOPE, inplace=True)
        for done, level in enumerate(self.levels, start=1):
            for number in range(1, self.depth + 1):
                conv = self.get_submodule(f"level{level}_conv{number}")
                features = F.leaky_relu(conv(features), SLOPE, inplace=True)
            features = self.get_submodule(f"level{level}_upconv")(features)
            residual = self.get_submodule(f"level{level}_residual_conv")(features)
            image = self.get_submodule(f"level{level}_img_up")(image) + residual
            prediction[2**done] = image
        return prediction


class FeatureDoubling(nn.Module):
    """Transposed 3×3 convolution of stride 2, its last row and column dropped, and its leaky ReLU.

    `weight` is (in, out, 3, 3), as `nn.ConvTranspose2d` has it. It is applied as one 2×2 convolution that
    gives the four phases of the doubled picture, interleaved afterwards: a pixel of even row and column sees
    four taps, the others two, two and one. In bf16 on a CPU that takes 14 ms where PyTorch's transposed
    convolution takes 36 (forward and backward, 64 features, 16×16, batch 16, one thread, torch 2.14); in
    fp32 both take about 20.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(features, features, 3, 3))
        self.bias = nn.Parameter(torch.zeros(features))
        _draw(self.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Features `(N, C, h, w)` → `(N, C, 2h, 2w)`, channels_last."""
        batch, channels, height, width = features.shape
        phases = F.conv2d(F.pad(features, (1, 0, 1, 0)), self._phase_weight(), self.bias.repeat(4))
        # Before the interleaving: after it the gradient arrives in another memory format, and this one
        # function takes four times as long.
        phases = F.leaky_relu(phases, SLOPE, inplace=True)
        # (N, h, w, row phase, column phase, C) → (N, h, row phase, w, column phase, C): in channels_last C
        # stays innermost, so this is the one copy, and in whole runs.
        rows = phases.permute(0, 2, 3, 1).reshape(batch, height, width, 2, 2, channels).transpose(2, 3)
        return rows.reshape(batch, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)

    def _phase_weight(self) -> Tensor:
        """(row phase · column phase · out, in, 2, 2), of the weight (in, out, 3, 3).

        Output row 2i + p gets kernel row p from input row i, and kernel row p + 2 from input row i − 1; the
        padded fourth kernel row is zero. So a kernel index is 2·back + phase, and `back` flips into an index
        of the 2×2 window, which sees row i − 1 first.
        """
        features = len(self.bias)
        taps = F.pad(self.weight, (0, 1, 0, 1)).reshape(features, features, 2, 2, 2, 2).flip(2, 4)
        return taps.permute(3, 5, 1, 0, 2, 4).flatten(0, 2).contiguous(memory_format=torch.channels_last)


class ImageDoubling(nn.Module):
    """Transposed 4×4 convolution of stride 2 without bias, bilinear within each plane to begin with."""

    def __init__(self, planes: int) -> None:
        super().__init__()
        taps = torch.tensor([0.25, 0.75, 0.75, 0.25])
        self.weight = nn.Parameter(torch.eye(planes)[:, :, None, None] * torch.outer(taps, taps))

    def forward(self, image: Tensor) -> Tensor:
        """A picture `(N, planes, h, w)` → `(N, planes, 2h, 2w)`; beyond its edges it counts as black."""
        # In full precision: bf16 has 8 bits, so its rounding alone would be up to half a grey level, and
        # casting so few planes costs more than it saves.
        with torch.autocast(image.device.type, enabled=False):
            return F.conv_transpose2d(image, self.weight, stride=2, padding=1)


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    _draw(conv.weight)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv


def _draw(weight: Tensor) -> None:
    """Initialise as He et al. 2015 (doi:10.1109/ICCV.2015.123) for a leaky ReLU, as the paper does."""
    nn.init.kaiming_normal_(weight, a=SLOPE, nonlinearity="leaky_relu")
