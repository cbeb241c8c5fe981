"""What models cost: counts against arithmetic, measured once a model, devices side by side."""

import csv
import json
import os
import signal

import pytest
import torch
from small import picture_folder, small_arguments, srbench
from torch import nn

from srbench import cost
from srbench.cost import cost_device, measure, measure_missing
from srbench.errors import StoppedError, StoreError
from srbench.predict import NetworkUpscaler, predict
from srbench.store.cost import Cost, DeviceCost, read_cost, write_cost
from srbench.store.layout import RunPaths
from srbench.store.runs import list_runs
from srbench_lapsrn.network import build

CPU = torch.device("cpu")


def upscaler(networks, channels, scale):
    return NetworkUpscaler(networks, channels, scale, 1, True, CPU)


class Shuffle(nn.Module):
    """One 3×3 convolution to 4 phases."""

    def __init__(self, planes):
        super().__init__()
        self.conv = nn.Conv2d(planes, 4 * planes, 3, padding=1)

    def forward(self, lr):
        return nn.functional.pixel_shuffle(self.conv(lr), 2)


def test_counts_are_those_by_hand():
    cost = measure(upscaler({"rgb": Shuffle(3)}, "rgb", 2))
    assert cost.parameters == 3 * 12 * 9 + 12
    assert cost.macs == 3 * 12 * 9 * 360 * 640
    (device,) = cost.devices.values()
    assert device.latency_s > 0
    # LR and its channels_last copy, the convolution's 12 planes and the shuffled ones, and the weights.
    assert device.peak_memory_bytes == 4 * (2 * 3 * 256**2 + 2 * 12 * 256**2 + cost.parameters)


def test_three_networks_count_three_times_and_a_shared_one_is_held_once():
    apart = measure(upscaler({plane: Shuffle(1) for plane in "rgb"}, "r,g,b", 2))
    shared = measure(upscaler(dict.fromkeys("rgb", Shuffle(1)), "r,g,b", 2))
    assert apart.parameters == 3 * shared.parameters == 3 * (4 * 9 + 4)
    assert apart.macs == shared.macs == 3 * 4 * 9 * 360 * 640


def test_lapsrn_counts_as_its_layers_say():
    """×2 of 4 features and depth 1: convolutions at LR, four 2×2 phases of the doubling, the residual and the
    4×4 doubling of the picture, which are counted at their output."""
    cost = measure(upscaler({"r": build(1, 2, features=4, depth=1)}, "r", 2))
    pixels = 360 * 640
    lr = 9 * 4 + 9 * 4 * 4 + 4 * 4 * 4 * 4
    assert cost.macs == pixels * lr + 4 * pixels * 9 * 4 + pixels * 16
    assert cost.parameters == sum(one.numel() for one in build(1, 2, features=4, depth=1).parameters())


class Stubborn(Shuffle):
    """It looks at its values, so that shapes alone do not tell what it computes."""

    def forward(self, lr):
        return super().forward(lr + float(lr.mean() > 2))


def test_a_network_that_looks_at_its_values_is_counted_by_running_it():
    assert measure(upscaler({"rgb": Stubborn(3)}, "rgb", 2)).macs == 3 * 12 * 9 * 360 * 640


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Two runs that differ in training alone, beside bicubic, and a folder of pictures."""
    pictures = picture_folder(tmp_path / "pictures")
    arguments = small_arguments(
        pictures, tmp_path / "results", "--channels", "y", "--seed", "0", "--seed", "1"
    )
    assert srbench(arguments, monkeypatch) == 0
    foreign = ["eval", "--pictures", str(pictures / "test"), "--name", "hr", "--metric", "psnr"]
    test = ["--test", f"folder:test={pictures / 'test'}", "--results", str(tmp_path / "results")]
    assert srbench([*foreign, *test], monkeypatch) == 0
    return tmp_path / "results"


def test_a_model_is_measured_once_and_shown(results, monkeypatch, capsys):
    capsys.readouterr()
    table = ["table", "--cost", "--results", str(results)]
    assert srbench([*table, "--format", "json"], monkeypatch) == 0
    name = cost_device(CPU)
    rows = {row["run"]: row for row in json.loads(capsys.readouterr().out)}
    by_model = {}
    for row in rows.values():
        found = (
            row["parameters"],
            row["macs"],
            row[f"latency_s ({name})"],
            row[f"peak_memory_bytes ({name})"],
        )
        by_model.setdefault(row["model"], set()).add(found)
    (lapsrn,) = by_model["lapsrn"]  # one measurement for both seeds
    assert lapsrn[0] == sum(one.numel() for one in build(1, 4, features=4, depth=1).parameters())
    assert by_model["hr"] == {(None,) * 4}
    assert next(iter(by_model["bicubic"]))[0] == 0
    files = {path: path.read_text() for path in results.glob("*/cost.json")}
    assert len(files) == 3
    assert srbench([*table, "--format", "csv"], monkeypatch) == 0
    header, *lines = csv.reader(capsys.readouterr().out.splitlines())
    assert header[-4:] == ["parameters", "macs", f"latency_s ({name})", f"peak_memory_bytes ({name})"]
    assert all(len(line) == len(header) for line in lines)
    assert files == {path: path.read_text() for path in results.glob("*/cost.json")}


@pytest.mark.parametrize("format", ["rich", "md", "latex"])
def test_every_device_has_columns_of_its_own(results, monkeypatch, capsys, format):
    monkeypatch.setenv("COLUMNS", "400")
    measure_missing(list_runs(results)[0], CPU, quiet=True)
    for run in list_runs(results)[0]:
        cost = read_cost(run.paths)
        if cost is not None and "lapsrn" in run.id:
            other = {"cuda (Fast)": DeviceCost(0.00125, 123_456_789)}
            write_cost(run.paths, Cost(cost.parameters, cost.macs, {**cost.devices, **other}))
    capsys.readouterr()
    assert srbench(["table", "--cost", "--format", format, "--results", str(results)], monkeypatch) == 0
    out = capsys.readouterr().out
    for words in ("ms on cuda (Fast)", "peak MB on cuda (Fast)", "ms on cpu (", "1.25", "123"):
        assert words in out
    lines = [line for line in out.splitlines() if "lapsrn" in line and "1.25" in line]
    assert len(lines) == 1
    assert srbench(["table", "--format", format, "--results", str(results)], monkeypatch) == 0
    assert "peak MB" not in capsys.readouterr().out


def test_what_cannot_be_measured_is_named_and_left_out(results, tmp_path, monkeypatch, capsys, caplog):
    from safetensors.torch import save_file

    file = tmp_path / "net.safetensors"
    save_file(build(1, 4, features=4, depth=1).state_dict(), file)
    arguments = ["eval", "--weights", str(file), "--model", "lapsrn:features=4,depth=1", "--channels", "y"]
    test = ["--test", f"folder:test={tmp_path / 'pictures' / 'test'}", "--metric", "psnr"]
    assert srbench([*arguments, *test, "--results", str(results)], monkeypatch) == 0
    file.unlink()
    assert srbench(["table", "--cost", "--results", str(results)], monkeypatch) == 0
    err = " ".join(capsys.readouterr().err.split())
    assert "The cost of lapsrn-weights-y-x4-" in err
    assert "is not there any more" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_measurement_with_75_and_what_is_measured_stays(
    results, monkeypatch, capsys, number
):
    table = ["table", "--cost", "--format", "json", "--results", str(results)]
    measured = []
    original = cost._macs

    def then_signal(upscaler):
        """The second model is being measured: its passes are over but for the count."""
        if measured:
            os.kill(os.getpid(), number)
        measured.append(upscaler)
        return original(upscaler)

    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(cost, "_macs", then_signal)
        assert srbench(table, patch) == StoppedError.exit_code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.strip() in (
        f"Stopped on {name}. Run the same command to go on." for name in ("Ctrl-C", "SIGTERM")
    )
    kept = {path: path.read_bytes() for path in results.glob("*/cost.json")}
    assert kept
    assert not list(results.glob("*/.cost.json*"))
    assert srbench(table, monkeypatch) == 0
    assert len(list(results.glob("*/cost.json"))) == 3
    assert all(path.read_bytes() == before for path, before in kept.items())


def test_a_signal_is_heeded_between_two_passes_of_a_network(results, monkeypatch, capsys):
    passes = 0

    def counted(networks, *arguments, **more):
        nonlocal passes
        passes += 1
        if passes == 3:  # inside the timer of the first model
            os.kill(os.getpid(), signal.SIGTERM)
        assert passes < 5
        return predict(networks, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(cost, "predict", counted)
        assert srbench(["table", "--cost", "--results", str(results)], patch) == StoppedError.exit_code
    assert not list(results.glob("*/cost.json"))


def test_a_damaged_file_is_named(tmp_path):
    paths = RunPaths(tmp_path)
    assert read_cost(paths) is None
    paths.cost.write_text("{")
    with pytest.raises(StoreError, match="cost.json cannot be read"):
        read_cost(paths)
