"""How much of HR's detail an SR plane has: what PSNR and SSIM do not see when texture goes.

Everything is measured in the band that LR could not carry, from its Nyquist frequency 1/(2·scale) to half a
cycle a pixel, in windows; HR and SR are brought to one place and one contrast first.
"""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from srbench.metrics.protocol import check_same_shape
from srbench.metrics.verdict import FLAT

_EPS = 4 / 255  # a window's standard deviation from which it counts in full
_STEP = 1 / 255  # of an 8-bit picture: what rounding adds
_CLIPPED = 16 / 255  # a window nearer to black or white than this has its noise cut off
_ENOUGH = 16  # windows
_MOST_SHIFT = 2.0  # pixels
_RIDGE = 1e-12
_TINY = 1e-30  # in place of a division by zero
_NOTHING = 1e-20  # variance: what float32 leaves of a constant is less, one pixel off by one level far more
_ROUNDED = 1e-6  # of a sum, what float32 may leave where two sums are equal
_ALIKE = 1e-9  # windows differ by less: in nothing but rounding
_STRIP = 1 << 17  # pixels of all planes worked on at once: what fits the caches of a CPU core


class Detail(NamedTuple):
    """What `detail` returns; each field is (N, C), float64, NaN where it has no answer.

    Args:
        detail: share of HR's detail that SR recovered in the right place: 1 as HR, 0 none, above 1
            over-sharpened; can be slightly negative.
        invented: amplitude, relative to HR's, of detail where HR has some but that does not match it; from 0.
        presence: √(max(detail, 0)² + invented²), detail that is there, right or wrong.
        slope: factor on SR's own detail at which its squared error would be least; NaN where it has none.
        contrast: gain of SR's tones over HR's, which was taken out first; 0.5 to 2.
        shift: pixels by which SR was misplaced, which was taken out first; 0 where it is past 2 on an axis.
        content: share of the plane that holds detail to recover, 0 to 1; below 0.05 (`FLAT`) the first four
            are NaN, and so is this one where a side is shorter than a window.
    """

    detail: Tensor
    invented: Tensor
    presence: Tensor
    slope: Tensor
    contrast: Tensor
    shift: Tensor
    content: Tensor


class DetailMap(NamedTuple):
    """Where detail was recovered; the mean of `gain` weighted by `weight` is `Detail.detail`.

    Args:
        gain: (N, C, rows, columns), share of HR's detail recovered in each window; NaN where HR has none.
            Where it has next to none, `weight` is small and `gain` may be anything.
        weight: the same shape, the part of each window in the plane's value; sums to 1 over a plane.
        top, left: of the first window, in pixels.
        window, stride: size of a window and the way to the next, in pixels.
    """

    gain: Tensor
    weight: Tensor
    top: int
    left: int
    window: int
    stride: int


class RingDetail(NamedTuple):
    """How much of HR's detail was recovered at each frequency; the mean of `gain` weighted by `weight` is
    `Detail.detail`.

    Args:
        gain: (N, C, K), share of HR's detail recovered in each ring; NaN where HR has none there.
        weight: the same shape, the part of each ring in the plane's value; sums to 1 over a plane.
        frequency: (K,), of the rings, in cycles a pixel, from above LR's Nyquist to 1/2.
    """

    gain: Tensor
    weight: Tensor
    frequency: Tensor


def detail(sr: Tensor, hr: Tensor, scale: int) -> Detail:
    """The detail of each plane above the Nyquist frequency of LR, against that of HR.

    `protocol.prepare` has already rounded and cropped. Independent noise averages out of `detail`, blur gives
    its frequency response; a change of tone and a shift of up to two pixels are measured and taken out.

    Args:
        sr: model output, (N, C, H, W), floating point, in [0, 1].
        hr: ground truth, same shape and range.
        scale: factor of `sr` to LR, from 2.

    Returns:
        `Detail`, on the device of `sr`. A plane that is not finite, is flat, or has a side shorter than a
        window (32 pixels up to ×4, 64 at ×8) has NaN, and changes no other plane.

    Raises:
        ValueError: the shapes differ or are not four-dimensional, or `scale` is no integer from 2.

    Source: docs/over-smoothing.md, which gives the formulas.
    """
    size = _checked(sr, hr, scale)
    number, channels, height, width = sr.shape
    if min(height, width) < size or not number * channels:
        unknown = sr.new_full((number, channels), math.nan, dtype=torch.float64)
        return Detail(*(unknown for _ in Detail._fields))
    rings = _measure(sr, hr, scale, size)
    weights = _weigh(rings, scale, size)
    recovered = (weights.rings * (weights.windows @ rings.xy).squeeze(-2) / weights.energy).sum(dim=-1)
    invented = _invented(rings, weights, scale, size)
    presence = (recovered.clamp(min=0).square() + invented.square()).sqrt()
    own = rings.yy.sum(dim=(-2, -1))
    slope = torch.where(own > _NOTHING, rings.xy.sum(dim=(-2, -1)) / own, torch.nan)
    flat = weights.content < FLAT
    told = [torch.where(flat, torch.nan, one) for one in (recovered, invented, presence, slope)]
    fields = [*told, rings.contrast, rings.shift.norm(dim=-1), weights.content]
    return Detail(*(torch.where(rings.finite, one, torch.nan).reshape(number, channels) for one in fields))


def detail_ratio(sr: Tensor, hr: Tensor, scale: int) -> Tensor:
    """The share of HR's detail that SR recovered, (N, C): the first value of `detail`, which says more."""
    return detail(sr, hr, scale).detail


def detail_map(sr: Tensor, hr: Tensor, scale: int) -> DetailMap:
    """Where the detail of each plane was recovered, and where it is lost.

    Args:
        sr: model output, (N, C, H, W), floating point, in [0, 1], as for `detail`.
        hr: ground truth, same shape and range.
        scale: factor of `sr` to LR, from 2.

    Returns:
        `DetailMap`, on the device of `sr`. Empty (no rows, no columns) where a side is shorter than a window.

    Raises:
        ValueError: as for `detail`.
    """
    size = _checked(sr, hr, scale)
    number, channels, height, width = sr.shape
    rows, columns = (max(0, (side - size) // (size // 2) + 1) for side in (height, width))
    top, left = _first(height, size), _first(width, size)
    shape = number, channels, rows, columns
    if not math.prod(shape):
        nothing = sr.new_zeros(shape, dtype=torch.float64)
        return DetailMap(nothing, nothing, top, left, size, size // 2)
    rings = _measure(sr, hr, scale, size)
    weights = _weigh(rings, scale, size)
    of_ring = (weights.rings / weights.energy).unsqueeze(-1)
    there = (rings.xx @ of_ring).squeeze(-1)
    gain = (rings.xy @ of_ring).squeeze(-1) / there
    weight = weights.windows.squeeze(-2) * there
    # Windows with next to nothing in HR weigh little, but a sky has many: without them the mean is another.
    gain = torch.where((rings.xx.sum(dim=-1) > _NOTHING) & rings.finite[:, None], gain, torch.nan)
    return DetailMap(gain.reshape(shape), weight.reshape(shape), top, left, size, size // 2)


def detail_rings(sr: Tensor, hr: Tensor, scale: int) -> RingDetail:
    """At which frequencies the detail of each plane was recovered.

    Args:
        sr: model output, (N, C, H, W), floating point, in [0, 1], as for `detail`.
        hr: ground truth, same shape and range.
        scale: factor of `sr` to LR, from 2.

    Returns:
        `RingDetail`, on the device of `sr`. NaN where `detail` is: a plane that is flat or not finite, or has
        a side shorter than a window.

    Raises:
        ValueError: as for `detail`.
    """
    size = _checked(sr, hr, scale)
    number, channels, height, width = sr.shape
    frequency = _band(size, scale, sr.device).k / size
    shape = number, channels, len(frequency)
    if min(height, width) < size or not number * channels:
        unknown = sr.new_full(shape, math.nan, dtype=torch.float64)
        return RingDetail(unknown, unknown, frequency)
    rings = _measure(sr, hr, scale, size)
    weights = _weigh(rings, scale, size)
    told = (rings.finite & (weights.content >= FLAT))[:, None]
    gain = (weights.windows @ rings.xy).squeeze(-2) / weights.energy
    gain = torch.where(told & (weights.energy > _NOTHING), gain, torch.nan)
    weight = torch.where(told, weights.rings, torch.nan)
    return RingDetail(gain.reshape(shape), weight.reshape(shape), frequency)


def window_size(scale: int) -> int:
    """Side of the windows in which detail is measured, in pixels: 32 up to ×4, 64 at ×8."""
    return int(max(32, 2 ** math.ceil(math.log2(8 * scale))))


class _Rings(NamedTuple):
    """Of P = N·C planes, W windows and K rings of the band, in units of variance; float64."""

    xx: Tensor  # (P, W, K) HR's
    yy: Tensor  # (P, W, K) SR's, its contrast taken out
    xy: Tensor  # (P, W, K) what they share, the shift taken out
    mean: Tensor  # (P, W) SR's mean
    contrast: Tensor  # (P,)
    shift: Tensor  # (P, 2) pixels, y and x
    finite: Tensor  # (P,) bool


class _Weights(NamedTuple):
    windows: Tensor  # (P, 1, W)
    rings: Tensor  # (P, K), sums to 1
    energy: Tensor  # (P, K) HR's in each ring, windows weighted
    content: Tensor  # (P,)


def _checked(sr: Tensor, hr: Tensor, scale: int) -> int:
    """The side of a window."""
    check_same_shape(sr, hr)
    if isinstance(scale, bool) or not isinstance(scale, int) or scale < 2:
        raise ValueError(
            f"scale must be an integer from 2, not {scale!r} (sr {tuple(sr.shape)}, hr {tuple(hr.shape)})"
        )
    return window_size(scale)


@torch.no_grad()
def _measure(sr: Tensor, hr: Tensor, scale: int, size: int) -> _Rings:
    y, x = (planes.float().reshape(-1, *planes.shape[-2:]) for planes in (sr, hr))
    finite = y.isfinite().all(dim=-1).all(dim=-1) & x.isfinite().all(dim=-1).all(dim=-1)
    if not finite.all():
        y, x = (torch.where(finite[:, None, None], one, 0) for one in (y, x))
    with torch.autocast(y.device.type, enabled=False):
        contrast, shift = _register(y, x, scale)
        parts = zip(*_spectra(y, x, contrast, shift, scale, size), strict=True)
        xx, yy, xy, mean = (torch.cat(part, dim=1) for part in parts)
    return _Rings(xx, yy, xy, mean, contrast, shift, finite)


def _register(y: Tensor, x: Tensor, scale: int) -> tuple[Tensor, Tensor]:
    """SR's contrast (P,) and shift (P, 2) against HR, by least squares on both planes low-passed."""
    sigma = max(1.5, scale / 2)
    reach = math.ceil(3 * sigma)
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (weights / weights.sum()).tolist()
    height, width = x.shape[-2:]
    centre = x.mean(dim=(-2, -1), dtype=torch.float64)
    halo = reach + 1  # of the low-pass and the central difference
    moments = x.new_zeros((len(x), 4, 5), dtype=torch.float64)
    rows = max(1, _STRIP // (len(x) * width))
    for top in range(halo, height - halo, rows):
        strip = slice(top - halo, min(top + rows, height - halo) + halo)
        low_x, low_y = (_low_pass(one[:, strip], kernel) for one in (x, y))
        inside = low_x[:, 1:-1, 1:-1]
        columns = (
            (low_x[:, 2:, 1:-1] - low_x[:, :-2, 1:-1]) / 2,
            (low_x[:, 1:-1, 2:] - low_x[:, 1:-1, :-2]) / 2,
            inside - centre[:, None, None],
            torch.ones_like(inside),
            low_y[:, 1:-1, 1:-1],
        )
        stack = torch.stack([one.double().flatten(1) for one in columns], dim=1)
        moments += stack[:, :4] @ stack.mT
    moments /= max(1, (height - 2 * halo) * (width - 2 * halo))
    ridge = _RIDGE * torch.eye(4, dtype=torch.float64, device=x.device)
    found = torch.linalg.solve(moments[..., :4] + ridge, moments[..., 4])
    contrast = found[:, 2].clamp(0.5, 2)
    shift = -found[:, :2] / contrast[:, None]
    usable = (shift.isfinite() & (shift.abs() <= _MOST_SHIFT)).all(dim=-1, keepdim=True)
    return contrast, torch.where(usable, shift, 0)


def _low_pass(planes: Tensor, kernel: Sequence[float]) -> Tensor:
    """(P, H, W) under a separable, symmetric kernel, where it fits inside.

    As sums of shifted planes: 2.4 times as fast as convolutions of one channel on a CPU.
    """
    reach = len(kernel) // 2
    for axis in (1, 2):
        inside = planes.shape[axis] - 2 * reach
        total = planes.narrow(axis, reach, inside) * kernel[reach]
        for at in range(reach):
            pair = planes.narrow(axis, at, inside) + planes.narrow(axis, 2 * reach - at, inside)
            total.add_(pair, alpha=kernel[at])
        planes = total
    return planes


def _spectra(
    y: Tensor, x: Tensor, contrast: Tensor, shift: Tensor, scale: int, size: int
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """xx, yy, xy (P, w, K) and SR's mean (P, w), for one strip of windows after the other."""
    band = _band(size, scale, x.device)
    angle = 2 * math.pi * (shift @ band.frequencies)  # (P, bins)
    turn = torch.polar(torch.ones_like(angle), angle).to(torch.complex64)[:, None]
    stride = size // 2
    height, width = x.shape[-2:]
    count = (height - size) // stride + 1
    across = (width - size) // stride + 1
    top, left = _first(height, size), _first(width, size)
    rows = max(1, _STRIP // (len(x) * across * size * size))
    for first in range(0, count, rows):
        last = min(first + rows, count)
        strip = slice(top + first * stride, top + (last - 1) * stride + size)
        pixels = slice(left, left + (across - 1) * stride + size)
        both = torch.stack([x[:, strip, pixels], y[:, strip, pixels]])
        windows = both.unfold(-2, size, stride).unfold(-2, size, stride).flatten(2, 3)  # (2, P, w, n, n)
        mean = (windows * band.mean).sum(dim=(-2, -1), keepdim=True)
        spectra = torch.fft.rfft2((windows - mean) * band.hann).flatten(-2)
        of_x, of_y = spectra[0], spectra[1] / contrast.float()[:, None, None]
        shared = (of_x.conj() * of_y * turn).real
        power = [one.real.square() + one.imag.square() for one in (of_x, of_y)]
        sums = [(one @ band.sums).double() for one in (*power, shared)]
        yield sums[0], sums[1], sums[2], mean[1, ..., 0, 0].double()


class _Band(NamedTuple):
    hann: Tensor  # (n, n)
    mean: Tensor  # (n, n): weights of a mean
    frequencies: Tensor  # (2, B) cycles a pixel of a flattened rfft2, y and x, float64
    sums: Tensor  # (B, K): bins → rings, in units of variance; 0 for those outside the band
    k: Tensor  # (K,) numbers of the rings, float64
    population: Tensor  # (K,) bins of the whole spectrum in each ring, float64


@lru_cache(maxsize=16)
def _band(size: int, scale: int, device: torch.device) -> _Band:
    """The rings of the band: radial frequencies from LR's Nyquist 1/(2·scale) to 1/2 cycles a pixel."""
    window = torch.hann_window(size, periodic=True, dtype=torch.float64)
    hann = window[:, None] * window
    fy = torch.fft.fftfreq(size, dtype=torch.float64)[:, None].expand(size, size // 2 + 1)
    fx = torch.fft.rfftfreq(size, dtype=torch.float64).expand(size, size // 2 + 1)
    number = (size * (fy.square() + fx.square()).sqrt() + 0.5).floor().long().flatten()
    twice = torch.full((size, size // 2 + 1), 2.0, dtype=torch.float64)
    twice[:, [0, size // 2]] = 1
    k = torch.arange(size // (2 * scale) + 1, size // 2 + 1)
    member = (number[:, None] == k) * twice.flatten()[:, None]  # (bins, K)
    frequencies = torch.stack([fy.flatten(), fx.flatten()])
    unit = size**2 * hann.square().sum()
    return _Band(
        hann.float().to(device),
        (hann / hann.sum()).float().to(device),
        frequencies.to(device),
        (member / unit).float().to(device),
        k.double().to(device),
        member.sum(dim=0).to(device),
    )


def _first(side: int, size: int) -> int:
    """Where the first window of a centred grid begins."""
    return max(0, side - size) % (size // 2) // 2


def _weigh(rings: _Rings, scale: int, size: int) -> _Weights:
    """Strong edges and fine texture count alike, and so does each octave; what is flat hardly counts."""
    band = _band(size, scale, rings.xx.device)
    in_window = rings.xx.sum(dim=-1)
    windows = 1 / (in_window + _EPS**2)
    energy = (windows[:, None] @ rings.xx).squeeze(-2).clamp(min=_TINY)
    rounding = _STEP**2 * band.population / size**2 * windows.sum(dim=-1, keepdim=True)
    of_ring = energy / (energy + rounding) / band.k
    of_ring = of_ring / of_ring.sum(dim=-1, keepdim=True)
    return _Weights(windows[:, None], of_ring, energy, (in_window * windows).mean(dim=-1))


def _invented(rings: _Rings, weights: _Weights, scale: int, size: int) -> Tensor:
    """(P,): leftovers of SR that grow with HR's texture; noise spread evenly adds nothing."""
    k = _band(size, scale, rings.xx.device).k
    matched = rings.xy.square() / rings.xx.clamp(min=_NOTHING)
    left_over = ((1 - _ROUNDED) * rings.yy - matched).clamp(min=0) * k / (k - 1)
    kept = (rings.mean >= _CLIPPED) & (rings.mean <= 1 - _CLIPPED)
    kept |= kept.sum(dim=-1, keepdim=True) < _ENOUGH
    usual = torch.where(kept, left_over.sum(dim=-1), torch.nan).nanquantile(0.5, dim=-1, keepdim=True)
    spread = rings.xx.sum(dim=-1) + _EPS**2 + usual
    share = kept / spread
    logarithm = spread.log()
    centre = (share * logarithm).sum(dim=-1, keepdim=True) / share.sum(dim=-1, keepdim=True)
    slope = (share * (logarithm - centre))[:, None]  # (P, 1, W), sums to 0
    above, below = (slope @ left_over).squeeze(-2), (slope @ rings.xx).squeeze(-2)
    # A single window, or windows all alike, leave 0 / 0: what rounding makes of it is no answer.
    grows = below > _ALIKE * (share[:, None] @ rings.xx).squeeze(-2)
    squared = torch.where(grows, weights.rings * above / below, 0).sum(dim=-1)
    return squared.clamp(min=0).sqrt()
