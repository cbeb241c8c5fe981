"""LPIPS as a loss: how far two pictures look apart to a network that was trained on people's judgements."""

from typing import Literal

from torch import Tensor

from srbench.api import lpips_distance
from srbench_losses.pixel import Loss


def lpips(net: Literal["alex", "vgg", "squeeze"] = "vgg") -> Loss:
    """Mean LPIPS of the batch, on the recomposed RGB picture; 0 is perfect.

    Used beside a pixel loss (`charbonnier+0.1*lpips`), since colours and tones alone hardly move it. A run
    that is trained on the very network it is scored by flatters itself: score it by another.

    Args:
        net: backbone. `vgg` is the one its authors advise for training; `alex`, which scores by default, and
            `squeeze` are smaller.

    Raises:
        SizeError: patches are smaller than the backbone can take (31 pixels for alex, 16 vgg, 17 squeeze).

    Source: Zhang et al. 2018, arXiv:1801.03924.
    """

    def loss(sr: Tensor, hr: Tensor) -> Tensor:
        distance: Tensor = lpips_distance(sr, hr, net)
        return distance.mean()

    return loss
