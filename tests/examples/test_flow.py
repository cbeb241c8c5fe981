"""A trainer of a plugin's own: trained, resumed, scored and told of as everything else."""

import importlib
import sys
from pathlib import Path

import pytest
import torch
from small import StopAt, picture_folder, small_job
from torch import nn

from srbench.api import Trainer, hookimpl
from srbench.errors import SrbenchError, StoppedError, UsageError
from srbench.evaluate.scoring import Scoring, resolve_metrics
from srbench.executors.local import Settings, execute
from srbench.plan.settings import Budget
from srbench.plugins import Plugin, host
from srbench.prove.hashes import hashes
from srbench.registry import registry
from srbench.store.history import read_lines
from srbench.store.layout import RunPaths
from srbench.store.runs import list_runs
from srbench.tables import records
from srbench.train.loop import Cadence
from srbench.train.state import TrainingState
from srbench.train.stop import Stop

FLOW = Path(__file__).parents[2] / "examples" / "srbench-example-flow"
NETWORK = "velocity:features=8,depth=2"
CPU = torch.device("cpu")


class Pair(nn.Module):
    """Batch norm and dropout, and a second output for its partner to judge."""

    def __init__(self, planes, scale):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(planes, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Dropout(0.2),
            nn.Conv2d(8, planes * scale**2, 3, padding=1), nn.PixelShuffle(scale),
        )  # fmt: skip

    def forward(self, lr):
        return self.layers(lr)


class Contest(Trainer):
    """Two modules with an optimizer each, of which one is not the run's kind."""

    def modules(self, network, planes, scale):
        return {"network": network, "judge": nn.Conv2d(planes, 1, 5)}

    def optimizers(self, modules, build):
        judge = torch.optim.SGD(modules["judge"].parameters(), lr=0.1, momentum=0.9)
        return {"network": build(modules["network"].parameters()), "judge": judge}

    def step(self, modules, lr, hr, step, update):
        network, judge = modules["network"], modules["judge"]
        sr = network(lr)
        told = (judge(sr.detach()) - judge(hr[4])).mean() + judge.weight.square().mean()
        update(told, "judge")
        assert judge.weight.grad is None
        pixel = (sr.float() - hr[4]).abs().mean()
        update(pixel - 0.01 * judge(sr).mean(), "network")
        assert judge.weight.grad is None  # nothing is left for its next step
        return {"loss": pixel, "told": told}


class Fickle(Contest):
    """Reports something every other step alone."""

    def step(self, modules, lr, hr, step, update):
        logs = super().step(modules, lr, hr, step, update)
        return logs if step % 2 == 0 else {"loss": logs["loss"]}


@pytest.fixture(scope="module", autouse=True)
def plugins():
    @hookimpl
    def register_models(register):
        register("pair", Pair)

    @hookimpl
    def register_trainers(register):
        register("contest", Contest)
        register("fickle", Fickle)

    sys.path.insert(0, str(FLOW))
    flow = importlib.import_module("srbench_example_flow.plugin")
    made = type(sys)("made")
    made.register_models, made.register_trainers = register_models, register_trainers
    host().add(made, Plugin("made", "made-dist", "1.0"))
    host().add(flow, Plugin("example_flow", "srbench-example-flow", "0.1.0"))
    registry.cache_clear()
    yield
    for module in (made, flow):
        host().manager.unregister(module)
    registry.cache_clear()
    sys.path.remove(str(FLOW))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def run(job, results, stop=None):
    settings = Settings(
        CPU, "exact", Cadence(save_every_s=0, eval_every=3), Scoring(*resolve_metrics(["psnr"])), quiet=True
    )
    (outcome,) = execute([job], results, settings, stop or Stop())
    if outcome.error is not None and not isinstance(outcome.error, StoppedError):
        raise outcome.error
    return RunPaths(results / job.spec.id)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("channels", ["rgb", "r,g,b"])
@pytest.mark.parametrize(("model", "trainer"), [(NETWORK, "flow:walk=2"), ("pair", "contest")])
def test_it_resumes_exactly(pictures, tmp_path, model, trainer, channels, precision):
    job = small_job(
        pictures, models=(model,), losses=(trainer,), channels=(channels,), precision=precision,
        settings={"clip": 1.0},
    )  # fmt: skip
    whole = run(job, tmp_path / "whole")
    for looks in (9, 12):
        run(job, tmp_path / "parts", StopAt(looks))
    run(job, tmp_path / "parts")
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")
    line = read_lines(whole.history)[-1]
    planes = channels.split(",")
    assert sorted(line["loss"]) == sorted(planes)
    if trainer == "contest":
        assert sorted(line["terms"]) == sorted(f"{plane}/told" for plane in planes)


def test_the_flow_learns(pictures, tmp_path):
    """Its loss comes down, and the table names it in the loss's place."""
    job = small_job(
        pictures, models=(NETWORK,), losses=("flow:walk=2",), channels=("y",), budget=Budget(steps=60),
        settings={"lr": 3e-3, "ema": 0},
    )  # fmt: skip
    lines = read_lines(run(job, tmp_path).history)
    assert lines[-1]["loss"]["y"] < 0.9 * lines[0]["loss"]["y"]
    runs, _ = list_runs(tmp_path)
    assert {(record["model"], record["loss"]) for record in records(runs)} == {("velocity", "flow")}


def test_the_models_own_recipe_names_its_trainer(pictures):
    job = small_job(pictures, models=(NETWORK,), losses=(), channels=("rgb",))
    assert job.spec.trainer is not None
    assert job.spec.trainer.name == "flow"
    assert job.spec.losses == ()
    assert job.spec.data()["loss"] == [
        {"kind": "trainer", "name": "flow", "params": {"noise": 0.05, "walk": 4}, "weight": 1.0}
    ]


def test_the_same_network_can_be_trained_by_a_loss(pictures, tmp_path):
    job = small_job(pictures, models=(NETWORK,), losses=("l1",), channels=("rgb",))
    assert job.spec.trainer is None
    assert read_lines(run(job, tmp_path).history)


@pytest.mark.parametrize(
    ("loss", "model", "said"),
    [
        ("l1+flow", NETWORK, "'flow' is a trainer: it takes the place of the whole loss"),
        ("0.5*flow", NETWORK, "Name it alone and without a weight: --loss flow."),
        ("flow:walk=0", NETWORK, "walk=0 must be 1 or more"),
        ("flow:noise=nan", NETWORK, "noise=nan 0 or more and finite"),
        ("flow:noise=inf", NETWORK, "noise=inf 0 or more and finite"),
        ("flow:wolk=2", NETWORK, "walk"),
        ("flaw", NETWORK, "Did you mean 'flow'?"),
    ],
)
def test_what_cannot_be_is_said(pictures, loss, model, said):
    with pytest.raises(UsageError) as raised:
        small_job(pictures, models=(model,), losses=(loss,), channels=("rgb",))
    assert said in str(raised.value)


@pytest.mark.parametrize("params", [{"features": 0}, {"features": -1}, {"depth": -1}])
def test_a_network_without_layers_is_refused(params):
    with pytest.raises(UsageError, match="must be 1 or more, and depth=-?[0-9]+ 0 or more"):
        registry().find("model", "velocity").make(planes=3, scale=4, **params)


def test_a_trainer_may_refuse_a_model(pictures, tmp_path):
    job = small_job(pictures, models=("pair",), losses=("flow",), channels=("rgb",))
    with pytest.raises(UsageError, match="do not go together: flow trains the model velocity and no other"):
        run(job, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_trainer_reports_the_same_at_every_step(pictures, tmp_path):
    job = small_job(pictures, models=("pair",), losses=("fickle",), channels=("rgb",))
    with pytest.raises(SrbenchError, match=r"Fickle reported \['loss'\] at step 1, and \['loss', 'told'\]"):
        run(job, tmp_path)


def test_what_it_saves_is_named_by_module(pictures):
    spec = small_job(pictures, models=("pair",), losses=("contest",), channels=("y",)).spec
    state = TrainingState(spec, CPU)
    assert sorted(state.optimizers) == ["y.judge", "y.network"]
    assert "raw.y.judge.weight" in state.tensors()
