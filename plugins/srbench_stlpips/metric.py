"""Shift-tolerant LPIPS: perceptual distance that hardly minds a shift by a pixel."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from srbench.api import PublishedFile, find_published
from srbench_stlpips.network import Network

Net = Literal["alex", "vgg"]

_PUBLISHED = "https://github.com/abhijay9/ShiftTolerant-LPIPS/raw/main/stlpips/weights/vST0.0/"


def _weights(net: Net, sha256: str) -> PublishedFile:
    name = f"{net}_shift_tolerant.pth"
    shipped = (("stlpips_pytorch", f"weights/vST0.0/{name}"),)
    return PublishedFile(name, _PUBLISHED + name, sha256, shipped, extra="stlpips")


WEIGHTS: Mapping[Net, PublishedFile] = {
    "alex": _weights("alex", "b356b382f96010f77d085ee8343ecd9fd322d0a56e8de2b2d0549fafcad8b9ee"),
    "vgg": _weights("vgg", "44597da68f49c1837c100ff52299050f274d102eb102e5837178c79be6f0e250"),
}
"""Network and linear layer in one file, as the package stlpips-pytorch 0.0.2 ships them (BSD)."""

SMALLEST_SIDE: Mapping[Net, int] = {"alex": 21, "vgg": 18}
"""What the poolings leave a pixel of."""


def facts(net: Net = "alex") -> dict[str, object]:
    """What a score depends on: the network and the SHA-256 of its file.

    Raises:
        MetricUnavailable: it cannot be had.
    """
    find_published(WEIGHTS[net], f"ST-LPIPS ({net})")
    return {"net": net, "weights_sha256": WEIGHTS[net].sha256}


@torch.no_grad()
def stlpips(sr: Tensor, hr: Tensor, net: Net = "alex") -> Tensor:
    """Perceptual distance of two pictures, 0 for equal ones; lower is better.

    Features in float32, one picture at a time; means over the picture in float64.

    Args:
        sr: model output, (N, 3, H, W) RGB, floating point, in [0, 1].
        hr: ground truth, same shape and range.
        net: backbone, `alex` (its authors' default) or `vgg`.

    Returns:
        (N,), float64, on the device of `sr`. NaN where `sr` is not finite, and for pictures smaller than the
        network can take.

    Raises:
        MetricUnavailable: the weights cannot be had.

    Source: Ghildyal and Liu 2022, arXiv:2207.13686.
    """
    scores = torch.full((len(sr),), torch.nan, dtype=torch.float64, device=sr.device)
    network = _network(net, sr.device)
    if min(sr.shape[-2:]) < SMALLEST_SIDE[net]:
        return scores
    with torch.autocast(sr.device.type, enabled=False):
        for n in range(len(sr)):
            if sr[n].isfinite().all():
                # Contiguous both: convolutions round differently with the layout.
                scores[n] = network(*(2 * one[n : n + 1].float().contiguous() - 1 for one in (sr, hr)))
    return scores


@lru_cache(maxsize=4)
def _network(net: Net, device: torch.device) -> Network:
    path = find_published(WEIGHTS[net], f"ST-LPIPS ({net})")
    # Layers draw weights before the published ones are loaded: a run's generator must not move.
    with torch.inference_mode(False), torch.random.fork_rng(devices=[]):
        network = Network(net, torch.load(path, map_location="cpu", weights_only=True))
        return network.requires_grad_(False).eval().to(device)
