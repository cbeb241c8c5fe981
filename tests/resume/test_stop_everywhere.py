"""SIGTERM in every phase of a run: exit 75 within 10 s, and the same line ends with the same bits."""

import importlib
import os
import signal
import threading
import time

import pytest
from small import picture_folder, small_arguments, srbench

from srbench.prove.hashes import hashes

LIMIT_S = 10


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def arguments(pictures, results, *more):
    return small_arguments(pictures, results, "--eval-every", "3", "--steps", "6", *more)


@pytest.fixture(scope="module")
def whole(pictures, tmp_path_factory):
    results = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        assert srbench(arguments(pictures, results), patch) == 0
    return hashes(results)


def stopped(line, monkeypatch):
    """Run a line that is sent SIGTERM on its way; says how long it took from there."""
    assert srbench(line, monkeypatch) == 75
    return time.monotonic() - signalled[-1]


signalled: list[float] = []


def signal_at(monkeypatch, place, nth=1):
    """SIGTERM to this process at the n-th call of a function of srbench, which then goes on."""
    module, name = place.split(":")
    owner = importlib.import_module(module)
    *classes, name = name.split(".")
    for one in classes:
        owner = getattr(owner, one)
    original, calls = getattr(owner, name), 0

    def called(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == nth:
            signalled.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGTERM)
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, called)


PHASES = {
    "planning": "srbench.plan:component_spec",
    "hashing pictures": "srbench.datasets:content_hash",
    "decoding training pictures": "srbench.images.tiles:read_rgb",
    "decoding validation pictures": "srbench.train.validate:read_rgb",
    "training": "srbench.train.step:TrainStep.__call__",
    "copying a checkpoint": "srbench.train.journal:copied",
    "writing a checkpoint": "srbench.train.journal:write_checkpoint",
    "validation": "srbench.train.validate:predict",
    "scoring": "srbench.predict:predict",
    "metrics": "srbench.evaluate.scorer:called_with",
}


@pytest.mark.parametrize("phase", PHASES)
def test_sigterm_ends_with_75_in_time_and_the_same_line_with_the_same_bits(
    pictures, tmp_path, monkeypatch, capsys, whole, phase
):
    with monkeypatch.context() as patch:
        signal_at(patch, PHASES[phase])
        assert stopped(arguments(pictures, tmp_path, "--save-every", "0"), patch) < LIMIT_S
    err = " ".join(capsys.readouterr().err.split())
    assert "on SIGTERM" in err
    assert "Traceback" not in err
    assert srbench(arguments(pictures, tmp_path), monkeypatch) == 0
    assert hashes(tmp_path) == whole


def test_a_stalled_download_of_weights_is_left(pictures, tmp_path, monkeypatch, file_server):
    """30 s would pass until the server counts as dead."""
    file_server.files["alexnet-owt-7be5be79.pth"] = bytes(1 << 20)
    file_server.fault = "stalls"
    monkeypatch.setenv("SRBENCH_LPIPS_URL", file_server.url)
    monkeypatch.setenv("SRBENCH_CACHE", str(tmp_path / "cache"))

    def send_once_it_stalls():
        deadline = time.monotonic() + 30
        while not file_server.requests and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        signalled.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGTERM)

    sender = threading.Thread(target=send_once_it_stalls)
    sender.start()
    line = arguments(pictures, tmp_path / "results")
    line[line.index("psnr")] = "psnr,lpips"
    assert stopped(line, monkeypatch) < LIMIT_S
    sender.join()
    assert file_server.requests == 1


def test_a_large_picture_is_left_between_the_passes_of_its_networks(pictures, tmp_path, monkeypatch, capsys):
    """Eight passes a network with --self-ensemble; the signal comes in the first."""
    import srbench.inference

    passes = 0
    original = srbench.inference._turned

    def counted(*args):
        nonlocal passes
        passes += 1
        return original(*args)

    monkeypatch.setattr(srbench.inference, "_turned", counted)
    signal_at(monkeypatch, "srbench.inference:_tiled", nth=2)
    line = arguments(pictures, tmp_path, "--self-ensemble", "--steps", "0")
    assert stopped(line, monkeypatch) < LIMIT_S
    assert 1 <= passes < 8


def test_eval_stops_while_pictures_are_hashed(pictures, tmp_path, monkeypatch, capsys):
    assert srbench(arguments(pictures, tmp_path), monkeypatch) == 0
    (run,) = [path.name for path in tmp_path.iterdir() if path.name.startswith("lapsrn")]
    signal_at(monkeypatch, "srbench.datasets:content_hash")
    assert stopped(["eval", run, "--metric", "psnr", "--results", str(tmp_path)], monkeypatch) < LIMIT_S


def test_the_baseline_gate_stops_between_pictures(assets, tmp_path, monkeypatch):
    """Five photographs are compared with what is published of Set5; the signal comes at the first."""
    monkeypatch.setenv("SRBENCH_CACHE", str(tmp_path / "cache"))
    folder = assets / "data" / "set5"
    signal_at(monkeypatch, "srbench.data.lookup:Seen.look")
    line = ["run", "--model", "bicubic", "--test", f"set5:root={folder}", "--metric", "psnr"]
    assert stopped([*line, "--results", str(tmp_path / "results")], monkeypatch) < LIMIT_S
