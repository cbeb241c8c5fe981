"""The networks of a run as one torch module that takes RGB pictures and gives RGB pictures."""

from typing import TYPE_CHECKING

from torch import Tensor, nn

from srbench.evaluate.upscalers import network_upscaler_of
from srbench.inference import Inference
from srbench.predict import NetworkUpscaler
from srbench.spec import RunSpec
from srbench.store.layout import RunPaths
from srbench.train.device import apply_engine, choose_engine, pick_device
from srbench.upscale.enlarge import Enlarger

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


def enlarger_of(spec: RunSpec, paths: RunPaths, device: str, inference: Inference) -> Enlarger:
    """The networks of a stored run, for pictures of any size; see `LoadedRun.upscale`."""
    where = pick_device(device)
    apply_engine(choose_engine(where, "fp32", "exact"))
    return Enlarger(network_upscaler_of(spec, paths, where, inference)[1], paths.id)
