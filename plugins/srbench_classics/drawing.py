"""How convolutions begin where a paper says so; where none does, they are left as PyTorch draws them."""

import torch
from torch import nn

Convolution = nn.Conv2d | nn.ConvTranspose2d


def draw_normal(conv: Convolution, deviation: float) -> None:
    """Weights from a normal distribution around 0, biases 0."""
    nn.init.normal_(conv.weight, std=deviation)
    _no_bias(conv)


def draw_he(conv: Convolution, slope: float = 0.0, factor: float = 1.0) -> None:
    """Weights as He et al. 2015 (doi:10.1109/ICCV.2015.123) for a ReLU of that slope below 0, biases 0.

    Args:
        conv: its weights are drawn anew.
        slope: 0 is the plain ReLU.
        factor: on the drawn weights.
    """
    nn.init.kaiming_normal_(conv.weight, a=slope, nonlinearity="leaky_relu")
    with torch.no_grad():
        conv.weight.mul_(factor)
    _no_bias(conv)


def _no_bias(conv: Convolution) -> None:
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
