"""LPIPS as a loss: what the metric measures, differentiable through every network of a run."""

import json

import pytest
import torch
from small import picture_folder, small_arguments, srbench

from srbench.errors import UsageError
from srbench.metrics import lpips as module
from srbench.metrics.backbones import set_weights_dir
from srbench.metrics.lpips import lpips as metric
from srbench.plan import plan
from srbench.registry import registry
from srbench.spec import RunSpec
from srbench.store.runs import find_run
from srbench.train.losses import bind_losses
from srbench.train.state import TrainingState
from srbench_losses.perceptual import lpips


@pytest.fixture
def weights(assets):
    set_weights_dir(assets / "weights")
    yield assets / "weights"
    set_weights_dir(None)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def test_it_is_the_mean_of_what_the_metric_measures(weights):
    generator = torch.Generator().manual_seed(0)
    sr, hr = (torch.rand(3, 3, 33, 40, generator=generator) for _ in range(2))
    assert lpips("squeeze")(sr, hr).item() == pytest.approx(metric(sr, hr, "squeeze").mean().item(), abs=1e-6)
    assert lpips("squeeze")(hr, hr).item() == 0


def test_its_gradient_is_that_of_finite_differences(weights):
    generator = torch.Generator().manual_seed(1)
    sr, hr = (torch.rand(1, 3, 24, 24, generator=generator) for _ in range(2))
    loss = lpips("squeeze")
    sr.requires_grad_()
    loss(sr, hr).backward()
    way = sr.grad / sr.grad.norm()  # steepest, so that rounding and the kinks of ReLU are small beside it
    step = 1e-2
    with torch.no_grad():
        slope = (loss(sr + step * way, hr) - loss(sr - step * way, hr)) / (2 * step)
    assert slope.item() == pytest.approx((sr.grad * way).sum().item(), rel=0.05)
    assert not any(
        parameter.requires_grad for parameter in module._network("squeeze", sr.device).parameters()
    )


def test_patches_that_are_too_small_are_named(weights):
    with pytest.raises(ValueError, match=r"LPIPS \(squeeze\) needs at least 17 pixels a side, not 16×16"):
        lpips("squeeze")(torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16))


def test_a_sum_with_it_trains_three_networks_and_names_its_weights_in_the_spec(
    weights, pictures, tmp_path, monkeypatch
):
    more = [
        "--loss",
        "charbonnier+0.1*lpips:net=squeeze",
        "--patch",
        "48",
        "--eval-every",
        "2",
        "--lpips-weights",
        str(weights),
    ]
    arguments = small_arguments(pictures, tmp_path, *more)
    del arguments[arguments.index("--loss") : arguments.index("--loss") + 2]  # charbonnier alone
    assert srbench(arguments, monkeypatch) == 0
    run = find_run(tmp_path, "lapsrn-charbonnier+lpips")
    pixel, perceptual = run.record.spec["loss"]
    assert "facts" not in pixel
    assert perceptual["facts"]["net"] == "squeeze"
    assert len(perceptual["facts"]["weights_sha256"]) == 64
    assert RunSpec.from_stored(run.record.spec).id == run.id
    lines = [json.loads(line) for line in run.paths.history.read_text().splitlines()]
    assert all(set(line["loss"]) == {"r", "g", "b", "rgb"} for line in lines)
    (folder,) = sorted(run.paths.checkpoints.glob("step-00000006"))
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_000_000  # no backbone in it


def test_every_network_feels_it(weights, pictures):
    from small import small_job

    job = small_job(pictures, losses=("lpips:net=squeeze",), settings={"patch": 36})
    state = TrainingState(job.spec, torch.device("cpu"), fp16=False)
    (bound,) = bind_losses(job.spec.loss, ("r", "g", "b"), 0, torch.device("cpu"))["rgb"]
    planes = {plane: network(torch.rand(1, 1, 12, 12)) for plane, network in state.networks.items()}
    sr = {2: torch.cat([planes[plane][2] for plane in "rgb"], dim=1)}
    bound(sr, {2: torch.rand(1, 3, 24, 24)}, torch.rand(1, 3, 12, 12), 2, 0).backward()
    for network in state.networks.values():
        assert any(one.grad is not None and one.grad.abs().sum() > 0 for one in network.parameters())


def test_without_weights_the_line_is_refused_before_anything_is_written(pictures, tmp_path, monkeypatch):
    from small import small_request

    monkeypatch.setenv("SRBENCH_OFFLINE", "1")
    monkeypatch.setenv("SRBENCH_CACHE", str(tmp_path))
    set_weights_dir(tmp_path)
    try:
        with pytest.raises(UsageError) as refused:
            plan(small_request(pictures, losses=("l1+lpips",)))
        assert str(refused.value) == (
            f"Loss 'lpips' cannot be used here. LPIPS (vgg) cannot be computed: its weights are neither in "
            f"{tmp_path} nor could they be downloaded (SRBENCH_OFFLINE=1 is set). Copy vgg16-397923af.pth or "
            "vgg16-features.safetensors there, or pass --lpips-weights DIR."
        )
    finally:
        set_weights_dir(None)
    assert registry().find("loss", "lpips").domain == "rgb"
