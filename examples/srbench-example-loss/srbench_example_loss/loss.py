"""A loss with state: the error in each frequency band, by weights that are learnt as training goes on."""

import torch
from srbench.api import SizeError
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate


class Balanced(nn.Module):
    """Mean over bands of `exp(−s) · error / usual + s`, where `s` is learnt and `usual` is a running mean.

    Fine detail has small errors and brightness has large ones, so that a plain sum hardly sees the former.
    Here each band is first divided by the error that it usually has, and then weighted by `exp(−s)`: a band
    that stays uncertain gets a greater `s`, and is heeded less.

    Both are part of a run's state. `s` is an `nn.Parameter`: srbench trains it with the networks, and saves
    it with its optimizer's moments. `usual` and the number of batches seen are buffers, which srbench saves.
    What moves is never kept in plain attributes, so a resumed run goes on with the same bits.

    Args:
        bands: from fine to coarse, each of half the resolution of the one before; from 1.
        memory: share of the running mean that each batch leaves, from 0 to below 1.

    Raises:
        ValueError: an argument is out of range.

    Source: Kendall, Gal and Cipolla 2018, arXiv:1705.07115, section 3, for Laplace's distribution in place of
    Gauss's.
    """

    seen: Tensor
    usual: Tensor

    def __init__(self, bands: int = 3, memory: float = 0.99) -> None:
        super().__init__()
        if bands < 1 or not 0 <= memory < 1:
            raise ValueError(f"bands={bands} must be 1 or more, and memory={memory} from 0 to below 1")
        self.memory = memory
        self.s = nn.Parameter(torch.zeros(bands))
        self.register_buffer("usual", torch.zeros(bands))
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """One number from two pictures `(N, C, H, W)`.

        Raises:
            SizeError: the coarsest band would have no pixel.
        """
        errors = self._errors(sr - hr)
        self._remember(errors)
        # What is left of the zeros it began with is taken out, as Adam does with its moments.
        usual = self.usual / (1 - self.memory**self.seen)
        # A floor of 1e-4, a fortieth of a grey level: a band without error must not divide by nothing.
        share = (errors + 1e-4) / (usual + 1e-4)
        return (torch.exp(-self.s) * share + self.s).mean()

    @torch.no_grad()
    def _remember(self, errors: Tensor) -> None:
        self.usual.lerp_(errors.detach().to(self.usual.dtype), 1 - self.memory)
        self.seen += 1

    def _errors(self, error: Tensor) -> Tensor:
        """Mean absolute error of each band, fine to coarse, `(bands,)`."""
        height, width = error.shape[-2:]
        if min(height, width) < 2 ** (len(self.s) - 1):
            least = 2 ** (len(self.s) - 1)
            raise SizeError(f"balanced with {len(self.s)} bands needs at least {least} pixels a side")
        found = []
        for _ in range(len(self.s) - 1):
            height, width = (side // 2 * 2 for side in error.shape[-2:])
            error = error[..., :height, :width]
            coarse = avg_pool2d(error, 2)
            found.append((error - interpolate(coarse, scale_factor=2.0)).abs().mean())
            error = coarse
        return torch.stack([*found, error.abs().mean()])
