"""How strongly a loss pulls SR towards HR in each ring of frequencies; pure functions of tensors."""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

_GROUPS = 6
"""Rows above the Nyquist frequency of LR, at most."""


class Rings(NamedTuple):
    """Energies of the rings 1 … n/2 of windows of n pixels, summed over windows; (…, K), float64.

    Ring k holds the frequencies that round to k/n cycles a pixel; corners past ½ are left out.

    Args:
        error: ⟨E, E⟩ of the error e = HR − SR.
        gradient: ⟨G, G⟩ of the gradient g of a loss with respect to SR.
        shared: −Re⟨G, E⟩, how far a step down the gradient goes along the error; negative: away from HR.
    """

    error: Tensor
    gradient: Tensor
    shared: Tensor


def ring_sums(gradient: Tensor, error: Tensor, size: int) -> Rings:
    """The rings of each plane, windows and pictures summed.

    Windows are those of `srbench.metrics.detail`: Hann, `size` pixels a side, half of it apart, their mean
    taken out.

    Args:
        gradient: of a loss with respect to SR, (N, C, H, W).
        error: HR − SR, the same shape; sides of at least `size`.
        size: side of a window, even.

    Returns:
        `Rings` of (C, size/2).

    Raises:
        ValueError: the shapes differ, are not four-dimensional, or a side is shorter than a window.
    """
    if gradient.shape != error.shape or error.ndim != 4 or min(error.shape[-2:]) < size:
        raise ValueError(
            f"gradient and error must have one shape (N, C, H, W) with sides from {size}, not "
            f"{tuple(gradient.shape)} and {tuple(error.shape)}"
        )
    hann, member = _windows(size, error.device)
    # float64: l2 is 1 in every ring to 1e-6 even where a ring has a millionth of the error.
    both = torch.stack([error, gradient]).double()
    windows = both.unfold(-2, size, size // 2).unfold(-2, size, size // 2).flatten(3, 4)  # (2, N, C, w, n, n)
    mean = (windows * hann).sum(dim=(-2, -1), keepdim=True) / hann.sum()
    spectra = torch.fft.rfft2((windows - mean) * hann).flatten(-2)
    of_error, of_gradient = spectra[0], spectra[1]
    power = [one.real.square() + one.imag.square() for one in (of_error, of_gradient)]
    shared = -(of_gradient.conj() * of_error).real
    return Rings(*(one.sum(dim=(0, 2)) @ member for one in (*power, shared)))


def total(parts: Iterable[Rings]) -> Rings:
    """The rings of planes or batches together."""
    return Rings(*(torch.stack(fields).sum(dim=0) for fields in zip(*parts, strict=True)))


def pull(rings: Rings, groups: Sequence[range]) -> list[float]:
    """−Re⟨G, E⟩ / ⟨E, E⟩ of each group of rings, divided by the same over all rings together.

    1 in all of them for l2, whose gradient is −2e. A loss with less in a group asks for less of the error
    there than l2 does at the same pull in all. The mean over rings, weighted by the error's energy, is 1.

    Args:
        rings: of one plane, or several together, (K,).
        groups: numbers of rings, from 1.

    Returns:
        A number a group; NaN where a group has no error, or where the loss as a whole does not pull SR
        towards HR, so that there is nothing to divide by.
    """
    whole = float(rings.shared.sum() / rings.error.sum())
    if not whole > 0:
        return [math.nan] * len(groups)
    return [_ratio(rings.shared, rings.error, group) / whole for group in groups]


def amplitude(rings: Rings, groups: Sequence[range]) -> list[float]:
    """|G| / |E| of each group of rings, divided by the same over all rings together.

    What there is of the gradient, whether it points towards HR or not; NaN where there is nothing to divide
    by. For its arguments see `pull`.
    """
    whole = math.sqrt(float(rings.gradient.sum() / rings.error.sum()))
    if not whole > 0:
        return [math.nan] * len(groups)
    return [math.sqrt(_ratio(rings.gradient, rings.error, group)) / whole for group in groups]


def share(rings: Rings, groups: Sequence[range]) -> list[float]:
    """The part of the error's energy in each group of rings; NaN where there is no error."""
    whole = float(rings.error.sum())
    return [_sum(rings.error, group) / whole if whole > 0 else math.nan for group in groups]


def single_rings(size: int) -> list[range]:
    """Every ring a group of its own."""
    return [range(number, number + 1) for number in range(1, size // 2 + 1)]


def above_nyquist(size: int, scale: int) -> range:
    """The rings above the Nyquist frequency of LR, 1/(2·scale): what LR does not carry."""
    return range(size // (2 * scale) + 1, size // 2 + 1)


def readable_groups(size: int, scale: int) -> list[range]:
    """Rings in as many groups as one reads at a glance: octaves up to the Nyquist frequency of LR, and at
    most six groups of one width above it."""
    above = above_nyquist(size, scale)
    groups, first = [], 1
    while first < above.start:
        # Ring 1, 2, 3 to 4, 5 to 8 …: each ends at a power of two, the last one at LR's Nyquist.
        last = min(1 << (first - 1).bit_length(), above.start - 1)
        groups.append(range(first, last + 1))
        first = last + 1
    width = math.ceil(len(above) / _GROUPS)
    return groups + [
        range(one, min(one + width, above.stop)) for one in range(above.start, above.stop, width)
    ]


@lru_cache(maxsize=8)
def _windows(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The Hann window (n, n), and bins of a flattened rfft2 → rings, (bins, K)."""
    window = torch.hann_window(size, periodic=True, dtype=torch.float64)
    fy = torch.fft.fftfreq(size, dtype=torch.float64)[:, None]
    fx = torch.fft.rfftfreq(size, dtype=torch.float64)
    number = (size * (fy.square() + fx.square()).sqrt() + 0.5).floor().long().flatten()
    twice = torch.full((size, size // 2 + 1), 2.0, dtype=torch.float64)  # rfft2 keeps one of each pair
    twice[:, [0, size // 2]] = 1
    member = (number[:, None] == torch.arange(1, size // 2 + 1)) * twice.flatten()[:, None]
    return (window[:, None] * window).to(device), member.to(device)


def _sum(values: Tensor, group: range) -> float:
    return float(values[group.start - 1 : group.stop - 1].sum())


def _ratio(values: Tensor, error: Tensor, group: range) -> float:
    below = _sum(error, group)
    return _sum(values, group) / below if below > 0 else math.nan
