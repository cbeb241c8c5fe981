"""Metrics keep the promises of their kind; a fault planted in one is found by the check meant for it."""

import math
from typing import NamedTuple

import pytest
import torch
from promised import finding, hold, made
from torch import Tensor

from srbench.entries import describe
from srbench.metrics.backbones import set_weights_dir
from srbench.metrics.psnr import psnr
from srbench.metrics.ssim import ssim
from srbench.plugins import Plugin
from srbench.registry import registry
from srbench.testing.conformance import examine

TYPED = {"lpips": "lpips:net=squeeze", "pyiqa": "pyiqa:name=psnr"}
"""Where there is no default, or it is a backbone that the assets lack."""


@pytest.mark.parametrize("name", registry().names("metric"))
def test_a_registered_metric_keeps_its_promises(name, request):
    if name == "lpips":
        set_weights_dir(request.getfixturevalue("assets") / "weights")
    try:
        hold("metric", TYPED.get(name, name))
    finally:
        set_weights_dir(None)


# Faults


def error(sr, hr):
    return (sr.double() - hr.double()).abs().mean(dim=(2, 3))


def of_hr(hr):
    return hr.double().std(dim=(2, 3))


def one_a_picture(sr, hr):
    return error(sr, hr).mean(dim=1)


def elsewhere(sr, hr):
    return error(sr, hr).to("meta")


def correlation(sr, hr):
    a, b = (one.double() - one.double().mean(dim=(2, 3), keepdim=True) for one in (sr, hr))
    norm = (a.square().sum(dim=(2, 3)) * b.square().sum(dim=(2, 3))).sqrt()
    return (a * b).sum(dim=(2, 3)) / norm.clamp(min=1e-12)


def offset(sr, hr):
    return 0.1 + error(sr, hr)


def sharpness(sr):
    return sr.double().diff(dim=3).abs().mean(dim=(2, 3))


def likes_error(sr, hr):
    return (error(sr, hr) - 0.05).abs()


def of_the_batch(sr, hr):
    return error(sr, hr) / hr.max()


def of_the_whole_batch(sr, hr):
    return error(sr, hr) / error(sr, hr).mean().clamp(min=1e-9)


def forgiving(sr, hr):
    return error(sr.nan_to_num(0), hr)


def spoiling(sr, hr):
    return error(sr, hr) if sr.isfinite().all() else torch.full(sr.shape[:2], math.nan)


def strict(sr, hr):
    if not sr.isfinite().all():
        raise RuntimeError("not finite")
    return error(sr, hr)


def in_place(sr, hr):
    return error(sr.sub_(sr.mean(dim=(2, 3), keepdim=True)), hr)


def drawn(sr, hr):
    return error(sr, hr) * (1 + 0.01 * torch.rand(()).double())


def moving(sr, hr):
    torch.manual_seed(0)
    return error(sr, hr)


def windowed(sr, hr):
    return (sr - hr).abs().unfold(2, 11, 1).mean(dim=(2, 3, 4))


class Pair(NamedTuple):
    error: Tensor


def several(sr, hr):
    return Pair(error(sr, hr))


LOWER, HIGHER = {"better": "lower"}, {"better": "higher"}
FAULTS = [
    (of_hr, HIGHER, "arguments", ("neither sr nor degraded", "names of its arguments")),
    (one_a_picture, LOWER, "shape", ("torch.float64 (2,)", "(2, 4)", "height and width alone")),
    (error, {**LOWER, "planes": ["rgb"]}, "shape", ("(2, 3)", "(2,)", "over channels")),
    (elsewhere, LOWER, "shape", ("scores are on meta, and its pictures on cpu", "device=sr.device")),
    (psnr, LOWER, "direction", ("better='lower'", "blur: ", "Declare the other direction")),
    (ssim, LOWER, "direction", ("better='lower'", "noise: ", "'neither'")),
    (sharpness, HIGHER, "direction", ("noise: ", "'neither'")),
    (offset, {**LOWER, "bounds": (0, 9)}, "perfect", ("gives 0.1", "its best value is 0 by its bounds")),
    (likes_error, LOWER, "perfect", ("Where SR equals HR it gives 0.05", "so that equal ones are best")),
    (correlation, {**HIGHER, "bounds": (0, 1)}, "bounds", ("bounds=(0, 1)", "-1", "the negative of HR")),
    (of_the_whole_batch, LOWER, "batch", ("alone", "beside another", "first dimension")),
    (forgiving, LOWER, "not finite", ("a pixel of SR that is NaN it gives", "torch.where")),
    (spoiling, LOWER, "not finite", ("beside one that has a NaN", "its own pixels")),
    (strict, LOWER, "not finite", ("RuntimeError: not finite", "Give NaN for that picture")),
    (in_place, LOWER, "inputs", ("changes sr in place", "clone()")),
    (drawn, LOWER, "repeatable", ("moves torch's generator", "of its own")),
    (moving, LOWER, "repeatable", ("moves torch's generator", "of its own")),
    (windowed, LOWER, "small pictures", ("(1, 4, 1, 1)", "RuntimeError", "is NaN")),
    (several, {**LOWER, "field": "distance"}, "field", ("returned Pair without such a field", "NamedTuple")),
    (error, {**LOWER, "facts": lambda: {"w": torch.ones(1)}}, "facts", ("facts raised", "a dict of text")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("faulty", "options", "check", "words"), FAULTS, ids=[f"{one[0].__name__}-{one[2]}" for one in FAULTS]
)
def test_a_planted_fault_is_found_by_its_check_with_advice(faulty, options, check, words):
    found = finding(made("metric", faulty, **options), check)
    assert found.state == "failed"
    assert not [one for one in words if one not in found.text], found.text


def test_the_same_metric_declared_truly_passes():
    states = {
        found.check: found.state
        for found in examine(made("metric", correlation, better="higher", bounds=(-1, 1)))
    }
    assert {check for check, state in states.items() if state != "passed"} == {"field", "facts"}


def test_what_ranks_nothing_need_have_no_direction():
    found = {one.check: one for one in examine(made("metric", sharpness, better="neither"))}
    assert found["direction"].state == found["perfect"].state == "skipped"
    assert found["direction"].text == "It declares better='neither': it describes pictures and ranks nothing."
    assert "failed" not in {one.state for one in found.values()}


@pytest.mark.parametrize("bounds", [(1, 0), (0, math.nan), (0,), "01", 1])
def test_bounds_that_cannot_be_are_refused(bounds):
    with pytest.raises(ValueError, match="bounds are the least and the greatest value"):
        describe("metric", "made", Plugin("test", "test-dist", "1.0"), error, {**LOWER, "bounds": bounds})
