"""The networks of a run as one torch module that takes RGB pictures and gives RGB pictures."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from srbench.errors import UsageError
from srbench.evaluate.upscalers import network_upscaler_of
from srbench.images.png import to_pixels
from srbench.predict import NetworkUpscaler
from srbench.spec import RunSpec
from srbench.store.layout import RunPaths
from srbench.train.device import apply_engine, choose_engine, pick_device

if TYPE_CHECKING:
    from srbench.types import Prediction


class SuperResolution(nn.Module):
    """A run's networks: planes taken apart, upscaled, and put together. In evaluation mode, in fp32.

    Args:
        upscaler: the networks and what is known of them.
        spec: of the run.
        step: of the weights.
    """

    def __init__(self, upscaler: NetworkUpscaler, spec: RunSpec, step: int) -> None:
        super().__init__()
        self.networks = nn.ModuleDict({str(plane): one for plane, one in upscaler.networks.items()})
        self.spec, self.step = spec, step
        self._upscaler = upscaler
        self.eval()

    @property
    def scale(self) -> int:
        """How much it enlarges."""
        return self._upscaler.run_scale

    def forward(self, lr: Tensor) -> Tensor:
        """LR pictures → SR pictures at the run's scale; no gradients.

        Args:
            lr: (N, 3, h, w) RGB in [0, 1], on the device of the networks.

        Returns:
            (N, 3, h·scale, w·scale) RGB, not clamped; one plane for a run of a single plane.
        """
        return self.predict(lr)[self.scale]

    def predict(self, lr: Tensor) -> "Prediction":
        """The same at every scale that the networks predict: scale → SR."""
        return self._upscaler.predicted(lr, self._upscaler.inference)


def module_of(spec: RunSpec, paths: RunPaths, device: str) -> SuperResolution:
    """The networks of a stored run; see `LoadedRun.model`."""
    where = pick_device(device)
    apply_engine(choose_engine(where, "fp32", "exact"))
    step, upscaler = network_upscaler_of(spec, paths, where)
    return SuperResolution(upscaler, spec, step)


def upscaled(model: SuperResolution, picture: NDArray[Any]) -> NDArray[np.uint8]:
    """A picture enlarged; see `LoadedRun.upscale`."""
    is_picture = picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] == 3)
    if not is_picture or not (picture.dtype == np.uint8 or np.issubdtype(picture.dtype, np.floating)):
        raise UsageError(
            "A picture to upscale is (H, W, 3) or (H, W), 8-bit or floating point in [0, 1], not "
            f"{picture.shape} of {picture.dtype}."
        )
    planes = np.stack([picture] * 3) if picture.ndim == 2 else picture.transpose(2, 0, 1)
    lr = torch.from_numpy(np.array(planes[None], order="C")).float() / (
        255 if picture.dtype == np.uint8 else 1
    )
    device = next((one.device for one in model.parameters()), torch.device("cpu"))
    return to_pixels(model(lr.to(device)))
