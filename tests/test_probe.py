"""The loss microscope against what is known: l2 is 1, a filter is its response, sums are sums."""

import json
import math
import types

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small import picture_folder, small_job
from torch import nn

from srbench.api import hookimpl
from srbench.datasets import build_dataset
from srbench.errors import DatasetError, UsageError
from srbench.evaluate.scoring import Scoring
from srbench.executors.local import Settings, execute
from srbench.plugins import Plugin, host
from srbench.probe import probe
from srbench.probe.show import record, render, summary
from srbench.probe.sources import model_subject, own_loss, patches_of, run_subject, typed_loss
from srbench.probe.spectrum import (
    Rings,
    above_nyquist,
    amplitude,
    pull,
    readable_groups,
    ring_sums,
    share,
    single_rings,
    total,
)
from srbench.registry import registry
from srbench.store.runs import find_run
from srbench.train.loop import Cadence
from srbench.train.stop import Stop

CPU = torch.device("cpu")
N = 32


# Pure functions


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plane(rings, at=0):
    return Rings(*(field[at] for field in rings))


def blur(x, taps=(0.25, 0.5, 0.25)):
    """A symmetric filter on both axes, by circular shifts."""
    side, middle, _ = taps
    for dim in (-2, -1):
        x = middle * x + side * (x.roll(1, dim) + x.roll(-1, dim))
    return x


def response_of_blur():
    """Its mean power-weighted response over each ring of white noise, by its formula."""
    f = torch.fft.fftfreq(N, dtype=torch.float64)
    one = 0.5 + 0.5 * torch.cos(2 * math.pi * f)
    both = one[:, None] * one
    number = (N * (f[:, None].square() + f.square()).sqrt() + 0.5).floor()
    return [float(both[number == k].mean()) for k in range(1, N // 2 + 1)]


@given(st.floats(1e-6, 1e6), st.integers(0, 1000))
def test_the_pull_of_l2_is_1_in_each_ring(factor, seed):
    error = noise(2, 3, 48, 64, seed=seed)
    rings = ring_sums(-factor * error, error, N)
    for at in range(3):
        for of in (pull, amplitude):
            assert of(plane(rings, at), single_rings(N)) == pytest.approx([1] * 16, abs=1e-9)


def test_a_gradient_that_is_a_filtered_error_gives_the_response_of_the_filter():
    error = noise(4, 1, 256, 256)
    rings = plane(ring_sums(-blur(error), error, N))
    response = response_of_blur()
    expected = [one / (rings.shared.sum() / rings.error.sum()) for one in response]
    assert pull(rings, single_rings(N)) == pytest.approx([float(one) for one in expected], abs=0.05)
    assert pull(rings, [range(1, 2)])[0] > 40 * pull(rings, [range(N // 2, N // 2 + 1)])[0]


def test_the_mean_pull_weighted_by_the_error_is_1():
    error = noise(2, 1, 96, 96) + 5 * blur(noise(2, 1, 96, 96, seed=1))
    rings = plane(ring_sums(-blur(error) - 0.1 * noise(2, 1, 96, 96, seed=2), error, N))
    parts = zip(pull(rings, single_rings(N)), share(rings, single_rings(N)), strict=True)
    assert sum(one * part for one, part in parts) == pytest.approx(1, abs=1e-12)


def test_noise_in_the_gradient_has_amplitude_and_no_pull():
    error = blur(blur(noise(8, 1, 128, 128)))  # little in the high rings
    rings = plane(ring_sums(-error + 0.3 * noise(8, 1, 128, 128, seed=1), error, N))
    high = [range(13, 17)]
    assert amplitude(rings, high)[0] > 3
    assert pull(rings, high)[0] == pytest.approx(1, abs=0.35)


def test_a_loss_that_pushes_away_has_a_negative_ring_or_no_pull_at_all():
    error = noise(2, 1, 64, 64)
    sharpened = plane(ring_sums(-(2 * blur(error) - 0.4 * error), error, N))
    assert pull(sharpened, [range(14, 17)])[0] < 0
    away = plane(ring_sums(error, error, N))
    assert all(map(math.isnan, pull(away, single_rings(N))))
    assert amplitude(away, single_rings(N)) == pytest.approx([1] * 16)


def test_without_an_error_there_is_no_answer_and_no_exception():
    nothing = torch.zeros(1, 1, 40, 40)
    rings = plane(ring_sums(nothing, nothing, N))
    for of in (pull, amplitude, share):
        assert all(map(math.isnan, of(rings, readable_groups(N, 4))))


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"sides from 32, not \(1, 1, 31, 40\)"):
        ring_sums(torch.zeros(1, 1, 31, 40), torch.zeros(1, 1, 31, 40), N)


@pytest.mark.parametrize(("size", "scale"), [(32, 2), (32, 3), (32, 4), (64, 8)])
def test_groups_hold_every_ring_once_and_none_crosses_lr_nyquist(size, scale):
    groups = readable_groups(size, scale)
    assert [ring for group in groups for ring in group] == list(range(1, size // 2 + 1))
    above = above_nyquist(size, scale)
    assert all((group.start in above) == (group.stop - 1 in above) for group in groups)
    assert above.start / size > 1 / (2 * scale) >= (above.start - 1) / size
    assert len(groups) <= 11


# Losses on real pictures


class Learned(nn.Module):
    """l2 through a filter that is learnt, with a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, sr, hr, lr, scale, step):
        self.calls += 1
        assert sr.shape[-1] == lr.shape[-1] * scale
        assert isinstance(step, int)
        return ((1 + self.weight) * (sr - hr)).square().mean()


def rgb_l2():
    def loss(sr, hr):
        assert sr.shape[1] == 3
        return (sr - hr).square().mean()

    return loss


def sum_l2():
    return lambda sr, hr: (sr - hr).square().sum() / len(sr)


def blind():
    return lambda hr: hr.mean()


def away():
    return lambda sr, hr: -(sr - hr).square().mean()


@pytest.fixture(scope="module", autouse=True)
def plugin():
    """A third-party plugin with losses whose pull is known."""

    @hookimpl
    def register_losses(register):
        register("learned", Learned)
        register("rgb_l2", rgb_l2, domain="rgb")
        register("sum_l2", sum_l2)
        register("blind", blind)
        register("away", away)

    made = types.ModuleType("probed")
    made.register_losses = register_losses
    host().add(made, Plugin("probed", "probed-dist", "1.0"))
    registry.cache_clear()
    yield
    host().manager.unregister(made)
    registry.cache_clear()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def looked_at(subject, test, *texts, number=12):
    losses = [typed_loss(text, subject) for text in texts]
    return probe(subject, test, losses, number, lambda: None, quiet=True)


@pytest.fixture(scope="module")
def sample():
    return build_dataset("sample").test


@pytest.fixture(scope="module")
def bicubic(sample, plugin):
    """Everything that is asked of bicubic on the sample's pictures."""
    texts = (
        "l2", "sum_l2", "l1", "charbonnier", "charbonnier:eps=30", "l2+0.5*l1", "rgb_l2", "learned",
        "blind", "away",
    )  # fmt: skip
    return looked_at(model_subject("bicubic", 4, None, CPU), sample, *texts)


def pulls(found, label, plane=None, groups=None):
    planes = found.rings[label]
    return pull(planes[plane] if plane else total(planes.values()), groups or single_rings(found.window))


@pytest.mark.parametrize("label", ["l2", "sum_l2", "rgb_l2", "learned"])
@pytest.mark.parametrize("plane", ["r", "g", "b", None])
def test_l2_on_real_pictures_is_1_in_each_ring(bicubic, label, plane):
    assert pulls(bicubic, label, plane) == pytest.approx([1] * 16, abs=1e-6)


def test_charbonnier_is_l2_where_its_eps_is_large_and_l1_where_it_is_small(bicubic):
    assert pulls(bicubic, "charbonnier:eps=30") == pytest.approx([1] * 16, abs=1e-3)
    assert pulls(bicubic, "charbonnier") == pytest.approx(pulls(bicubic, "l1"), abs=0.05)
    assert max(abs(one - 1) for one in pulls(bicubic, "l1")) > 0.2


def test_the_gradient_of_l1_is_flatter_than_the_error(bicubic):
    """The sign of the error: edges count no more than texture, so its amplitude rises with frequency."""
    of_l1 = amplitude(total(bicubic.rings["l1"].values()), [range(3, 9), range(9, 17)])
    assert of_l1[1] > 1.3 * of_l1[0]


def test_a_weighted_sum_pulls_as_the_sum_of_its_terms(bicubic):
    for plane, mixed in bicubic.rings["l2+0.5*l1"].items():
        expected = bicubic.rings["l2"][plane].shared + 0.5 * bicubic.rings["l1"][plane].shared
        torch.testing.assert_close(mixed.shared, expected, rtol=1e-5, atol=0)
        torch.testing.assert_close(mixed.error, bicubic.rings["l1"][plane].error, rtol=0, atol=0)


def test_what_pulls_nowhere_or_away_is_said_and_not_divided_by(bicubic):
    assert all(map(math.isnan, pulls(bicubic, "blind") + pulls(bicubic, "away")))
    assert any(note.startswith("blind: the gradient is zero everywhere") for note in bicubic.notes)
    assert any(note.startswith("away: over all rings together") for note in bicubic.notes)
    plain = record(bicubic)
    assert [one["pull_above"] for one in plain["losses"][-2:]] == [None, None]
    assert json.loads(render(bicubic, "json")) == plain
    assert "away: what it asks for above LR Nyquist cannot be told." in summary(bicubic)


def test_planes_are_looked_at_as_the_networks_see_them(sample):
    luma = looked_at(model_subject("bicubic", 4, "y", CPU), sample, "l2", "rgb_l2")
    assert luma.planes == ("y",)
    assert pulls(luma, "l2") == pytest.approx([1] * 16, abs=1e-6)
    # Of the RGB picture, what comes through to luma: close to l2, as channels err alike.
    assert pulls(luma, "rgb_l2") == pytest.approx([1] * 16, abs=0.3)
    separate = looked_at(model_subject("bicubic", 4, "r,g,b", CPU), sample, "l1", "rgb_l2")
    joint = looked_at(model_subject("bicubic", 4, "rgb", CPU), sample, "l1", "rgb_l2")
    for plane in "rgb":
        for label in ("l1", "rgb_l2"):
            assert pulls(separate, label, plane) == pytest.approx(pulls(joint, label, plane), abs=1e-5)
    red = model_subject("bicubic", 4, "r", CPU)
    with pytest.raises(UsageError, match="looks at RGB pictures"):
        typed_loss("rgb_l2", red)
    assert looked_at(red, sample, "l2").planes == ("r",)


@pytest.mark.parametrize("scale", [2, 3, 8])
def test_every_scale_has_its_windows(sample, scale):
    found = looked_at(model_subject("bicubic", scale, None, CPU), sample, "l2")
    assert found.window == (64 if scale == 8 else 32)
    assert found.subject.side % scale == 0
    assert found.subject.side >= found.window
    assert pulls(found, "l2") == pytest.approx([1] * (found.window // 2), abs=1e-6)


def test_patches_are_the_same_every_time_and_lie_where_lr_has_whole_pixels(sample):
    subject = model_subject("bicubic", 4, None, CPU)
    first, again = (list(patches_of(subject, sample, 18, lambda: None, quiet=True)) for _ in range(2))
    assert [len(one.sr) for one in first] == [3] * 6
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one.sr, other.sr)
        inside = (..., slice(16, -16), slice(16, -16))
        made = subject.degrade(one.hr, 4)
        torch.testing.assert_close(
            made[..., 4:-4, 4:-4], one.lr[..., 4:-4, 4:-4], rtol=0, atol=1 / 255 + 1e-6
        )
        assert (one.sr - one.hr)[inside].abs().mean() < 0.1


def test_pictures_without_room_are_left_out_or_refused(pictures):
    test = build_dataset(f"folder:test={pictures / 'test'}").test
    with pytest.raises(DatasetError, match="No picture of test has 64×64 pixels"):
        looked_at(model_subject("bicubic", 8, None, CPU), test, "l2")


# A run


@pytest.fixture(scope="module")
def results(pictures, tmp_path_factory, plugin):
    """Three networks of six steps, with a loss that learns."""
    folder = tmp_path_factory.mktemp("results")
    job = small_job(pictures, losses=("charbonnier+0.1*learned",), channels=("r,g,b",))
    (outcome,) = execute(
        [job], folder, Settings(CPU, "exact", Cadence(), Scoring((), {}), quiet=True), Stop()
    )
    assert outcome.error is None
    return folder


def test_a_run_is_probed_by_its_scored_weights_its_own_loss_and_its_step(results, pictures):
    run = find_run(results, "lapsrn")
    test = build_dataset(f"folder:test={pictures / 'test'}").test
    subject = run_subject(run, test, CPU)
    assert (subject.step, subject.side, subject.channels) == (6, 32, "r,g,b")
    own = own_loss(run, CPU)
    assert own.label == "charbonnier+0.1*learned"
    learned = [bound[1].module for bound in own.bound.values()]
    assert [int(one.calls) for one in learned] == [12] * 3  # two scales, six steps
    assert all(float(one.weight.detach()) != 0 for one in learned)
    found = probe(subject, test, [own, typed_loss("l2", subject)], 8, lambda: None, quiet=True)
    assert found.planes == ("r", "g", "b")
    assert pulls(found, "l2") == pytest.approx([1] * 16, abs=1e-6)
    assert found.rings[own.label]["r"].gradient.sum() > 0
    assert found.patches == 4  # of 64×56 and 64×48 pixels
