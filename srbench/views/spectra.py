"""Spectra of HR and of runs over the same pictures, plane by plane: where along frequency detail is lost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srbench.images.png import to_tensor
from srbench.metrics.detail import detail_rings
from srbench.metrics.protocol import planes_of, prepare
from srbench.types import Plane
from srbench.views.pictures import Gallery, Pixels

HR, BICUBIC = "HR", "bicubic"
"""What stands for a run id in spectra that are of no run."""

WINDOWS = (64, 32)
"""Sides of the windows, in pixels: the largest that fits into every picture."""

_STRIP = 256  # windows transformed at once


@dataclass(frozen=True)
class Spectrum:
    """Radial power of one plane: mean over windows, then over pictures.

    Args:
        run_id: of the run; `HR` or `BICUBIC`. `label`: what it is called.
        plane: r, g, b or y.
        frequency: (K,), cycles a pixel of HR, of rings from one cycle a window to 1/2.
        power: (K,), power density: variance of a plane in [0, 1] for each (cycle a pixel)².
    """

    run_id: str
    label: str
    plane: Plane
    frequency: NDArray[np.float64]
    power: NDArray[np.float64]


@dataclass(frozen=True)
class OctaveDetail:
    """Share of HR's detail that was recovered in one octave: `Detail.detail` of those rings alone.

    Args:
        run_id, label, plane: as in `Spectrum`.
        low, high: ends of the octave, in cycles a pixel; the highest ends at 1/2, the lowest at LR's Nyquist.
        detail: mean over the pictures that have an answer; NaN where none has.
    """

    run_id: str
    label: str
    plane: Plane
    low: float
    high: float
    detail: float


@dataclass(frozen=True)
class Spectra:
    """What `spectra_of` returns.

    Args:
        spectra: by plane, then HR, bicubic and the runs.
        octaves: by plane, then bicubic and the runs, octaves rising.
        nyquist: of LR, in cycles a pixel of HR.
        pictures: names of those that all of this is a mean over.
        notes: what was left out, and why.
    """

    spectra: Sequence[Spectrum]
    octaves: Sequence[OctaveDetail]
    nyquist: float
    pictures: Sequence[str]
    notes: Sequence[str]


def spectra_of(gallery: Gallery) -> Spectra:
    """Radial power of HR, bicubic and every run, and what each recovered of HR's detail by octave.

    Over those pictures that every run has; a run that has none is left out. Windows are Hann, half of their
    side apart, their mean taken out. Planes are as scoring takes them, no border left out.
    """
    scale, notes = gallery.scene.scale, []
    shown = [one for one in gallery.shown if one.pictures]
    names = [name for name in gallery.originals if all(name in one.pictures for one in shown)]
    for name in gallery.originals:
        if name not in names:
            without = ", ".join(one.label for one in shown if name not in one.pictures)
            notes.append(f"{name} is left out of the spectra: {without} has no picture of it.")
    large = [name for name in names if min(gallery.originals[name].hr.shape[:2]) >= WINDOWS[-1]]
    notes += [
        f"{name} is left out of the spectra: it is smaller than {WINDOWS[-1]}×{WINDOWS[-1]} pixels."
        for name in names
        if name not in large
    ]
    if not large:
        return Spectra([], [], 0.5 / scale, [], notes)
    least = min(min(gallery.originals[name].hr.shape[:2]) for name in large)
    size = next(side for side in WINDOWS if side <= least)
    everything: tuple[Plane, ...] = ("r", "g", "b", "y")
    hr = {name: gallery.originals[name].hr for name in large}
    bicubic = {name: gallery.originals[name].bicubic for name in large}
    sources = [(HR, HR, everything, hr), (BICUBIC, BICUBIC, everything, bicubic)]
    sources += [
        (one.run_id, one.label, one.planes, {name: one.pictures[name] for name in large}) for one in shown
    ]
    seen = {plane for one in shown for plane in one.planes} or set(everything)
    planes = [plane for plane in everything if plane in seen]
    frequency = np.arange(1, size // 2 + 1) / size
    spectra: list[Spectrum] = []
    octaves: list[OctaveDetail] = []
    for run_id, label, has, pictures in sources:
        mine = [plane for plane in planes if plane in has]
        power = np.mean([radial_power(_planes(one, mine), size) for one in pictures.values()], axis=0)
        spectra += [Spectrum(run_id, label, plane, frequency, power[at]) for at, plane in enumerate(mine)]
        if run_id != HR:
            octaves += _octaves(run_id, label, mine, pictures, hr, scale)
    order = {plane: at for at, plane in enumerate(planes)}
    return Spectra(
        sorted(spectra, key=lambda one: order[one.plane]),
        sorted(octaves, key=lambda one: order[one.plane]),
        0.5 / scale,
        large,
        notes,
    )


def radial_power(planes: Tensor, size: int) -> NDArray[np.float64]:
    """Power density of each plane in rings 1 … size/2 of a frequency step of 1/size, mean over windows.

    Args:
        planes: (1, C, H, W) in [0, 1], sides of at least `size`.
        size: side of a window, even.

    Returns:
        (C, size/2): the variance of the plane for each (cycle a pixel)². White noise of variance v has v in
        every ring but the first, of which the mean takes a part along.
    """
    window = torch.hann_window(size, periodic=True, dtype=torch.float64)
    hann = window[:, None] * window
    fy = torch.fft.fftfreq(size, dtype=torch.float64)[:, None]
    fx = torch.fft.rfftfreq(size, dtype=torch.float64)
    ring = (size * (fy.square() + fx.square()).sqrt() + 0.5).floor().long().flatten()
    twice = torch.full((size, size // 2 + 1), 2.0, dtype=torch.float64)  # rfft2 keeps one of each pair
    twice[:, [0, size // 2]] = 1
    member = (ring[:, None] == torch.arange(1, size // 2 + 1)) * twice.flatten()[:, None]
    windows = planes[0].float().unfold(-2, size, size // 2).unfold(-2, size, size // 2).flatten(1, 2)
    total = torch.zeros(len(windows), size // 2, dtype=torch.float64)
    taper = hann.float()
    for part in torch.split(windows, _STRIP, dim=1):
        mean = (part * taper).sum(dim=(-2, -1), keepdim=True) / taper.sum()
        spectrum = torch.fft.rfft2((part - mean) * taper).flatten(-2)
        total += (spectrum.real.square() + spectrum.imag.square()).sum(dim=1, dtype=torch.float64) @ member
    density = total / windows.shape[1] / member.sum(dim=0) / hann.square().sum()
    found: NDArray[np.float64] = density.numpy()
    return found


def _octaves(
    run_id: str,
    label: str,
    planes: Sequence[Plane],
    pictures: dict[str, Pixels],
    hr: dict[str, Pixels],
    scale: int,
) -> list[OctaveDetail]:
    edges = [0.5]
    while edges[0] > 0.5 / scale * (1 + 1e-9):
        edges.insert(0, max(edges[0] / 2, 0.5 / scale))
    values = np.full((len(pictures), len(planes), len(edges) - 1), math.nan)
    for number, (name, sr) in enumerate(pictures.items()):
        pair = prepare(to_tensor(sr), to_tensor(hr[name]), list(planes), 0)
        found = detail_rings(*pair, scale)
        gain, weight = found.gain[0].numpy(), found.weight[0].numpy()
        frequency = found.frequency.numpy()
        for at, (low, high) in enumerate(pairwise(edges)):
            inside = (frequency > low) & (frequency <= high)
            there = np.where(np.isfinite(gain[:, inside]), weight[:, inside], 0)
            with np.errstate(invalid="ignore"):
                values[number, :, at] = (there * np.nan_to_num(gain[:, inside])).sum(axis=1) / there.sum(
                    axis=1
                )
    counted = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        means = np.where(counted, values, 0).sum(axis=0) / counted.sum(axis=0)
    return [
        OctaveDetail(run_id, label, plane, edges[at], edges[at + 1], float(means[number, at]))
        for number, plane in enumerate(planes)
        for at in range(len(edges) - 1)
    ]


def _planes(pixels: Pixels, planes: Sequence[Plane]) -> Tensor:
    return planes_of(to_tensor(pixels), list(planes))
