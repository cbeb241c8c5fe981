"""Trainers that break one promise each: the check that is meant for it finds it, and says what to change."""

import numpy as np
import pytest
import requests
import torch
from planted import advice, findings
from torch import nn

from srbench.api import Trainer
from srbench.testing.registration import Registration


class Sound(Trainer):
    """L1, and a judge that learns to tell SR from HR."""

    def modules(self, network, planes, scale):
        return {"network": network, "judge": nn.Conv2d(planes, 1, 3)}

    def step(self, modules, lr, hr, step, update):
        sr = modules["network"](lr + 0.01 * torch.randn_like(lr))
        pixel = (sr.float() - hr[max(hr)]).abs().mean()
        update(pixel, "network")
        told = modules["judge"](sr.detach()).mean() - modules["judge"](hr[max(hr)]).mean()
        update(told, "judge")
        return {"loss": pixel, "told": told}


class DrawsByNumpy(Sound):
    def modules(self, network, planes, scale):
        made = super().modules(network, planes, scale)
        made["judge"].weight.data += float(np.random.rand())
        return made


class Dotted(Sound):
    def modules(self, network, planes, scale):
        return {**super().modules(network, planes, scale), "a.b": nn.Conv2d(1, 1, 1)}


class NoModule(Sound):
    def modules(self, network, planes, scale):
        return {**super().modules(network, planes, scale), "scale": 3}


class Forgets(Sound):
    """The judge has no optimizer."""

    def optimizers(self, modules, build):
        return {"network": build(modules["network"].parameters())}

    def step(self, modules, lr, hr, step, update):
        loss = (modules["network"](lr) - hr[max(hr)]).abs().mean()
        update(loss)
        return {"loss": loss}


class Twice(Sound):
    def optimizers(self, modules, build):
        return {**super().optimizers(modules, build), "again": build(modules["judge"].parameters())}


class Idle(Sound):
    """The judge has an optimizer and never takes a step."""

    def step(self, modules, lr, hr, step, update):
        loss = (modules["network"](lr) - hr[max(hr)]).abs().mean()
        update(loss, "network")
        return {"loss": loss}


class Misnames(Sound):
    def step(self, modules, lr, hr, step, update):
        update((modules["network"](lr) - hr[max(hr)]).abs().mean(), "generator")
        return {"loss": torch.zeros(())}


class Fickle(Sound):
    def step(self, modules, lr, hr, step, update):
        logs = super().step(modules, lr, hr, step, update)
        return logs if step % 2 == 0 else {"loss": logs["loss"]}


class Vector(Sound):
    def step(self, modules, lr, hr, step, update):
        logs = super().step(modules, lr, hr, step, update)
        return {**logs, "told": logs["told"].expand(1)}


class Noisy(Sound):
    def step(self, modules, lr, hr, step, update):
        return super().step(modules, lr + float(np.random.rand()), hr, step, update)


class Counts(Sound):
    """Keeps how often it was called, and no checkpoint knows."""

    def __init__(self):
        self.count = 0

    def step(self, modules, lr, hr, step, update):
        self.count += 1
        return super().step(modules, lr + 0.1 * self.count, hr, step, update)


class Wavers(Sound):
    def predict(self, modules, lr, scale, rng):
        sr = modules["network"](lr)
        return sr + 0.1 * torch.randn_like(sr)


class Small(Sound):
    def predict(self, modules, lr, scale, rng):
        return modules["network"](lr)[..., :-1, :]


class OtherScale(Sound):
    def predict(self, modules, lr, scale, rng):
        return {3: modules["network"](lr)}


class Learns(Sound):
    """Nothing: what it trains by has no part in SR."""

    def step(self, modules, lr, hr, step, update):
        loss = 1 + 0 * modules["network"](lr).mean()
        update(loss, "network")
        update(modules["judge"](hr[max(hr)]).square().mean(), "judge")
        return {"loss": loss}


class Downloads(Sound):
    def modules(self, network, planes, scale):
        requests.get("http://weights.example.org/judge", timeout=1)
        return super().modules(network, planes, scale)


class Choosy(Sound):
    """Takes a network that no model here is."""

    def modules(self, network, planes, scale):
        raise ValueError("it trains networks with a velocity")


FAULTS = [
    (lambda: nn.Identity(), "builder", ["has no docstring"]),
    (nn.Identity, "builder", ["Its builder gives Identity. Derive it from srbench.api.Trainer"]),
    (DrawsByNumpy, "modules", ["Two draws from one seed differ in judge.weight"]),
    (Dotted, "modules", ["No module can be called 'a.b'"]),
    (NoModule, "modules", ["'scale' is int"]),
    (Forgets, "optimizers", ["No optimizer trains judge.weight, judge.bias", "requires_grad_(False)"]),
    (Twice, "optimizers", ["judge.weight in judge and again"]),
    (Idle, "trains", ["module 'judge' is as it was", "update(loss, …)"]),
    (Misnames, "logs", ["update() was called with 'generator'", "it has network, judge"]),
    (Fickle, "logs", ["reported ['loss'] at step 1, and ['loss', 'told'] in the first"]),
    (Vector, "logs", ["'told' as Tensor of shape (1,)"]),
    (Noisy, "repeatable", ["part within three steps", "torch's generator alone"]),
    (Counts, "resume", ["A trainer keeps nothing itself"]),
    (Wavers, "predict", ["two pictures of one", "generator=rng"]),
    (Small, "predict", ["LR of 12×12 at ×2 gives SR (4, 3, 23, 24), and not (4, 3, 24, 24)"]),
    (OtherScale, "predict", ["gives the scales [3], where ×2 must be"]),
    (Learns, "learns", ["its loss went from 1 to 1"]),
    (Downloads, "offline", ["asked weights.example.org"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("build", "check", "said"),
    FAULTS,
    ids=[f"{build.__name__}-{check}" for build, check, _ in FAULTS],
)
def test_a_fault_is_found_by_the_check_that_is_meant_for_it(build, check, said):
    with Registration() as register:
        register("trainer", "planted", build)
        text = advice("trainer", "planted", check)
    assert all(words in text for words in said), text


def test_what_the_faults_are_planted_in_is_sound():
    with Registration() as register:
        register("trainer", "planted", Sound)
        found = findings("trainer", "planted")
    assert {one.state for one in found.values()} == {"passed"}, found


def test_a_trainer_that_no_model_here_suits_is_not_judged():
    with Registration() as register:
        register("trainer", "planted", Choosy)
        found = findings("trainer", "planted")
    assert found["resume"].state == "skipped"
    assert "it trains networks with a velocity" in found["resume"].text
    assert "Name it in a recipe of a model" in found["resume"].text
