"""Models that break one promise each: the check that is meant for it finds it, and says what to change."""

import contextlib
import socket

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from planted import advice, findings
from torch import nn

from srbench.testing.registration import Registration


class Sound(nn.Module):
    """What every planted fault is made of: repeated pixels, and three convolutions on top of them."""

    def __init__(self, planes, scale):
        super().__init__()
        self.scale = scale
        self.head = nn.Conv2d(planes, 8, 3, padding=1)
        self.body = nn.Conv2d(8, 8, 3, padding=1)
        self.tail = nn.Conv2d(8, planes * scale**2, 3, padding=1)

    def inner(self, x):
        return torch.relu(self.body(torch.relu(x)))

    def forward(self, lr):
        repeated = lr.repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)
        return repeated + F.pixel_shuffle(self.tail(self.inner(self.head(lr))), self.scale)


class WrongAtThree(Sound):
    def forward(self, lr):
        sr = super().forward(lr)
        return sr[..., :-1] if self.scale == 3 else sr


class NoRunScale(Sound):
    def forward(self, lr):
        return {2: super().forward(lr)[..., ::2, ::2]} if self.scale == 4 else super().forward(lr)


class ForgetsPlanes(Sound):
    def __init__(self, planes, scale):
        super().__init__(3, scale)


class NeedsPairs(Sound):
    """Halves its features and doubles them again."""

    def inner(self, x):
        return x + super().inner(F.avg_pool2d(x, 2)).repeat_interleave(2, 2).repeat_interleave(2, 3)


class SeesTheBatch(Sound):
    def inner(self, x):
        return super().inner(x - x.mean(dim=(0, 2, 3), keepdim=True))


class NoisyWhenScored(Sound):
    def inner(self, x):
        return super().inner(x) + 0.1 * torch.rand_like(x)


class NoiseOfNumpy(Sound):
    def inner(self, x):
        return super().inner(x) + (float(np.random.rand()) if self.training else 0)


class DeadParameter(Sound):
    def __init__(self, planes, scale):
        super().__init__(planes, scale)
        self.gate = nn.Parameter(torch.ones(1))


class Silenced(Sound):
    def __init__(self, planes, scale):
        super().__init__(planes, scale)
        self.factor = 0.0

    def inner(self, x):
        return x + self.factor * super().inner(x)


class Faint(Sound):
    """So small a residual that training never shows."""

    def forward(self, lr):
        repeated = lr.repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)
        return repeated + 1e-6 * (super().forward(lr) - repeated)


class PlainTensor(Sound):
    def __init__(self, planes, scale):
        super().__init__(planes, scale)
        self.mean = torch.full((1, planes, 1, 1), 0.4)

    def forward(self, lr):
        return super().forward(lr - self.mean) + self.mean


class MadeElsewhere(Sound):
    def inner(self, x):
        return super().inner(x) + torch.linspace(0, 1, x.shape[-1])


class WholePicture(Sound):
    def inner(self, x):
        return super().inner(F.instance_norm(x))


class DrawnByNumpy(Sound):
    def __init__(self, planes, scale):
        super().__init__(planes, scale)
        self.body.weight.data = torch.from_numpy(np.random.randn(8, 8, 3, 3).astype("float32"))


def unseeded():
    return torch.Generator().manual_seed(int(np.random.default_rng().integers(9**9)))


class DrawnByItsOwn(Sound):
    def __init__(self, planes, scale):
        super().__init__(planes, scale)
        nn.init.normal_(self.body.weight, generator=unseeded())


class SeedsTorch(Sound):
    def __init__(self, planes, scale):
        torch.manual_seed(0)
        super().__init__(planes, scale)


class Lenient(Sound):
    def load_state_dict(self, state, strict=True, assign=False):
        return super().load_state_dict(state, strict=False)


class Counts(Sound):
    """Keeps a running mean where no checkpoint finds it."""

    def __init__(self, planes, scale):
        super().__init__(planes, scale)
        self.level = 0.5

    def forward(self, lr):
        if self.training:
            self.level = 0.9 * self.level + 0.1 * float(lr.mean())
        return super().forward(lr) + 0.1 * self.level


class Grows(Sound):
    """Makes a layer when it is first needed."""

    def inner(self, x):
        if not hasattr(self, "late"):
            self.late = nn.Conv2d(8, 8, 1)
        return self.late(super().inner(x))


class Calls(Sound):
    def __init__(self, planes, scale):
        super().__init__(planes, scale)
        with contextlib.suppress(OSError):  # it does without
            socket.create_connection(("weights.example.org", 443), timeout=1)


class Divides(Sound):
    def forward(self, lr):
        return super().forward(lr) / lr.std(dim=(1, 2, 3), keepdim=True)


class Overwrites(Sound):
    def forward(self, lr):
        return super().forward(lr.sub_(0.5)) + 0.5


class Cancels(Sound):
    """Adds a thousand and takes it away: bf16 has no digits left for what is between."""

    def forward(self, lr):
        repeated = lr.repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)
        residual = F.pixel_shuffle(self.tail(self.inner(self.head(lr))), self.scale)
        return repeated + ((residual + 1000) - 1000)


class Refuses(Sound):
    def __init__(self, planes, scale):
        if scale == 3:
            raise ValueError("×3 is not done")
        super().__init__(planes, scale)


class NoModule(Sound):
    def __new__(cls, planes, scale):
        return lambda lr: lr


def undocumented(planes, scale, width: int = 8):
    return Sound(planes, scale)


def unannotated(planes, scale, width=8):
    """A network."""
    return Sound(planes, scale)


def misfitting(planes, scale, width: int = "wide"):
    """A network."""
    return Sound(planes, scale)


def takes_all(path):
    return {}


def lets_through(path):
    return {}[path]


RECIPE = {"default": {"loss": "charbonnier", "steps": 10}}
FAULTS = [
    (WrongAtThree, {"scales": (2, 3)}, "shapes", ["at ×3", "Mend its forward, or leave 3 out of scales"]),
    (NoRunScale, {"scales": (4,)}, "shapes", ["gives the scales [2], where ×4 must be"]),
    (ForgetsPlanes, {}, "shapes", ["planes=1", "Use `planes` for the channels of LR and SR"]),
    (Refuses, {"scales": (2, 3)}, "shapes", ["cannot be built with planes=3, scale=3", "×3 is not done"]),
    (NeedsPairs, {}, "size multiple", ["size_multiple=1", "register it with size_multiple=2"]),
    (Sound, {"size_multiple": 0}, "size multiple", ["size_multiple is 0"]),
    (NoModule, {}, "size multiple", ["returns function, not a torch.nn.Module"]),
    (SeesTheBatch, {}, "batch", ["when two others are in its batch", "track_running_stats"]),
    (NoisyWhenScored, {}, "repeatable", ["two results in scoring", "self.training"]),
    (NoiseOfNumpy, {}, "repeatable", ["part after two steps", "torch's generator alone"]),
    (DeadParameter, {}, "gradients", ["gate, of 7 trainable parameters, had no part in SR"]),
    (Silenced, {}, "gradients", ["body.bias, body.weight stayed zero", "a factor of zero"]),
    (Faint, {}, "learns", ["of its first loss at a rate of 0.001", "too small or large"]),
    (PlainTensor, {}, "device", ["mean, a plain attribute", "register_buffer(…, persistent=False)"]),
    (MadeElsewhere, {}, "device", ["a tensor of shape (12,)", "device=x.device"]),
    (WholePicture, {}, "tiles", ["looks at a whole picture at once", "tileable=False"]),
    (WholePicture, {"tileable": lambda: True}, "tiles", ["looks at a whole picture at once"]),
    (Sound, {"tileable": "srbench.nowhere:tileable"}, "tiles", ["cannot be loaded from srbench.nowhere"]),
    (DrawnByNumpy, {}, "seeded", ["draws from numpy.random", "srbench seeds torch's generator"]),
    (DrawnByItsOwn, {}, "seeded", ["Two networks of one seed differ in body.weight"]),
    (SeedsTorch, {}, "seeded", ["--seed changes nothing", "Leave torch.manual_seed out"]),
    (Lenient, {}, "state", ["takes a state without", "Leave load_state_dict strict"]),
    (Counts, {}, "state", ["After the step that follows a resume", "not a plain attribute"]),
    (Grows, {}, "state", ["late.weight", "and not in forward"]),
    (Calls, {}, "offline", ["asked weights.example.org", "bring what is needed in the package"]),
    (Divides, {}, "finite", ["Of a black picture", "without an epsilon"]),
    (Overwrites, {}, "input", ["changes the LR picture", "trailing underscore"]),
    (Cancels, {}, "bf16", ["bf16 changes SR by", "in float32"]),
    (undocumented, {}, "builder", ["has no docstring"]),
    (unannotated, {}, "builder", ["a parameter 'width' without an annotation"]),
    (misfitting, {}, "builder", ["The default of 'width' does not fit", "cannot take width=wide"]),
    (Sound, {"recipes": {"default": {"lose": "l1"}}}, "recipes", ["sets 'lose', which is no setting"]),
    (Sound, {"recipes": {"fast": {"loss": "charbonier"}}}, "recipes", ["Recipe 'fast'", "Did you mean"]),
    (Sound, {"recipes": {"odd": {"patch": 50}}, "scales": (4,)}, "recipes", ["no patch that any"]),
    (Sound, {"reader": takes_all}, "reader", ["takes a text file for weights"]),
    (Sound, {"reader": lets_through}, "reader", ["its reader says KeyError", "raise ValueError"]),
    (Sound, {"terms": lambda: None}, "terms", ["Its terms are NoneType, not text"]),
    (Sound, {"terms": "srbench.nowhere:terms"}, "terms", ["cannot be loaded from srbench.nowhere:terms"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("build", "options", "check", "said"),
    FAULTS,
    ids=[f"{build.__name__}-{check}-{number}" for number, (build, _, check, _) in enumerate(FAULTS)],
)
def test_a_fault_is_found_by_the_check_that_is_meant_for_it(build, options, check, said):
    with Registration() as register:
        register("model", "planted", build, **options)
        text = advice("model", "planted", check)
    assert all(words in text for words in said), text


def test_what_the_faults_are_planted_in_is_sound():
    with Registration() as register:
        register("model", "planted", Sound, recipes=RECIPE, terms=lambda scale=2: f"×{scale}")
        found = findings("model", "planted")
    states = {name: one.state for name, one in found.items()}
    assert states.pop("reader") == "skipped"
    assert set(states.values()) == {"passed"}, found


def test_what_was_never_promised_is_not_demanded():
    """A network that must see whole pictures, one with a size multiple, and one that is not trained."""
    with Registration() as register:
        register("model", "whole", WholePicture, tileable=False)
        register("model", "sized", WholePicture, tileable=lambda: False)
        register("model", "pairs", NeedsPairs, size_multiple=2)
        register("model", "fixed", lambda planes, scale: nn.Upsample(scale_factor=scale), trainable=False)
        skips = {
            "whole": {"tiles"},
            "sized": {"tiles"},
            "pairs": set(),
            "fixed": {"gradients", "learns", "state", "bf16"},
        }
        for name, skipped in skips.items():
            found = findings("model", name)
            assert {key for key, one in found.items() if one.state == "failed"} <= {"builder"}, found
            assert {key for key, one in found.items() if one.state == "skipped"} >= skipped


def test_a_network_whose_forward_needs_values_is_not_judged_without_a_gpu(monkeypatch):
    class Looks(Sound):
        """A network."""

        def inner(self, x):
            return super().inner(x) if x.mean().item() > -9 else x

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with Registration() as register:
        register("model", "planted", Looks)
        found = findings("model", "planted")["device"]
    assert (found.state, "no GPU" in found.text) == ("skipped", True)
