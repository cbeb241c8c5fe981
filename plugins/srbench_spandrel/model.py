"""A weights file → the network that spandrel finds in it, with its scale, planes and size rules."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from srbench.api import ForeignModel, UsageError
from srbench_spandrel.architectures import described, settings_of
from srbench_spandrel.network import strip
from srbench_spandrel.terms import terms_of_file

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor

_PLAIN = ("IPT",)
"""Whose code fails on channels_last, which srbench puts all networks into."""

_WAY_OUT = "save its tensors as safetensors in the program it comes from, and give that file"


def read(path: Path, arch: str | None = None, size: str | None = None) -> ForeignModel:
    """The network in a `.safetensors`, `.pth`, `.pt` or `.ckpt` file, weights loaded, in fp32.

    Args:
        path: the file; what srbench exports of a run of one network is read too.
        arch: which architecture it is to be; None: whichever it is.
        size: of that architecture; the file knows better.

    Only tensors are read: a pickle by torch's `weights_only`, never by spandrel's own loader, and a
    TorchScript archive, which holds code, not at all.

    Raises:
        ValueError: the file is damaged, holds more than tensors, or no super-resolution network that
            spandrel knows.
        UsageError: spandrel is not installed.
    """
    try:
        import spandrel
    except ImportError as error:
        raise UsageError(
            f"The model spandrel needs the package spandrel, which cannot be imported ({error}). "
            'pip install "srbench-harness[spandrel]" brings it.'
        ) from error
    if arch is not None:
        settings_of(arch, size)
    state = spandrel.canonicalize_state_dict(_unprefixed(_tensors(path)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, on how their code calls it
            descriptor = spandrel.ModelLoader().load_from_state_dict(state)
    except spandrel.UnsupportedModelError as error:
        raise ValueError(
            f"spandrel {version()} recognises no architecture in its {len(state)} names"
        ) from error
    except Exception as error:  # an architecture that takes it for its own, wrongly, raises anything
        raise ValueError(
            f"spandrel {version()} cannot build the network it sees in it ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:300]})"
        ) from error
    name = descriptor.architecture.name
    if arch is not None and descriptor.architecture.id != described(arch).id:
        raise ValueError(f"it holds {name}, and arch={arch} was asked for")
    if not isinstance(descriptor, spandrel.ImageModelDescriptor) or descriptor.purpose == "Restoration":
        raise ValueError(f"{name} is no network for super-resolution but for {descriptor.purpose.lower()}")
    planes = (descriptor.input_channels, descriptor.output_channels)
    if planes not in ((1, 1), (3, 3)):
        raise ValueError(f"{name} takes {planes[0]} planes and gives {planes[1]}; srbench scores 1 or 3")
    return ForeignModel(
        Described(descriptor),
        scale=descriptor.scale,
        channels="rgb" if planes == (3, 3) else "y",
        size_multiple=descriptor.size_requirements.multiple_of,
        # Those it only discourages are tiled in practice, and the protocol says that they were.
        tileable=descriptor.tiling is not spandrel.ModelTiling.INTERNAL,
        terms=terms_of_file(
            path.name, name, descriptor.architecture.id, descriptor.scale, planes[0], version()
        ),
    )


class Described(nn.Module):
    """A network called as spandrel calls it: smallest size, padding and range are its descriptor's business.

    Args:
        descriptor: from spandrel, its model in evaluation mode.
    """

    def __init__(self, descriptor: "ImageModelDescriptor[nn.Module]") -> None:
        super().__init__()
        self.model = descriptor.model.eval()
        strip(self.model)
        self.model.requires_grad_(False)
        self._descriptor = descriptor

    def forward(self, lr: Tensor) -> Tensor:
        """LR `(N, planes, h, w)` → SR in [0, 1]."""
        if self._descriptor.architecture.id in _PLAIN:
            self.model.to(memory_format=torch.contiguous_format)
            lr = lr.contiguous()
        # Picture by picture, as the descriptor wants them; cat makes ordinary tensors of inference ones.
        return torch.cat([self._descriptor(one) for one in torch.split(lr, 1)])


def _tensors(path: Path) -> dict[str, Any]:
    try:
        if path.suffix.lower() == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # each format and kind of damage has errors of its own
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
        raise ValueError(
            f"it holds more than tensors, or is damaged, and nothing is unpickled ({reason}); {_WAY_OUT}"
        ) from error
    if not isinstance(loaded, dict):
        raise ValueError(f"it holds a {type(loaded).__name__} and no names with tensors; {_WAY_OUT}")
    if unnamed := [key for key in loaded if not isinstance(key, str)]:
        raise ValueError(f"it holds something under {unnamed[0]!r}, which is no name; {_WAY_OUT}")
    return loaded


def _unprefixed(tensors: dict[str, Any]) -> dict[str, Any]:
    """The names of one network, where srbench has written its plane before each."""
    for plane in ("rgb", "y", "r", "g", "b"):
        if tensors and all(name.startswith(f"{plane}.") for name in tensors):
            return {name.removeprefix(f"{plane}."): tensor for name, tensor in tensors.items()}
    return tensors


def version() -> str:
    """Of the spandrel that is installed."""
    from importlib.metadata import version

    return version("spandrel")
