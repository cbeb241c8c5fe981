"""Networks + LR picture → prediction: planes taken apart, upscaled, and put together again."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srbench.errors import PluginError, UsageError
from srbench.images.colour import rgb_to_y, rgb_to_ycbcr, ycbcr_to_rgb
from srbench.images.resize import resize_bicubic
from srbench.inference import WHOLE, Inference, upscale
from srbench.memory import MemoryShortError, available_bytes, peak_bytes
from srbench.types import Channels, Picture, Plane, networks_of

if TYPE_CHECKING:
    from srbench.types import Prediction

TILES = (512, 256, 128, 64)
"""Sides to try, in LR pixels, where a whole picture does not fit into memory."""

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


def planes_like(rgb: Tensor, sr: Tensor, channels: Channels) -> Tensor:
    """An RGB picture with the planes of SR, which has one alone where the run has."""
    return plane_of(rgb, networks_of(channels)[0]) if sr.shape[1] == 1 else rgb


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
    networks: Networks,
    run_scale: int,
    size_multiple: int,
    device: torch.device,
    called: str = "The model",
) -> list[int]:
    """The scales the networks predict, ascending, found by asking one of them once.

    Args:
        networks: of a run.
        run_scale: their full factor.
        size_multiple: what LR is padded to a multiple of.
        device: where they are.
        called: what errors call the model.

    Raises:
        PluginError: the run scale is not among them, another is not its divisor, or a picture has another
            shape than its scale says.
    """
    plane, network = next(iter(networks.items()))
    side, planes = 8 * size_multiple, 3 if plane == "rgb" else 1
    training = network.training
    output = network.eval()(torch.zeros(1, planes, side, side, device=device))
    network.train(training)
    prediction = as_prediction(output, run_scale)
    scales = sorted(prediction)
    if run_scale not in scales or any(run_scale % scale for scale in scales):
        raise PluginError(
            f"{called} predicts the scales {scales} where its run scale is {run_scale}. It must predict "
            "that one, and beside it only its divisors; this is a fault of its plugin."
        )
    for scale, sr in prediction.items():
        shape = tuple(getattr(sr, "shape", ()))
        expected = (1, planes, side * scale, side * scale)
        if shape != expected:
            raise PluginError(
                f"{called} makes {shape or type(sr).__name__} of an LR picture {(1, planes, side, side)} at "
                f"×{scale}. {expected} is right: number, planes, height, width. A fault of its plugin."
            )
    return scales


@torch.no_grad()
def predict(
    networks: Networks,
    channels: Channels,
    lr_rgb: Tensor,
    run_scale: int,
    size_multiple: int = 1,
    inference: Inference = WHOLE,
    check: Callable[[], None] = lambda: None,
) -> "Prediction":
    """SR pictures of an LR picture, at every scale the networks predict; fp32, not clamped.

    Args:
        networks: in evaluation mode, on the device of `lr_rgb`.
        channels: of the run.
        lr_rgb: (1, 3, h, w) in [0, 1].
        run_scale: full factor of the networks.
        size_multiple: LR is padded at bottom and right to a multiple of this, by reflection where it is
            large enough; the SR pictures are cut back. Tiles begin and end at multiples of it too.
        inference: in tiles or whole, once or in all 8 ways.
        check: called before each pass of a network; raises to stop.

    Returns:
        scale → (1, 3, h·scale, w·scale) RGB; one plane for a run of a single plane.
    """
    height, width = lr_rgb.shape[-2:]
    padded = pad_to(lr_rgb, size_multiple)

    def once(network: nn.Module, x: Tensor) -> "Prediction":
        check()
        return as_prediction(network(x.contiguous(memory_format=torch.channels_last)), run_scale)

    planes = {
        plane: upscale(partial(once, network), plane_of(padded, plane), size_multiple, inference)
        for plane, network in networks.items()
    }
    pictures = compose(channels, planes, padded)
    return {scale: sr[..., : height * scale, : width * scale] for scale, sr in pictures.items()}


def pad_to(x: Tensor, size_multiple: int) -> Tensor:
    """Pictures (N, C, h, w), longer at bottom and right where a side is no multiple of `size_multiple`.

    By reflection where they are large enough, else by their last row and column.
    """
    height, width = x.shape[-2:]
    pad = (0, -width % size_multiple, 0, -height % size_multiple)
    mode = "reflect" if pad[1] < width and pad[3] < height else "replicate"
    return F.pad(x, pad, mode) if any(pad) else x


class Upscaler(Protocol):
    """What scoring asks for SR pictures: networks, or a folder that holds them.

    Attributes:
        scales: of its predictions, ascending.
        inference: how they are made.
        tileable: whether smaller tiles are a way out where memory is short.
    """

    @property
    def scales(self) -> Sequence[int]: ...  # noqa: D102

    @property
    def inference(self) -> Inference: ...  # noqa: D102

    @property
    def tileable(self) -> bool: ...  # noqa: D102

    def __call__(
        self, test: str, picture: Picture, lr: Tensor, check: Callable[[], None] = lambda: None
    ) -> "Prediction":
        """The SR pictures of a test's picture, given its LR (1, 3, h, w); empty where there is none.

        `check` is called between pieces of the work, and raises to stop.
        """
        ...


@dataclass(frozen=True)
class NetworkUpscaler:
    """Networks as an upscaler.

    Args:
        networks: on their device; put into evaluation mode.
        channels: what they see.
        run_scale: their full factor.
        size_multiple: LR is padded to a multiple of it.
        tileable: whether they may see a picture in tiles.
        device: where they are.
        inference: how pictures are put through them.
        called: what errors call the model.

    Raises:
        UsageError: tiles are asked for of networks that must see whole pictures.
    """

    networks: Networks
    channels: Channels
    run_scale: int
    size_multiple: int
    tileable: bool
    device: torch.device
    inference: Inference = WHOLE
    called: str = "The model"

    def __post_init__(self) -> None:
        check_tileable(self.tileable, self.inference)
        for network in self.networks.values():
            network.eval()

    @cached_property
    def scales(self) -> list[int]:
        """The scales the networks predict, ascending."""
        return predicted_scales(self.networks, self.run_scale, self.size_multiple, self.device, self.called)

    def __call__(
        self, test: str, picture: Picture, lr: Tensor, check: Callable[[], None] = lambda: None
    ) -> "Prediction":
        """The networks' prediction; `check` is called before each of their passes.

        Raises:
            MemoryShortError: whole pictures are asked for, and this one would not fit on this machine.
        """
        del test, picture
        if self.device.type == "cpu" and self.inference.tile is None:
            # Linux grants any memory and kills the process that touches it, so the question comes first.
            need = int(self.bytes_per_pixel * lr.shape[-2] * lr.shape[-1])
            if need > 0.9 * available_bytes():
                raise MemoryShortError
        return self.predicted(lr, self.inference, check)

    def predicted(
        self, lr: Tensor, inference: Inference, check: Callable[[], None] = lambda: None
    ) -> "Prediction":
        """What the networks make of LR (1, 3, h, w), put through them as `inference` says."""
        return predict(self.networks, self.channels, lr, self.run_scale, self.size_multiple, inference, check)

    @cached_property
    def bytes_per_pixel(self) -> float:
        """The most memory that a whole picture takes for each pixel of LR."""
        side = math.ceil(64 / self.size_multiple) * self.size_multiple
        lr = torch.zeros(1, 3, side, side, device=self.device)
        return peak_bytes(lambda: self.predicted(lr, WHOLE)) / side**2


def check_tileable(tileable: bool, inference: Inference) -> None:
    """Refuse tiles for a model that must see whole pictures.

    Raises:
        UsageError: saying so.
    """
    if inference.tile is not None and not tileable:
        raise UsageError(
            f"--tile {inference.tile} cannot be: the plugin of this model says that it must see whole "
            "pictures. Leave --tile out."
        )
