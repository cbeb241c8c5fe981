"""Losses keep the promises of their kind; a fault planted in one is found by the check meant for it."""

import itertools

import numpy as np
import pytest
import torch
from promised import finding, hold, made
from torch import nn
from torch.nn import functional as F

from srbench.api import SizeError
from srbench.entries import describe
from srbench.metrics.backbones import set_weights_dir
from srbench.plugins import Plugin
from srbench.registry import registry
from srbench.testing.conformance import examine
from srbench.testing.differences import check_gradient

TYPED = {"lpips": "lpips:net=squeeze", "vgg": "vgg:net=squeeze", "gan": "gan:features=8"}
"""Where the defaults are a backbone that the assets lack, or larger than a test needs."""


@pytest.mark.parametrize(
    "typed",
    [
        *(TYPED.get(name, name) for name in registry().names("loss")),
        *(["gan:critic=patch,features=8,start=5"] if "gan" in registry().names("loss") else []),
    ],
)
def test_a_registered_loss_keeps_its_promises(typed, request):
    if typed.partition(":")[0] in ("lpips", "vgg"):
        set_weights_dir(request.getfixturevalue("assets") / "weights")
    try:
        hold("loss", typed)
    finally:
        set_weights_dir(None)


# Faults


def l1(sr, hr):
    return (sr - hr).abs().mean()


def asks_for_more(sr, hr, epoch):
    return l1(sr, hr) / epoch


def vector(sr, hr):
    return (sr - hr).abs().mean(dim=(1, 2, 3))


def of_three_planes(sr, hr):
    red, green, blue = (sr - hr).abs().mean(dim=(0, 2, 3))
    return red + green + blue


def cut_off(sr, hr):
    return l1(sr.detach(), hr)


def root(sr, hr):
    return (sr - hr).square().mean().sqrt()


def logarithm(sr, hr):
    return (sr / hr.clamp(min=0.1)).log().abs().mean()


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, difference):
        ctx.save_for_backward(difference)
        return difference.square().mean()

    @staticmethod
    def backward(ctx, gradient):
        (difference,) = ctx.saved_tensors
        return gradient * 4 * difference / difference.numel()


def wrong_backward(sr, hr):
    return Doubled.apply(sr - hr)


def in_place(sr, hr):
    return l1(sr, hr.sub_(hr.mean()))


def numpy_noise(sr, hr):
    return l1(sr, hr) * (1 + 1e-3 * np.random.default_rng().random())


def pooled(sr, hr):
    return l1(F.avg_pool2d(sr, 16), F.avg_pool2d(hr, 16))


class Idle(nn.Module):
    """Has a parameter that it does not use."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.unused = nn.Parameter(torch.ones(()))

    def forward(self, sr, hr):
        return self.weight * l1(sr, hr)


class Forgetful(nn.Module):
    """Divides by a running mean of its own, which no checkpoint has."""

    def __init__(self):
        super().__init__()
        self.running = 1.0

    def forward(self, sr, hr):
        value = l1(sr, hr)
        self.running = 0.9 * self.running + 0.1 * float(value)
        return value / self.running


class Growing(nn.Module):
    """Makes a buffer when it is first called."""

    def forward(self, sr, hr):
        if not hasattr(self, "calls"):
            self.register_buffer("calls", torch.zeros(()))
        return l1(sr, hr)


class Adversarial(nn.Module):
    """As small as a loss with a critic can be."""

    def __init__(self):
        super().__init__()
        self.critic = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 1, 3, padding=1))

    def critic_parameters(self):
        return list(self.critic.parameters())

    def forward(self, sr):
        self.said = self.critic(sr)
        return -self.said.mean()

    def critic_loss(self, sr, hr):
        return F.relu(1 - self.critic(hr)).mean() + F.relu(1 + self.critic(sr)).mean()


class Leaking(Adversarial):
    """Its critic is trained by what it said of SR when networks were judged."""

    def critic_loss(self, sr, hr):
        return F.relu(1 - self.critic(hr)).mean() + F.relu(1 + self.said).mean()


class Untrained(Adversarial):
    """Names no parameters of its critic."""

    def critic_parameters(self):
        return []


def charbonnier(sr, hr):
    return ((sr - hr).square() + 1e-6).sqrt().mean()


def summed(sr, hr):
    return (sr - hr).abs().sum()


FAULTS = [
    (asks_for_more, {}, "arguments", ("asks for 'epoch'", "rename")),
    (vector, {}, "one number", ("tensor (2,)", "a loss is one number", ".mean()")),
    (of_three_planes, {}, "one number", ("sr and hr (2, 1, 24, 24)", "not enough values", "1 or 3")),
    (cut_off, {}, "gradient", ("No gradient reaches SR of 1 planes", ".item()")),
    (root, {}, "extremes", ("With SR equal to HR, the gradient of 1152 of 1152 pixels is not finite", "add")),
    (logarithm, {}, "extremes", ("For SR from −10 to 11", "nan", "Look for")),
    (wrong_backward, {}, "float64", ("its gradient says", "differences of its value say", "Correct")),
    (in_place, {}, "inputs", ("changes hr in place", "clone()")),
    (numpy_noise, {}, "repeatable", ("Two instances built alike give", "Draw from torch's")),
    (pooled, {}, "small patches", ("2×2 pixels it raised RuntimeError", "SizeError")),
    (Idle, {}, "parameters", ("unused is trainable and gets no gradient", "freeze it")),
    (Forgetful, {}, "resumes", ("After two steps it gives", "register_buffer")),
    (Growing, {}, "resumes", ("adds or removes parameters or buffers (calls)", "__init__")),
    (Leaking, {"domain": "rgb"}, "critic", ("goes back to the networks", "anew")),
    (Untrained, {"domain": "rgb"}, "critic", ("names no trainable parameter", "self.critic.parameters()")),
    (charbonnier, {"laws": ["zero at equality"]}, "zero at equality", ("gives 0.001", "need not be zero")),
    (summed, {"laws": ["mean over the batch"]}, "mean over the batch", ("on average", "--processes")),
    (l1, {"facts": lambda: {"at": next(COUNT)}}, "facts", ('facts gave {"at":', "leave out")),
]  # fmt: skip
COUNT = itertools.count()


@pytest.mark.parametrize(
    ("faulty", "options", "check", "words"), FAULTS, ids=[f"{one[0].__name__}-{one[2]}" for one in FAULTS]
)
def test_a_planted_fault_is_found_by_its_check_with_advice(faulty, options, check, words):
    builder = faulty if isinstance(faulty, type) else lambda: faulty
    found = finding(made("loss", builder, **options), check)
    assert found.state == "failed"
    assert not [one for one in words if one not in found.text], found.text


def test_a_function_that_is_registered_in_place_of_its_builder_is_told_of():
    found = finding(made("loss", lambda: torch.zeros(())), "one number")
    assert found.text.startswith("Its builder returned Tensor, which cannot be called.")


# What is legitimate


class Counting(nn.Module):
    """Learns its weight, draws, keeps a buffer, has a frozen part, and wants 20 pixels a side."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(()))
        self.frozen = nn.Parameter(torch.rand(()), requires_grad=False)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, sr, hr, lr, scale, step):
        if min(sr.shape[-2:]) < 20:
            raise SizeError("it needs at least 20 pixels a side")
        self.calls += 1
        mask = torch.rand(sr.shape) > 0.1
        return self.weight.exp() * self.frozen * l1(mask * sr, mask * hr) / self.calls


def test_a_loss_that_learns_draws_and_counts_is_legitimate():
    states = {found.check: found.state for found in examine(made("loss", Counting))}
    undeclared = {"critic", "zero at equality", "mean over the batch", "facts"}
    assert {check for check, state in states.items() if state != "passed"} == undeclared


def test_a_law_that_is_not_declared_is_not_demanded():
    states = {found.check: found.state for found in examine(made("loss", lambda: summed))}
    assert states["mean over the batch"] == states["zero at equality"] == "skipped"
    assert "failed" not in states.values()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"laws": ["zero at equality", "convex"]},
            "unknown law 'convex'; laws of a loss are 'zero at equality' and",
        ),
        ({"laws": "zero at equality"}, "laws are a list"),
    ],
)
def test_a_law_that_there_is_not_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        describe("loss", "made", Plugin("test", "test-dist", "1.0"), l1, options)


def test_a_kink_close_by_is_no_wrong_gradient():
    """A wide network of rectifiers has some wherever it is looked at."""
    at = torch.rand(1, 3, 8, 8, dtype=torch.float64)
    check_gradient(lambda sr: (sr - at - 1e-8).abs().sum(), at)
