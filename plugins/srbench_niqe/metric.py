"""Natural image quality evaluator: how far a picture's statistics are from those of pristine photographs."""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from srbench.api import PublishedFile, find_published
from srbench_niqe.features import features

PRISTINE = PublishedFile(
    "niqe_pris_params.npz",
    "https://github.com/XPixelGroup/BasicSR/raw/master/basicsr/metrics/niqe_pris_params.npz",
    "2a7c182a68c9e7f1b2e2e5ec723279d6f65d912b6fcaf37eb2bf03d7367c4296",
    packages=(
        ("basicsr", "metrics/niqe_pris_params.npz"),
        ("mmagic", "evaluation/metrics/niqe_pris_params.npz"),
    ),
)
"""The authors' `modelparameters.mat`, mean and covariance over 125 photographs, as BasicSR keeps them."""


def facts() -> dict[str, object]:
    """What a score depends on: the SHA-256 of the model of pristine photographs.

    Raises:
        MetricUnavailable: it cannot be had.
    """
    _pristine()
    return {"pristine_sha256": PRISTINE.sha256}


@torch.no_grad()
def niqe(sr: Tensor) -> Tensor:
    """Distance of the picture's statistics to those of pristine photographs; lower is better.

    No reference: it says nothing of whether SR resembles HR. In float64, as the authors' release for MATLAB
    (which makes full-range grey, not luma, of a picture in colour): luma rounded to whole levels, blocks of
    96×96 pixels without overlap, what is left at right and bottom cut off.

    Args:
        sr: luma of the model's output, (N, C, H, W), floating point, in [0, 1].

    Returns:
        (N, C), float64, on the device of `sr`. NaN where a plane is not finite, where it holds fewer than two
        blocks, and where fewer than two of them have any texture.

    Raises:
        MetricUnavailable: the model of pristine photographs cannot be had.

    Source: Mittal et al. 2013, doi:10.1109/LSP.2012.2227726, equation 10.
    """
    mean, covariance = _pristine()
    scores = torch.full(sr.shape[:2], torch.nan, dtype=torch.float64)
    for n, picture in enumerate(sr):
        for c, plane in enumerate(picture):
            if plane.isfinite().all():
                scores[n, c] = distance(features((255 * plane.double()).round()), mean, covariance)
    return scores.to(sr.device)


def distance(blocks: Tensor, mean: Tensor, covariance: Tensor) -> float:
    """Distance of two Gaussians: one fitted to the features of blocks, the other given.

    Args:
        blocks: (blocks, 36), float64; NaN in a feature that a block does not have.
        mean: (36,), float64, on the CPU.
        covariance: (36, 36), likewise.

    Returns:
        0 or more; NaN where fewer than two blocks have all features.
    """
    blocks = blocks.cpu()  # 36 numbers a block: one answer on every device
    whole = blocks[~blocks.isnan().any(dim=1)]
    if len(whole) < 2:
        return float("nan")
    apart = mean - blocks.nanmean(dim=0)
    joint = torch.linalg.pinv((covariance + whole.T.cov()) / 2)
    return float((apart @ joint @ apart).clamp(min=0).sqrt())


@cache
def _pristine() -> tuple[Tensor, Tensor]:
    """Mean (36,) and covariance (36, 36) of the features of pristine photographs."""
    path = find_published(PRISTINE, "NIQE")
    with np.load(path, allow_pickle=False) as file:
        return torch.from_numpy(file["mu_pris_param"]).flatten(), torch.from_numpy(file["cov_pris_param"])
