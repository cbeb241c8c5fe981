"""Files that spandrel recognises: nothing is unpickled, scale and planes are theirs, tiles leave no seams."""

import json
import sys
import warnings

import pytest
import torch
from safetensors.torch import save_file
from small import picture_folder, srbench

from srbench.errors import UsageError
from srbench.foreign.weights import read_weights
from srbench.inference import Inference
from srbench.plan.terms import component_spec
from srbench.predict import predict

spandrel = pytest.importorskip("spandrel", reason='spandrel is not installed: pip install -e ".[spandrel]"')
from spandrel.architectures import SPAN, Compact, RealCUGAN  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def _seed():
    torch.manual_seed(0)


def compact(planes=3, scale=4):
    """Four 3×3 convolutions: it sees 4 LR pixels far, and adds to the nearest pixel."""
    return Compact.Compact(num_in_ch=planes, num_out_ch=planes, num_feat=8, num_conv=2, upscale=scale)


def cugan():
    """A U-net: sizes must be even at every level."""
    return RealCUGAN.UpCunet2x()


def span():
    return SPAN.SPAN(num_in_ch=3, num_out_ch=3, feature_channels=16, upscale=2)


MODEL = component_spec("model", "spandrel")


def saved(network, path):
    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    save_file(state, path) if path.suffix == ".safetensors" else torch.save({"params_ema": state}, path)
    return path


@pytest.mark.parametrize(
    ("network", "scale", "suffix"),
    [(compact, 4, ".pth"), (compact, 4, ".safetensors"), (span, 2, ".safetensors"), (cugan, 2, ".pth")],
)
def test_a_file_says_what_it_is_and_upscales_as_its_network(tmp_path, network, scale, suffix):
    made = network().eval()
    weights = read_weights(saved(made, tmp_path / f"any{suffix}"), MODEL, None, None)
    assert (weights.scale, weights.channels) == (scale, "rgb")
    lr = torch.rand(1, 3, 48, 52)
    with torch.no_grad():
        expected = made(lr).clamp(0, 1)
    sr = predict(weights.networks, "rgb", lr, scale, weights.size_multiple)[scale]
    torch.testing.assert_close(sr, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "scale", "overlap", "tolerance"),
    [(compact, 4, 16, 1e-5), (span, 2, 64, 1e-5), (cugan, 2, 64, 2e-3)],
)
def test_tiles_leave_no_seam(tmp_path, network, scale, overlap, tolerance):
    """Compact looks 4 pixels far and SPAN less than 16, a quarter of their overlaps. RealCUGAN also looks at
    the mean of all it sees, so half a grey level is left of its tiles; with an overlap of 0 it is 12."""
    weights = read_weights(saved(network(), tmp_path / "any.safetensors"), MODEL, None, None)
    generator = torch.Generator().manual_seed(1)
    lr = torch.nn.functional.interpolate(
        torch.rand(1, 3, 12, 14, generator=generator), scale_factor=12, mode="bicubic"
    )
    lr = lr.clamp(0, 1)
    whole = predict(weights.networks, "rgb", lr, scale, weights.size_multiple)[scale]
    tiles = Inference(tile=max(48, 2 * overlap), overlap=overlap)
    tiled = predict(weights.networks, "rgb", lr, scale, weights.size_multiple, tiles)[scale]
    assert tiled.shape == whole.shape
    torch.testing.assert_close(tiled, whole, rtol=0, atol=tolerance)


def test_a_luma_network_is_scored_as_one(tmp_path):
    weights = read_weights(saved(compact(planes=1), tmp_path / "y.pth"), MODEL, None, None)
    assert (weights.channels, weights.scale) == ("y", 4)
    assert list(read_weights(tmp_path / "y.pth", MODEL, 4, "r,g,b").networks) == ["r", "g", "b"]
    with pytest.raises(UsageError, match="a network for ×4, and --scale 2 was asked for"):
        read_weights(tmp_path / "y.pth", MODEL, 2, None)


def test_it_stands_in_the_table(tmp_path, monkeypatch, capsys):
    pictures, results = picture_folder(tmp_path / "pictures"), tmp_path / "results"
    file = saved(compact(), tmp_path / "4x-Small.pth")
    arguments = ["eval", "--weights", str(file), "--model", "spandrel", "--metric", "psnr"]
    arguments += ["--test", f"folder:test={pictures / 'test'}", "--results", str(results)]
    assert srbench(arguments, monkeypatch) == 0
    assert srbench([*arguments, "--tile", "16"], monkeypatch) == 0
    capsys.readouterr()
    assert srbench(["table", "--format", "json", "--results", str(results)], monkeypatch) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {(row["model"], row["scale"]) for row in rows if row["model"] != "bicubic"} == {("4x-Small", 4)}
    assert len({row["protocol"] for row in rows if row["model"] == "4x-Small" and row["plane"] == "y"}) == 2


class Harmful:
    """What runs when it is unpickled, if anything unpickles it."""

    def __reduce__(self):
        return (sys.exit, ("unpickled",))


def test_nothing_is_unpickled(tmp_path):
    torch.save({"params": compact().state_dict(), "extra": Harmful()}, tmp_path / "harm.pth")
    with pytest.raises(
        UsageError, match="it holds more than tensors, or is damaged, and nothing is unpickled"
    ):
        read_weights(tmp_path / "harm.pth", MODEL, None, None)


def test_torchscript_damage_and_strangers_are_refused(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch means to retire TorchScript
        torch.jit.trace(torch.nn.Conv2d(3, 3, 3), torch.zeros(1, 3, 8, 8)).save(tmp_path / "script.pt")
    (tmp_path / "cut.safetensors").write_bytes(
        saved(compact(), tmp_path / "a.safetensors").read_bytes()[:500]
    )
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"what": torch.zeros(2)}, tmp_path / "what.pth")
    torch.save({0: torch.zeros(2)}, tmp_path / "number.pth")
    for name, words in {
        "script.pt": "holds more than tensors",
        "cut.safetensors": "is no sound safetensors file",
        "list.pth": "it holds a list",
        "what.pth": "recognises no architecture",
        "number.pth": "it holds something under 0, which is no name",
    }.items():
        with pytest.raises(UsageError, match=words):
            read_weights(tmp_path / name, MODEL, None, None)


def test_a_network_that_does_not_enlarge_is_refused(tmp_path):
    saved(compact(scale=1), tmp_path / "denoise.pth")
    with pytest.raises(UsageError, match="no network for super-resolution but for restoration"):
        read_weights(tmp_path / "denoise.pth", MODEL, None, None)


def test_without_a_file_it_says_what_to_type(tmp_path, monkeypatch, capsys):
    arguments = ["run", "--model", "spandrel", "--metric", "psnr", "--results", str(tmp_path / "results")]
    assert srbench(arguments, monkeypatch) == 2
    assert "srbench eval --weights FILE --model spandrel" in " ".join(capsys.readouterr().err.split())


def test_without_the_package_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(UsageError, match=r'pip install "srbench-harness\[spandrel\]"'):
        read_weights(saved(compact(), tmp_path / "any.pth"), MODEL, None, None)
