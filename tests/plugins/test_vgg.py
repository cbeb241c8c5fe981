"""The perceptual loss: its features, its layers by name, and that its weights are named and not saved."""

import json

import pytest
import torch
from safetensors.torch import save_file
from small import StopAt, picture_folder, small_arguments, small_job, srbench
from torchvision import models

from srbench.api import SizeError
from srbench.errors import MetricUnavailable, UsageError
from srbench.evaluate.scoring import Scoring, resolve_metrics
from srbench.executors.local import Settings, execute
from srbench.images.tiles import Batch
from srbench.metrics.backbones import set_weights_dir
from srbench.plan.settings import Budget
from srbench.prove.hashes import hashes
from srbench.store.layout import RunPaths
from srbench.train.device import apply_engine, choose_engine
from srbench.train.loop import Cadence
from srbench.train.state import TrainingState
from srbench.train.step import Losses, TrainStep
from srbench.train.stop import Stop
from srbench_vgg.loss import Features, facts, layer_names, vgg

CPU = torch.device("cpu")
SQUEEZE = 'vgg:net=squeeze,layers="0.5*fire3+fire9"'


@pytest.fixture(scope="module")
def networks():
    """As torchvision builds them, with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return {
            name: models.get_model(name, weights=None).features.eval()
            for name in ("squeezenet1_1", "alexnet")
        }


@pytest.fixture(scope="module", autouse=True)
def weights(networks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    for name, network in networks.items():
        save_file(network.state_dict(prefix="features."), folder / f"{name}-features.safetensors")
    set_weights_dir(folder)
    yield folder
    set_weights_dir(None)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def normalised(picture):
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((picture.movedim(1, -1) - mean) / deviation).movedim(-1, 1)


@pytest.mark.parametrize(
    ("net", "name", "layers", "ends"),
    [
        ("squeeze", "squeezenet1_1", "0.5*fire3+fire9", (5, 13)),
        ("alex", "alexnet", "0.5*conv1+conv5", (1, 11)),
    ],
)
@pytest.mark.parametrize("distance", ["l1", "l2"])
def test_it_is_the_distance_of_torchvisions_features(networks, net, name, layers, ends, distance):
    sr, hr = torch.rand(2, 2, 3, 64, 48, generator=torch.Generator().manual_seed(3))
    expected = 0.0
    for weight, end in zip((0.5, 1), ends, strict=True):
        one, other = (networks[name][:end](normalised(picture).clone()) for picture in (sr, hr))
        # In torchvision's network activations work in place, so a slice ends before the next one.
        error = (one - other).detach()
        expected += weight * float((error.abs() if distance == "l1" else error.square()).mean())
    assert float(vgg(net, layers, distance)(sr, hr)) == pytest.approx(expected, rel=1e-5)
    assert float(vgg(net, layers, distance)(hr, hr)) == 0


def test_the_layers_are_named_as_in_the_papers():
    vgg19 = layer_names(models.vgg19(weights=None).features, blocks=True)
    assert (vgg19.index("conv5_4"), vgg19.index("relu2_2"), vgg19[-1]) == (34, 8, "pool5")
    vgg16 = layer_names(models.vgg16(weights=None).features, blocks=True)
    assert (vgg16.index("conv5_3"), vgg16.index("pool3")) == (28, 16)
    squeeze = layer_names(models.squeezenet1_1(weights=None).features, blocks=False)
    assert (squeeze.index("fire2"), squeeze.index("fire9")) == (3, 12)


def test_a_network_ends_with_its_deepest_layer():
    features = Features("squeeze", ("fire3", "conv1"))
    assert len(features.layers) == 5
    assert set(features(torch.rand(1, 3, 40, 40))) == {"fire3", "conv1"}


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ('vgg:net=squeeze,layers="fire33"', "layer 'fire33' is none of squeeze's. Did you mean 'fire3'?"),
        ('vgg:net=squeeze,layers="x*fire3"', "'x' is no number"),
        ('vgg:net=squeeze,layers="-1*fire3"', "'-1' is no number above 0"),
        ("vgg:net=squeeze", "needs more pixels for its layer pool3 than 16×16. Take --patch 20"),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(pictures, loss, said):
    with pytest.raises(UsageError) as raised:
        small_job(pictures, losses=(loss,), channels=("rgb",), settings={"patch": 16})
    assert said in str(raised.value)


def test_too_small_for_alexnet():
    with pytest.raises(SizeError, match="net=alex needs more pixels for its layer pool2 than 40×30"):
        vgg("alex", "pool3")(torch.rand(1, 3, 30, 40), torch.rand(1, 3, 30, 40))


def test_missing_weights_are_told_of_with_the_loss(pictures, weights, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SRBENCH_OFFLINE", "1")
    monkeypatch.setenv("SRBENCH_CACHE", str(tmp_path / "cache"))
    line = small_arguments(
        pictures, tmp_path / "results", "--channels", "rgb", "--lpips-weights", str(weights)
    )
    line[line.index("charbonnier")] = "l1+vgg"
    try:
        assert srbench(line, monkeypatch) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "The loss vgg (vgg19) cannot be computed: its weights are neither in" in said
        assert "vgg19-dcbb9e9d.pth or vgg19-features.safetensors" in said
        assert not (tmp_path / "results").exists()
        with pytest.raises(MetricUnavailable):
            facts("vgg19")
    finally:
        set_weights_dir(weights)


@pytest.mark.parametrize("channels", ["rgb", "r,g,b", "y"])
def test_it_resumes_exactly_with_its_weights_in_the_specification_alone(pictures, tmp_path, channels):
    job = small_job(
        pictures, losses=(f"l1+0.1*{SQUEEZE}",), channels=(channels,), budget=Budget(steps=4),
        settings={"patch": 32, "batch": 2},
    )  # fmt: skip
    settings = Settings(
        CPU, "exact", Cadence(save_every_s=0, eval_every=2), Scoring(*resolve_metrics(["psnr"])), quiet=True
    )
    execute([job], tmp_path / "whole", settings, Stop())
    for stop in (StopAt(9), Stop()):
        execute([job], tmp_path / "parts", settings, stop)
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")
    paths = RunPaths(tmp_path / "whole" / job.spec.id)
    (_, term) = json.loads(paths.run.read_text())["spec"]["loss"]
    assert term["facts"] == {"weights_sha256": facts("squeeze")["weights_sha256"]}
    newest = max(paths.checkpoints.iterdir())
    assert (newest / "state.safetensors").stat().st_size < 200_000  # the network has 2.9 MB


@pytest.mark.parametrize("channels", ["r,g,b", "y"])
def test_its_gradient_in_separate_networks_agrees_with_finite_differences(pictures, channels):
    smooth = SQUEEZE + ",distance=l2"
    spec = small_job(pictures, losses=(smooth,), channels=(channels,), settings={"patch": 32, "ema": 0}).spec
    apply_engine(choose_engine(CPU, "fp32", "exact"))
    state = TrainingState(spec, CPU)
    step = TrainStep(spec, state, CPU, None)
    random = torch.Generator().manual_seed(5)
    batch = Batch(torch.rand(1, 3, 8, 8, generator=random), {4: torch.rand(1, 3, 32, 32, generator=random)})

    def loss():
        return step._sum(step._views(batch, 0, tuple(state.networks)), 0, Losses())

    loss().backward()
    for network in state.networks.values():
        parameter = max(network.parameters(), key=lambda one: float(one.grad.norm()))
        towards = parameter.grad / parameter.grad.norm()
        size = 2e-3
        with torch.no_grad():
            parameter += size * towards
            above = float(loss())
            parameter -= 2 * size * towards
            below = float(loss())
            parameter += size * towards
        # In float32, and with maxima and kinks on the way.
        assert (above - below) / (2 * size) == pytest.approx(float(parameter.grad.norm()), rel=0.05)
