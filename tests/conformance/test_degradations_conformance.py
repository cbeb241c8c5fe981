"""Degradations keep the promises of their kind; a fault planted in one is found by the check meant for it."""

import numpy as np
import pytest
import torch
from promised import finding, hold, made
from torch.nn.functional import avg_pool2d, conv2d, interpolate, pad

from srbench.registry import registry
from srbench.testing.conformance import examine

CHANCE = {"stochastic": True}


CLASSICAL = ("classical:order=down-blur-noise-jpeg", "classical:kernel=aniso,sigma_min=4,sigma_max=8")


@pytest.mark.parametrize(
    "typed",
    [
        *registry().names("degradation"),
        "bicubic:round=false",
        *(CLASSICAL if "classical" in registry().names("degradation") else ()),
    ],
)
def test_a_registered_degradation_keeps_its_promises(typed):
    hold("degradation", typed)


# Faults


def box(hr, scale):
    return avg_pool2d(hr, scale)


def halved(hr, scale):
    return hr[..., ::2, ::2]


def in_levels(hr, scale):
    return (255 * box(hr, scale)).round()


def divided(hr, scale):
    lr = box(hr, scale)
    return lr / lr.amax(dim=(1, 2, 3), keepdim=True)


def blurred(x, mode):
    """Under a 7×7 box."""
    planes = x.shape[1]
    kernel = torch.full((planes, 1, 7, 7), 1 / 49, dtype=x.dtype)
    wide = pad(x, (3, 3, 3, 3), mode=mode)
    return conv2d(wide, kernel, groups=planes)


def dark_edges(hr, scale):
    return box(blurred(hr, "constant"), scale)


def darker(hr, scale):
    return 0.9 * box(hr, scale)


def of_luma(hr, scale):
    red, green, blue = box(hr, scale).unbind(1)
    luma = 0.3 * red + 0.6 * green + 0.1 * blue
    return torch.stack([luma, luma, luma], 1)


def grainy(hr, scale):
    lr = box(hr, scale)
    return (lr + 0.02 * torch.randn(lr.shape)).clamp(0, 1)


def counting():
    calls = []

    def degrade(hr, scale):
        calls.append(scale)
        return (box(hr, scale) - 1e-3 * len(calls)).clamp(0, 1)

    return degrade


def whitened(hr, scale):
    lr = box(hr, scale)
    return (lr - lr.mean() + 0.5).clamp(0, 1)


def clipped_in_place(hr, scale):
    return box(hr.clamp_(0.1, 0.9), scale)


def drawn(hr, seeds, shape):
    """Noise of each picture, by a generator of its own."""
    return torch.cat([torch.randn(shape, generator=torch.Generator().manual_seed(int(one))) for one in seeds])


def grain(hr, scale, seeds):
    lr = box(hr, scale)
    return (lr + 0.02 * drawn(hr, seeds, (1, *lr.shape[1:]))).clamp(0, 1).to(hr.dtype)


def one_generator(hr, scale, seeds):
    lr = box(hr, scale)
    noise = torch.randn(lr.shape, generator=torch.Generator().manual_seed(int(seeds[0])))
    return (lr + 0.02 * noise).clamp(0, 1).to(hr.dtype)


def of_the_process(hr, scale, seeds):
    return (box(hr, scale) + 0.02 * torch.tensor(np.random.normal(size=(len(hr), 1, 1, 1)))).clamp(0, 1)


def signed_seeds(hr, scale, seeds):
    return grain(hr, scale, [torch.tensor(int(one), dtype=torch.int64) for one in seeds])


def all_alike(hr, scale, seeds):
    return box(hr, scale)


def wide(hr, scale, seeds):
    return box(blurred(grain(hr, 1, seeds), "reflect"), scale)


FAULTS = [
    (halved, {}, "shape", ("at ×3 became", "(2, 3, 13, 11)", "exactly 1/scale")),
    (signed_seeds, CHANCE, "shape", ("Overflow", "takes (hr, scale, seeds)")),
    (in_levels, {}, "range", ("LR of photographs reaches from", "divide 8-bit values by 255")),
    (divided, {}, "range", ("LR of black has values that are not finite", "division by 0")),
    (dark_edges, {}, "constant picture", ("100/255 throughout", "at its edges", "mirrored or repeated")),
    (darker, {}, "constant picture", ("10 levels another, everywhere", "Kernels sum to 1")),
    (of_luma, {}, "planes", ("hr (1, 1, 52, 44)", "it raised ValueError")),
    (grainy, {}, "repeatable", ("values of LR differ", "stochastic=True")),
    (of_the_process, CHANCE, "repeatable", ("values of LR differ", "from the picture's seed")),
    (whitened, {}, "batch", ("with what is beside it in the batch", "first dimension")),
    (one_generator, CHANCE, "batch", ("with what is beside it in the batch", "its own seed")),
    (all_alike, CHANCE, "seeds", ("the same LR by 6 seeds", "without stochastic=True")),
    (wide, CHANCE, "margin", ("At ×2 it declares a margin of 0 HR pixels", "how far its filters reach")),
    (wide, {**CHANCE, "margin": 1}, "margin", ("a margin of 2 HR pixels", "grey levels")),
    (clipped_in_place, {}, "inputs", ("changes HR in place", "hr.clone()")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("faulty", "options", "check", "words"), FAULTS, ids=[f"{one[0].__name__}-{one[2]}" for one in FAULTS]
)
def test_a_planted_fault_is_found_by_its_check_with_advice(faulty, options, check, words):
    found = finding(made("degradation", lambda: faulty, **options), check)
    assert found.state == "failed"
    assert not [one for one in words if one not in found.text], found.text


def test_state_between_calls_is_found():
    found = finding(made("degradation", counting), "repeatable")
    assert "keep no state between calls" in found.text


@pytest.mark.parametrize(
    ("build", "options"),
    [
        (lambda: box, {}),
        (lambda: lambda hr, scale: interpolate(hr, scale_factor=1 / scale, mode="bilinear"), {}),
        (lambda: grain, CHANCE),
        (lambda: wide, {**CHANCE, "margin": 3}),
    ],
)
def test_a_sound_degradation_passes(build, options):
    assert "failed" not in {found.state for found in examine(made("degradation", build, **options))}
