"""The adversarial loss: its formulas, that critic and networks train apart, and that both resume exactly."""

import types

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small import StopAt, apart_by_two, picture_folder, small_job, srbench
from torch import nn

from srbench.api import SizeError
from srbench.errors import StoppedError, UsageError
from srbench.evaluate.scoring import Scoring, resolve_metrics
from srbench.executors.local import Settings, execute
from srbench.images.tiles import Batch
from srbench.origins import Begin, jobs_from
from srbench.plan import Request
from srbench.plan.settings import Budget
from srbench.plugins import Plugin, host
from srbench.prove.hashes import hashes
from srbench.registry import registry
from srbench.store.history import read_lines
from srbench.store.layout import RunPaths
from srbench.train.device import apply_engine, choose_engine
from srbench.train.loop import Cadence
from srbench.train.state import TrainingState
from srbench.train.step import TrainStep
from srbench.train.stop import Stop
from srbench_gan import plugin as gan_plugin
from srbench_gan.critics import PatchCritic, UNetCritic
from srbench_gan.loss import Gan

CPU = torch.device("cpu")
KINDS = ["vanilla", "lsgan", "hinge", "relativistic"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def job_of(pictures, loss, steps=6, channels="rgb", **change):
    return small_job(
        pictures, losses=(loss,), channels=(channels,), budget=Budget(steps=steps),
        settings={"patch": 32, "batch": 2, "lr": 1e-4, **change},
    )  # fmt: skip


def trained(job, results, *stops):
    settings = Settings(
        CPU, "exact", Cadence(save_every_s=0, eval_every=3), Scoring(*resolve_metrics(["psnr"])), quiet=True
    )
    for stop in (*stops, Stop()):
        (outcome,) = execute([job], results, settings, stop)
        if outcome.error is not None and not isinstance(outcome.error, StoppedError):
            raise outcome.error
    return RunPaths(results / job.spec.id)


class Means(nn.Module):
    """A critic whose logits are ten times the pictures' first plane."""

    smallest = 1

    def forward(self, picture):
        return 10 * picture[:, :1]


def entropy(logits, target):
    chance = 1 / (1 + np.exp(-logits))
    return -np.mean(target * np.log(chance) + (1 - target) * np.log(1 - chance))


def expected(kind, fake, real):
    """(for the networks, for the critic), from the papers' formulas in float64."""
    if kind == "vanilla":
        return entropy(fake, 1), (entropy(real, 1) + entropy(fake, 0)) / 2
    if kind == "lsgan":
        return np.mean((fake - 1) ** 2), (np.mean((real - 1) ** 2) + np.mean(fake**2)) / 2
    if kind == "hinge":
        critic = np.mean(np.maximum(0, 1 - real)) + np.mean(np.maximum(0, 1 + fake))
        return -np.mean(fake), critic / 2
    above, below = real - fake.mean(), fake - real.mean()
    return (entropy(below, 1) + entropy(above, 0)) / 2, (entropy(above, 1) + entropy(below, 0)) / 2


@pytest.mark.parametrize("kind", KINDS)
def test_the_losses_are_those_of_the_papers(kind):
    loss = Gan(kind, features=1)
    loss.critic = Means()
    sr, hr = (
        torch.rand(2, 3, 5, 7, generator=torch.manual_seed(1)).double() - 0.5,
        torch.rand(2, 3, 5, 7).double(),
    )
    networks, critic = expected(kind, 10 * sr[:, :1].numpy(), 10 * hr[:, :1].numpy())
    assert float(loss(sr, hr, 0)) == pytest.approx(networks, rel=1e-9)
    assert float(loss.critic_loss(sr, hr, 0)) == pytest.approx(critic, rel=1e-9)


@pytest.mark.parametrize("height", [24, 37])
def test_critics_judge_pictures_of_any_size_and_each_by_itself(height):
    torch.manual_seed(0)
    pictures = torch.rand(2, 3, height, 40)
    for critic, shape in ((PatchCritic(4), (height // 8 - 2, 3)), (UNetCritic(4), (height, 40))):
        critic.eval()
        logits = critic(pictures)
        assert logits.shape == (2, 1, *shape)
        torch.testing.assert_close(critic(pictures[1:]), logits[1:])
        logits.sum().backward()
        assert all(bool(one.grad.abs().sum() > 0) for one in critic.parameters())


def test_a_patch_of_the_critic_is_70_pixels():
    """The receptive field, from which of the picture's pixels a logit has a gradient."""
    critic = PatchCritic(1)
    picture = torch.rand(1, 3, 160, 160, requires_grad=True)
    critic(picture)[0, 0, 9, 9].backward()
    rows = picture.grad[0].abs().sum(dim=(0, 2)).nonzero().flatten()
    assert int(rows.max() - rows.min()) + 1 == 70


def test_a_patch_too_small_is_refused_before_anything_runs(pictures):
    with pytest.raises(UsageError, match="gan with critic=patch needs at least 24 pixels a side, not 16×16"):
        job_of(pictures, "l1+gan:critic=patch,start=5", patch=16)
    with pytest.raises(SizeError):
        Gan(critic="unet", features=1)(torch.rand(1, 3, 7, 9), torch.rand(1, 3, 7, 9), 0)
    with pytest.raises(UsageError, match="features=0"):
        job_of(pictures, "gan:features=0")
    with pytest.raises(UsageError, match="start=-1"):
        job_of(pictures, "gan:start=-1")


@pytest.mark.parametrize("channels", ["rgb", "r,g,b", "y"])
def test_critic_and_networks_train_apart(pictures, channels):
    spec = job_of(pictures, "l1+0.1*gan:features=4", channels=channels, ema=0).spec
    apply_engine(choose_engine(CPU, "fp32", "exact"))
    state = TrainingState(spec, CPU)
    step = TrainStep(spec, state, CPU, None)
    batch = Batch(torch.rand(2, 3, 8, 8), {2: torch.rand(2, 3, 16, 16), 4: torch.rand(2, 3, 32, 32)})
    names = {parameter: name for name, parameter in state.losses["rgb"][-1].critic.items()}
    assert set(names) == set(state.critics)
    assert all(set(names).isdisjoint(state.parameters(plane)) for plane in state.networks)

    before = {one: one.detach().clone() for one in state.critics}
    networks = [one for network in state.networks.values() for one in network.parameters()]
    optimizers = {owner: optimizer.step for owner, optimizer in state.optimizers.items()}

    def judged(*_):
        assert all(one.grad is None for one in state.critics)
        assert all(torch.equal(one, before[one]) for one in state.critics)
        optimizers[first]()

    def trains(*_):
        assert all(one.grad is None for one in networks)
        assert all(one.grad is not None for one in state.critics)
        optimizers["critic.1.rgb"]()

    first = next(iter(state.networks))
    state.optimizers[first].step = judged
    state.optimizers["critic.1.rgb"].step = trains
    losses = step(batch, 0, 1.0)
    assert all(not torch.equal(one, before[one]) for one in state.critics)
    assert all(one.requires_grad for one in state.critics)
    owners = {"rgb"} if channels == "rgb" else {*state.networks, "rgb"}
    assert set(losses.totals) == owners
    assert {"rgb/gan", "rgb/gan critic"} < set(losses.terms)
    parts = [value for name, value in losses.terms.items() if not name.endswith(" critic")]
    assert float(sum(losses.totals.values())) == pytest.approx(float(sum(parts)), rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "channels"),
    [
        ("l1+0.1*gan:features=4", "r,g,b"),
        ("l1+0.1*gan:features=4,kind=hinge,critic=patch,start=4", "rgb"),
        ("gan:features=4,kind=lsgan+0.5*gan:features=2,kind=vanilla", "y"),
    ],
)
def test_it_resumes_exactly_and_history_shows_every_term(pictures, tmp_path, loss, channels):
    job = job_of(pictures, loss, channels=channels)
    whole = trained(job, tmp_path / "whole")
    trained(job, tmp_path / "parts", StopAt(9), StopAt(12))
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")
    names = sorted(read_lines(whole.history)[-1]["terms"])
    if "start" in loss:
        first, last = (line["terms"] for line in read_lines(whole.history))
        assert names == ["rgb/gan", "rgb/gan critic", "rgb/l1"]
        assert first["rgb/gan"] == first["rgb/gan critic"] == 0
        assert last["rgb/gan critic"] > 0
    elif channels == "y":
        assert names == ["rgb/gan 1", "rgb/gan 1 critic", "rgb/gan 2", "rgb/gan 2 critic"]
    else:
        assert names == ["b/l1", "g/l1", "r/l1", "rgb/gan", "rgb/gan critic"]


def test_a_network_trained_on_pixels_goes_on_against_a_fresh_critic(pictures, tmp_path):
    parent = job_of(pictures, "l1", steps=3)
    trained(parent, tmp_path / "parent")
    request = Request(models=(), losses=("l1+0.1*gan:features=4",), budget=Budget(steps=4))
    jobs = jobs_from(request, Begin("fork", parent.spec.id), tmp_path / "parent")
    (fork,) = [job for job in jobs if job.spec.trained]
    whole = trained(fork, tmp_path / "whole")
    assert "rgb/gan" in read_lines(whole.history)[-1]["terms"]
    trained(fork, tmp_path / "parts", StopAt(9))
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")


def fork_of(parent, results, loss):
    request = Request(models=(), losses=(loss,), budget=Budget(steps=2))
    jobs = jobs_from(request, Begin("fork", parent.spec.id, "keep"), results)
    (fork,) = [job for job in jobs if job.spec.trained]
    state = TrainingState(fork.spec, CPU)
    state.begin_from(fork.start)
    begun = {name: tensor.clone() for name, tensor in state.tensors().items()}
    trained(fork, results)  # and it trains from there
    return begun


def test_a_fork_takes_over_the_critic_of_the_same_loss_wherever_it_stands(pictures, tmp_path):
    parent = job_of(pictures, "l1+0.1*gan:features=4", steps=2)
    newest = max(trained(parent, tmp_path).checkpoints.iterdir())
    before = load_file(newest / "state.safetensors")
    child = fork_of(parent, tmp_path, "l1+0.2*l2+0.3*gan:features=4")
    ours = {name: one for name, one in before.items() if "loss.1." in name or "critic" in name}
    assert len(ours) > 20
    for name, tensor in ours.items():
        assert torch.equal(
            tensor, child[name.replace("loss.1.", "loss.2.").replace("critic.1.", "critic.2.")]
        )


@pytest.mark.parametrize("features", [2, 16])
def test_a_fork_with_another_critic_begins_it_anew(pictures, tmp_path, features):
    """Moments of the former one, of another size, are left behind with it."""
    parent = job_of(pictures, "l1+0.1*gan:features=4", steps=2)
    trained(parent, tmp_path)
    child = fork_of(parent, tmp_path, f"l1+0.1*gan:features={features}")
    assert not [name for name in child if name.startswith("optimizer.critic.")]
    assert [name for name in child if name.startswith("optimizer.rgb/")]


def test_the_command_line_has_it(monkeypatch, capsys):
    assert srbench(["plugins"], monkeypatch) == 0
    assert "gan" in capsys.readouterr().out


def test_the_plugin_registers_one_loss():
    made = types.ModuleType("again")
    made.register_losses = gan_plugin.register_losses
    host().add(made, Plugin("again", "other-dist", "1.0"))
    registry.cache_clear()
    try:
        with pytest.raises(UsageError, match="Two plugins name a loss 'gan'"):
            registry().check_typed("loss", "gan")
        assert registry().find("loss", "gan").plugin.dist == "srbench-harness"
    finally:
        host().manager.unregister(made)
        registry.cache_clear()


def test_two_processes_train_networks_and_critic_as_one_does(pictures, tmp_path):
    job = job_of(pictures, "l1+0.1*gan:features=4,kind=lsgan", steps=3, optimizer="sgd", lr=0.01, batch=4)
    assert 0 < apart_by_two(job, tmp_path) < 1e-6
