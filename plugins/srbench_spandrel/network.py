"""An architecture and a size → an untrained network of spandrel, as srbench calls, trains and stores it."""

import copy
import importlib
import warnings
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srbench.api import UsageError
from srbench_spandrel.architectures import described, settings_of

SCALES = (2, 3, 4, 8)


def build(planes: int, scale: int, arch: str | None = None, size: str | None = None) -> nn.Module:
    """An untrained network, initialised as its authors do. Parameters are named as in weights files.

    Args:
        planes: of LR and SR.
        scale: 2, 3, 4 or 8.
        arch: which architecture.
        size: which of its sizes; only where it has several.

    Returns:
        A module, LR `(N, planes, h, w)` in [0, 1] → SR `(N, planes, h·scale, w·scale)`, not clamped, with
        `deployed()`.

    Raises:
        ValueError: there is no such architecture or size, or it cannot do that scale or one plane.
        UsageError: spandrel is not installed, or lacks the architecture.
    """
    if arch is None:
        raise ValueError("arch=… says which network it is, such as spandrel:arch=swinir,size=light")
    settings = settings_of(arch, size)
    known = described(arch)
    if scale not in SCALES:
        raise ValueError(f"{arch} enlarges by 2, 3, 4 or 8, not by {scale}")
    if planes == 1:
        if known.one_plane is None:
            raise ValueError(f"{arch} takes three planes and no others; take --channels rgb")
        settings |= known.one_plane
    settings |= {known.scale: scale, **dict.fromkeys(known.planes, planes)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, on how their code calls it
        network = _adapted(_class(known.network, arch))(**settings)
    network.limits = (scale, known.multiple, known.smallest)
    for part in network.modules():
        _settle(part)
    return cast(nn.Module, network)


class Adapter(nn.Module):
    """What srbench asks of a network beyond what spandrel's do; mixed into a class of theirs.

    A subclass and no wrapper, so that names of parameters stay those of the authors' weights files.
    """

    limits: tuple[int, int, int]
    """Scale, what sides are padded to a multiple of, and their least size."""

    def forward(self, lr: Tensor) -> Tensor:
        """LR in [0, 1] → SR, whatever the size of LR."""
        scale, multiple, smallest = self.limits
        height, width = lr.shape[-2:]
        down, right = (-(-max(side, smallest) // multiple) * multiple - side for side in (height, width))
        # A copy, since RCAN multiplies its input where it lies.
        mode = "reflect" if down < height and right < width else "replicate"
        padded = F.pad(lr, (0, right, 0, down), mode) if down or right else lr.clone()
        # One by one in scoring: SeemoRe chooses its experts for one picture there.
        parts = [padded] if self.training else list(torch.split(padded, 1))
        sr = torch.cat([super(Adapter, self).forward(part) for part in parts])
        return sr[..., : height * scale, : width * scale]

    def train(self, mode: bool = True) -> "Adapter":
        """As ever; for scoring, convolutions that are trained in parts become one."""
        super().train(mode)
        if not mode:
            self.fuse()
        return self

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """As ever, and what is stored of fused convolutions is that of the weights beside them."""
        self.fuse()
        return super().state_dict(*args, **kwargs)

    @torch.no_grad()
    def fuse(self) -> None:
        """Make one convolution of each that is trained in parts."""
        for part in self.modules():
            if isinstance(part, Fused):
                part.fuse()

    def deployed(self) -> nn.Module:
        """A copy as it is used: without what is there for training alone."""
        used = copy.deepcopy(self).eval()
        strip(used)
        return used


class Fused(nn.Module):
    """SPAN's convolution: 1×1, 3×3 and 1×1 beside another 1×1 in training, `eval_conv` in scoring.

    spandrel's own computes `eval_conv` at each forward pass, and has its weights as parameters that no
    gradient reaches. Here they are buffers, computed when the network turns to scoring.
    """

    def update_params(self) -> None:
        """Nothing, where the forward pass calls it."""

    def fuse(self) -> None:
        """Compute `eval_conv` from what is trained; nothing where that is gone."""
        if not hasattr(self, "conv"):
            return
        with torch.autocast(next(self.parameters()).device.type, enabled=False):
            super().update_params()  # type: ignore[misc]
        self.weight_concat = self.bias_concat = None

    def strip(self) -> None:
        """Leave `eval_conv` and nothing else, for good."""
        if not hasattr(self, "conv"):
            return
        for name in ("weight", "bias"):
            value = getattr(self.eval_conv, name)
            delattr(self.eval_conv, name)
            setattr(self.eval_conv, name, nn.Parameter(value))
        del self.conv, self.sk


def strip(network: nn.Module) -> None:
    """Leave of a network what scoring needs, for good."""
    for part in network.modules():
        _settle(part)
        if isinstance(part, Fused):
            part.fuse()
            part.strip()


def _adapted(network: type[nn.Module]) -> type[Adapter]:
    return cast(type[Adapter], type(network.__name__, (Adapter, network), {}))


def _settle(part: nn.Module) -> None:
    """Mend what of spandrel's modules is made for scoring alone."""
    if type(part).__name__ == "Conv3XC" and not isinstance(part, Fused):
        part.__class__ = type("Conv3XC", (Fused, type(part)), {})
        for name in ("weight", "bias"):
            value = getattr(part.eval_conv, name).detach()
            delattr(part.eval_conv, name)
            cast(nn.Module, part.eval_conv).register_buffer(name, value)
    if type(part).__name__ == "MeanShift":
        # RCAN means its colour mean to be fixed, and sets a flag that does nothing.
        for parameter in part.parameters():
            parameter.requires_grad_(False)


def _class(path: str, arch: str) -> type[nn.Module]:
    """The class `module:Class` below spandrel's architectures."""
    module_name, _, name = path.partition(":")
    try:
        package = importlib.import_module(f"spandrel.architectures.{module_name}")
    except ImportError as error:
        raise UsageError(
            f"The model spandrel:arch={arch} needs the package spandrel with {module_name}, which cannot be "
            f'imported ({error}). pip install "srbench-harness[spandrel]" brings it.'
        ) from error
    return cast(type[nn.Module], getattr(package, name))
