"""Losses beyond one plane: the RGB picture through all networks, weighted sums, losses that learn."""

import logging
import types

import pytest
import torch
from small import StopAt, picture_folder, small_job
from torch import nn

from srbench.api import hookimpl
from srbench.errors import UsageError
from srbench.evaluate.scoring import Scoring, resolve_metrics
from srbench.executors.local import Settings, execute
from srbench.images.tiles import Batch
from srbench.plugins import Plugin, host
from srbench.prove.hashes import hashes
from srbench.registry import registry
from srbench.store.layout import RunPaths
from srbench.store.runs import read_record
from srbench.train.device import apply_engine, choose_engine
from srbench.train.loop import Cadence
from srbench.train.state import TrainingState
from srbench.train.step import Losses, TrainStep
from srbench.train.stop import Stop

CPU = torch.device("cpu")


def rgb_l2():
    """Mean squared error of the whole picture, and it insists on seeing three planes."""

    def loss(sr, hr):
        assert sr.shape[1] == 3
        return (sr - hr).square().mean()

    return loss


def boom():
    """Works once, then meets its own bug."""

    def loss(sr, hr, step):
        return (sr - hr).square().mean() if step == 0 else [][step]

    return loss


class Learned(nn.Module):
    """An L1 whose scale is learnt, with a buffer that counts its calls and a frozen part."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(()))
        self.frozen = nn.Parameter(torch.ones(()), requires_grad=False)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, sr, hr, scale, step):
        self.calls += 1
        assert isinstance(scale, int)
        assert isinstance(step, int)
        return (sr - hr).abs().mean() * (-self.log_scale).exp() * self.frozen + self.log_scale


@pytest.fixture(scope="module", autouse=True)
def plugin():
    """A third-party plugin with three losses, for this module's tests."""

    @hookimpl
    def register_losses(register):
        register("rgb_l2", rgb_l2, domain="rgb")
        register("last_l2", lambda: lambda sr, hr: (sr - hr).square().mean(), scales="last")
        register("learned", Learned)
        register("boom", boom)
        register("rising", lambda: lambda sr, hr, step: (sr - hr).abs().mean() + step - 1.5, scales="last")
        register("l1", rgb_l2, domain="rgb")  # a name that another distribution has too

    made = types.ModuleType("made")
    made.register_losses = register_losses
    host().add(made, Plugin("made", "made-dist", "1.0"))
    registry.cache_clear()
    yield
    host().manager.unregister(made)
    registry.cache_clear()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def batch():
    torch.manual_seed(0)
    return Batch(torch.rand(2, 3, 4, 4), {2: torch.rand(2, 3, 8, 8), 4: torch.rand(2, 3, 16, 16)})


def step_of(spec):
    apply_engine(choose_engine(CPU, "fp32", "exact"))
    state = TrainingState(spec, CPU)
    return state, TrainStep(spec, state, CPU, None)


@pytest.mark.parametrize("channels", ["r,g,b", "rgb", "y"])
def test_a_loss_on_the_rgb_picture_reaches_every_network_and_agrees_with_finite_differences(
    pictures, channels
):
    spec = small_job(pictures, losses=("rgb_l2",), channels=(channels,)).spec
    state, step = step_of(spec)
    patches = batch()
    logs = Losses()
    loss = step._sum(step._views(patches, 0, tuple(state.networks)), 0, logs)
    assert set(logs.totals) == {"rgb"}
    loss.backward()
    for network in state.networks.values():
        weight = network.get_submodule("level1_residual_conv").weight
        where = (0, 1, 1, 1)
        epsilon = 1e-2
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                weight[where] += sign * epsilon
                values.append(float(step._sum(step._views(patches, 0, tuple(state.networks)), 0, Losses())))
                weight[where] -= sign * epsilon
        # The loss is quadratic in this weight, so the central difference has no error but rounding.
        assert weight.grad[where].item() == pytest.approx(
            (values[0] - values[1]) / (2 * epsilon), rel=0.02, abs=1e-5
        )


def test_a_sum_of_losses_is_the_weighted_sum_and_scales_are_as_registered(pictures):
    patches = batch()
    values = {}
    for text in ("l2", "last_l2", "l2+0.5*last_l2", "rgb_l2", "l2+3*rgb_l2"):
        spec = small_job(pictures, losses=(text,), channels=("r,g,b",)).spec
        state, step = step_of(spec)
        with torch.no_grad():
            values[text] = float(
                sum(
                    step._sum(step._views(patches, 0, planes), 0, Losses())
                    for planes in state.groups.values()
                )
            )
    assert values["last_l2"] < values["l2"]
    assert values["l2+0.5*last_l2"] == pytest.approx(values["l2"] + 0.5 * values["last_l2"], rel=1e-5)
    assert values["l2+3*rgb_l2"] == pytest.approx(values["l2"] + 3 * values["rgb_l2"], rel=1e-5)
    assert values["rgb_l2"] == pytest.approx(values["l2"] / 3, rel=1e-5)


def test_a_loss_on_the_rgb_picture_is_refused_for_one_plane(pictures):
    with pytest.raises(
        UsageError, match="Loss 'rgb_l2' looks at RGB pictures, and --channels r has one plane"
    ):
        small_job(pictures, losses=("rgb_l2",), channels=("r",))


@pytest.mark.parametrize("text", ["learned", "rgb_l2", "learned+0.1*rgb_l2"])
@pytest.mark.parametrize("channels", ["r,g,b", "y"])
def test_losses_that_learn_or_see_rgb_resume_exactly(pictures, tmp_path, text, channels):
    jobs = [small_job(pictures, losses=(text,), channels=(channels,))]
    settings = Settings(CPU, "exact", Cadence(0, 2), Scoring(*resolve_metrics(["psnr"])), quiet=True)
    execute(jobs, tmp_path / "whole", settings, Stop())
    for looks in (10, 13, 10**6):
        execute(jobs, tmp_path / "parts", settings, StopAt(looks))
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")


def test_what_a_loss_learns_is_in_the_checkpoint_and_moves(pictures, tmp_path):
    from safetensors.torch import load_file

    job = small_job(pictures, losses=("learned",), channels=("r,g,b",))
    settings = Settings(CPU, "exact", Cadence(), Scoring(*resolve_metrics(["psnr"])), quiet=True)
    execute([job], tmp_path, settings, Stop())
    (folder,) = tmp_path.glob("*/checkpoints/step-*")
    state = load_file(folder / "state.safetensors")
    learnt = {name: tensor.item() for name, tensor in state.items() if name.endswith("log_scale")}
    assert {name for name in learnt if name.startswith("loss.")} == {
        f"loss.0.{plane}.log_scale" for plane in "rgb"
    }
    assert all(value != 0 for value in learnt.values())
    assert state["loss.0.g.calls"].item() == 2 * 6
    assert not any("frozen" in name for name in state)


def test_a_name_that_two_plugins_claim_is_our_own_unless_typed_whole(pictures, tmp_path):
    """A claim of another's changes no run of srbench's loss; its own is trained under its full name."""
    jobs = [small_job(pictures, losses=(name,)) for name in ("srbench-harness/l1", "made-dist/l1")]
    assert jobs[0].spec.id != jobs[1].spec.id
    assert jobs[0].spec.id == small_job(pictures, losses=("l1",)).spec.id
    assert [job.spec.loss[0].name for job in jobs] == ["l1", "made-dist/l1"]
    settings = Settings(CPU, "exact", Cadence(), Scoring(*resolve_metrics(["psnr"])), quiet=True)
    assert [outcome.error for outcome in execute(jobs, tmp_path, settings, Stop())] == [None, None]


def test_a_bug_in_a_plugin_fails_its_run_with_its_trace_and_the_others_go_on(pictures, tmp_path, caplog):
    jobs = [small_job(pictures, losses=(name,)) for name in ("boom", "l2")]
    settings = Settings(CPU, "exact", Cadence(0), Scoring(*resolve_metrics(["psnr"])), quiet=True)
    logging.getLogger("srbench").propagate = True
    first, second = execute(jobs, tmp_path, settings, Stop())
    assert "failed with an unexpected IndexError: list index out of range" in str(first.error)
    assert second.error is None
    assert "Traceback" in caplog.text
    assert read_record(RunPaths(tmp_path / first.run_id)).status == "failed"


def test_a_loss_that_begins_below_zero_is_not_taken_for_one_that_runs_away(pictures, tmp_path):
    job = small_job(pictures, losses=("rising",), channels=("y",))
    settings = Settings(CPU, "exact", Cadence(), Scoring(*resolve_metrics(["psnr"])), quiet=True)
    (outcome,) = execute([job], tmp_path, settings, Stop())
    assert outcome.error is None
    assert read_record(RunPaths(tmp_path / job.spec.id)).step == 6
