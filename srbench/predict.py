"""Networks + LR picture → prediction: planes taken apart, upscaled, and put together again."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srbench.errors import UsageError
from srbench.images.colour import rgb_to_y, rgb_to_ycbcr, ycbcr_to_rgb
from srbench.images.resize import resize_bicubic
from srbench.types import Channels, Plane

if TYPE_CHECKING:
    from srbench.types import Prediction

Networks = Mapping[Plane, nn.Module]
"""What is trained or scored: one network (`rgb`, `y`, or a plane), or three (`r`, `g`, `b`)."""


def plane_of(rgb: Tensor, plane: Plane) -> Tensor:
    """What the network of `plane` sees of an RGB picture `(N, 3, H, W)`: (N, 3, H, W) or (N, 1, H, W)."""
    if plane == "rgb":
        return rgb
    if plane == "y":
        return rgb_to_y(rgb)
    number = ("r", "g", "b").index(plane)
    return rgb[:, number : number + 1]


def as_prediction(output: "Tensor | Prediction", run_scale: int) -> "Prediction":
    """A network's output as scale → SR; a network that returns a tensor means its run scale."""
    return output if isinstance(output, dict) else {run_scale: output}


def compose(channels: Channels, planes: "Mapping[Plane, Prediction]", lr_rgb: Tensor) -> "Prediction":
    """The networks' predictions put together to RGB pictures, differentiably.

    `r,g,b` stacks the three; `y` takes chroma from bicubically upsampled LR; a single plane stays one.

    Args:
        channels: of the run.
        planes: prediction of each network.
        lr_rgb: the LR picture, (N, 3, h, w) in [0, 1].
    """
    if channels == "r,g,b":
        return {
            scale: torch.cat([planes["r"][scale], planes["g"][scale], planes["b"][scale]], dim=1)
            for scale in planes["r"]
        }
    (prediction,) = planes.values()
    if channels != "y":
        return prediction
    chroma = rgb_to_ycbcr(lr_rgb)[:, 1:]
    return {
        scale: ycbcr_to_rgb(torch.cat([sr_y, resize_bicubic(chroma, *sr_y.shape[-2:])], dim=1))
        for scale, sr_y in prediction.items()
    }


@torch.no_grad()
def predicted_scales(
    networks: Networks, run_scale: int, size_multiple: int, device: torch.device
) -> list[int]:
    """The scales the networks predict, ascending, found by asking one of them once.

    Raises:
        UsageError: the run scale is not among them, or another is not its divisor: a fault of the plugin.
    """
    plane, network = next(iter(networks.items()))
    side = 8 * size_multiple
    training = network.training
    output = network.eval()(torch.zeros(1, 3 if plane == "rgb" else 1, side, side, device=device))
    network.train(training)
    scales = sorted(as_prediction(output, run_scale))
    if run_scale not in scales or any(run_scale % scale for scale in scales):
        raise UsageError(
            f"The model predicts the scales {scales} where its run scale is {run_scale}. It must predict "
            "that one, and beside it only its divisors; this is a fault of its plugin."
        )
    return scales


@torch.no_grad()
def predict(
    networks: Networks, channels: Channels, lr_rgb: Tensor, run_scale: int, size_multiple: int = 1
) -> "Prediction":
    """SR pictures of a whole LR picture, at every scale the networks predict; fp32, not clamped.

    Args:
        networks: in evaluation mode, on the device of `lr_rgb`.
        channels: of the run.
        lr_rgb: (1, 3, h, w) in [0, 1].
        run_scale: full factor of the networks.
        size_multiple: LR is padded at bottom and right to a multiple of this, by reflection where it is
            large enough; the SR pictures are cut back.

    Returns:
        scale → (1, 3, h·scale, w·scale) RGB; one plane for a run of a single plane.
    """
    height, width = lr_rgb.shape[-2:]
    pad = (0, -width % size_multiple, 0, -height % size_multiple)
    mode = "reflect" if pad[1] < width and pad[3] < height else "replicate"
    padded = F.pad(lr_rgb, pad, mode) if any(pad) else lr_rgb
    planes = {
        plane: as_prediction(
            network(plane_of(padded, plane).contiguous(memory_format=torch.channels_last)), run_scale
        )
        for plane, network in networks.items()
    }
    pictures = compose(channels, planes, padded)
    return {scale: sr[..., : height * scale, : width * scale] for scale, sr in pictures.items()}
