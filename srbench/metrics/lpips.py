"""Learned perceptual image patch similarity, through the `lpips` package with weights of our own finding."""

import warnings
from functools import lru_cache
from importlib.metadata import version

import torch
from torch import Tensor, nn

from srbench.errors import SizeError
from srbench.metrics.backbones import Net, find_weights, package_key
from srbench.metrics.protocol import check_same_shape

# The smallest side each backbone's poolings leave a pixel of; a test holds it against the package.
_SMALLEST_SIDE: dict[Net, int] = {"alex": 31, "vgg": 16, "squeeze": 17}


def facts(net: Net = "alex") -> dict[str, object]:
    """What a score depends on: the backbone, the SHA-256 of its convolutional weights, the package's version.

    The weights are looked for once a process; a failure is remembered too.

    Raises:
        MetricUnavailable: no weights can be had; the message says where was looked and what to do.
    """
    return {
        "net": net,
        "weights_sha256": find_weights(net, f"LPIPS ({net})").sha256,
        "lpips": version("lpips"),
    }


@torch.no_grad()
def lpips(sr: Tensor, hr: Tensor, net: Net = "alex") -> Tensor:
    """Perceptual distance of two pictures, 0 for equal ones; lower is better.

    Equal to `lpips.LPIPS(net=net)` on `2·x − 1`, one picture at a time, in float32.

    Args:
        sr: model output, (N, 3, H, W) RGB, floating point, in [0, 1].
        hr: ground truth, same shape and range.
        net: backbone, `alex` (the authors' default for scoring), `vgg` or `squeeze`.

    Returns:
        (N,), float64, on the device of `sr`. NaN where `sr` is not finite, and for pictures smaller than
        the backbone can take (31, 16 and 17 pixels a side).

    Raises:
        ValueError: the shapes differ or are not (N, 3, H, W).
        MetricUnavailable: no weights can be had.

    Source: Zhang et al. 2018, arXiv:1801.03924.
    """
    check_same_shape(sr, hr)
    if sr.shape[1] != 3:
        raise ValueError(f"LPIPS takes RGB (N, 3, H, W), not {tuple(sr.shape)}")
    scores = torch.full((len(sr),), torch.nan, dtype=torch.float64, device=sr.device)
    network = _network(net, sr.device)
    if min(sr.shape[-2:]) < _SMALLEST_SIDE[net]:
        return scores
    # One by one: activations of a 2K picture take gigabytes, and a score must not depend on its neighbours.
    with torch.autocast(sr.device.type, enabled=False):
        for n in range(len(sr)):
            if sr[n].isfinite().all():
                scores[n] = network(2 * sr[n : n + 1].float() - 1, 2 * hr[n : n + 1].float() - 1).item()
    return scores


def lpips_distance(sr: Tensor, hr: Tensor, net: Net) -> Tensor:
    """LPIPS of each picture, differentiable with respect to `sr`: what the metric measures, as a loss.

    Computed in float32 for the whole batch at once; the network is never trained.

    Args:
        sr: (N, 3, H, W) RGB, floating point; what lies outside [0, 1] is taken as it is.
        hr: ground truth, same shape, in [0, 1].
        net: backbone, `alex`, `vgg` or `squeeze`.

    Returns:
        (N,), float32, on the device of `sr`.

    Raises:
        ValueError: the shapes differ or are not (N, 3, H, W).
        SizeError: the pictures are smaller than the backbone can take.
        MetricUnavailable: no weights can be had.

    Source: Zhang et al. 2018, arXiv:1801.03924.
    """
    check_same_shape(sr, hr)
    if sr.shape[1] != 3:
        raise ValueError(f"LPIPS takes RGB (N, 3, H, W), not {tuple(sr.shape)}")
    smallest = _SMALLEST_SIDE[net]
    if min(sr.shape[-2:]) < smallest:
        raise SizeError(
            f"LPIPS ({net}) needs at least {smallest} pixels a side, not {sr.shape[-1]}×{sr.shape[-2]}"
        )
    with torch.autocast(sr.device.type, enabled=False):
        distance: Tensor = _network(net, sr.device)(2 * sr.float() - 1, 2 * hr.float() - 1)
    return distance.reshape(-1)


def _network(net: Net, device: torch.device) -> nn.Module:
    """The package's network with our backbone weights, on `device`, never trained."""
    return _built(net, device, find_weights(net, f"LPIPS ({net})").sha256)


@lru_cache(maxsize=4)
def _built(net: Net, device: torch.device, _sha256: str) -> nn.Module:
    import lpips as package

    features = find_weights(net, f"LPIPS ({net})").features
    with (
        torch.inference_mode(False),
        # The package initialises a whole backbone before ours is loaded: a run's generator must not move.
        torch.random.fork_rng(devices=[]),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", module=r"torchvision\.")  # it calls torchvision the old way
        # pnet_rand: otherwise the package downloads the backbone itself, unverified.
        network: nn.Module = package.LPIPS(net=net, pnet_rand=True, verbose=False)
        backbone = network.get_submodule("net")
        state = {key: features[package_key(key)] for key in backbone.state_dict()}
        if len(state) != len(features):
            raise RuntimeError(
                f"lpips {version('lpips')} uses {len(state)} of {len(features)} weights of {net}"
            )
        backbone.load_state_dict(state)
        # channels_last: 1.8 times as fast on a CPU, and a score moves by less than 1e-7.
        return network.requires_grad_(False).eval().to(device).to(memory_format=torch.channels_last)
