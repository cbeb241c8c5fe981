"""srbench prove-resume: equal where resuming is exact, and honest where a component makes that impossible."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import psutil
import pytest
from resume_torture import CHANNELS, install, pictures, torture
from small import srbench

from srbench.errors import UsageError
from srbench.phases import Sign
from srbench.prove import Proof
from srbench.prove.aims import Aim, aims_of, pace_of
from srbench.prove.show import to_text
from srbench.prove.sitting import sit

PLUGIN = '''"""A convolution whose output depends on {what}."""

import itertools
import os

import torch
from torch import nn

from srbench.api import hookimpl


class Odd(nn.Module):
    def __init__(self, planes, scale):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(planes, planes * scale**2, 3, padding=1), nn.PixelShuffle(scale))
        self.calls = itertools.count(1)

    def forward(self, lr):
        return self.body(lr) * (1 + ({what}) / 1000)


@hookimpl
def register_models(register):
    register("odd", Odd)
'''


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """A function that makes a plugin every process started from here on finds."""
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))  # and is put back at the end
    return lambda name, source: install(tmp_path / "plugins" / name, name, source)


def line(tmp_path, *more):
    return [
        "prove-resume", "--model", "odd", "--loss", "charbonnier", "--channels", "y", "--steps", "100",
        "--dataset", pictures(tmp_path / "pictures"), "--batch", "2", "--patch", "16", *more,
    ]  # fmt: skip


def test_batch_norm_dropout_and_average_end_with_the_same_bytes_after_eight_kills(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    assert torture(8, 60, [(channels, "adam") for channels in CHANNELS], tmp_path)
    out = capsys.readouterr().out
    assert "EQUAL: 18 of 18 files of 2 runs are the same with 8 kills" in out
    assert "UNEQUAL" not in out
    assert "DIFFERENT" not in out


def test_state_outside_the_checkpoint_is_found_and_both_stores_are_kept(
    tmp_path, plugins, monkeypatch, capsys
):
    """A Python counter starts again at each resume; without a kill the run would repeat."""
    plugins("odd", PLUGIN.format(what="next(self.calls) if self.training else 0"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert srbench(line(tmp_path, "--kills", "1", "--json"), monkeypatch) == 1
    proof = json.loads(capsys.readouterr().out)
    assert not proof["equal"]
    assert (proof["kills"], sum(proof["phases"].values()), proof["failure"]) == (1, 1, None)
    different = {one["name"].rpartition("/")[2] for one in proof["files"] if not one["equal"]}
    assert different >= {"model.safetensors", "state.safetensors", "manifest.json", "history.jsonl"}
    assert all(one["equal"] for one in proof["files"] if one["name"].startswith("bicubic"))
    for store in ("whole", "killed"):
        assert (tmp_path / proof["kept"].rpartition("/")[2] / store).is_dir()


def test_a_run_that_does_not_repeat_is_told_from_one_that_does_not_resume(
    tmp_path, plugins, monkeypatch, capsys
):
    plugins("odd", PLUGIN.format(what="int.from_bytes(os.urandom(2)) / 65536"))
    arguments = line(tmp_path, "--kills", "0", "--keep", str(tmp_path / "kept"))
    assert srbench(arguments, monkeypatch) == 1
    out = capsys.readouterr().out
    assert out.startswith("UNEQUAL: ")
    assert "model.safetensors" in out
    assert "DIFFERENT" in out
    assert "Nothing was killed, so the run itself does not repeat" in out
    assert f"Both stores are in {tmp_path / 'kept'}" in out
    assert srbench(arguments, monkeypatch) == 2
    assert "is not empty" in capsys.readouterr().err


def test_ctrl_c_leaves_no_process_and_no_folder(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "srbench", "prove-resume"], stderr=subprocess.PIPE, text=True, env=environment
    )
    deadline = time.monotonic() + 90
    while not (children := psutil.Process(process.pid).children(recursive=True)):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 75
    assert "Stopped on Ctrl-C. The same command begins the proof anew." in " ".join(err.split())
    assert not any(child.is_running() for child in children)
    assert not list(tmp_path.iterdir())


def test_what_the_run_itself_refuses_is_said_as_it_says_it(monkeypatch, capsys):
    assert srbench(["prove-resume", "--model", "lapsm"], monkeypatch) == 2
    assert capsys.readouterr().err == (
        "No model named 'lapsm'. Did you mean 'lapsrn'? srbench plugins lists all.\n"
    )


@pytest.mark.parametrize("more", [["--loss", "l1,l2"], ["--seed", "1", "--seed", "2"]])
def test_one_run_at_a_time(monkeypatch, capsys, more):
    assert srbench(["prove-resume", *more], monkeypatch) == 2
    assert "names 2 runs, and srbench prove-resume takes one at a time" in capsys.readouterr().err


def test_help_and_its_defaults(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    assert srbench(["prove-resume", "--help"], monkeypatch) == 0
    out = capsys.readouterr().out
    assert "[default: 8]" in out
    assert "lapsrn on sample unless --model and --dataset say otherwise" in " ".join(out.split())


def test_a_process_that_says_nothing_is_ended(tmp_path):
    sitting = sit(["runs", "--results", str(tmp_path)], lambda: None, silence_s=0.0)
    assert sitting.code is None
    assert not sitting.killed


# Where kills are aimed


SIGNS = [
    (1.0, Sign("scoring", 0)), (1.5, Sign("scored", 0)), (4.0, Sign("training", 0)),
    (6.0, Sign("validation", 5)), (6.5, Sign("training", 5)), (6.5, Sign("saving", 5)),
    (6.75, Sign("saved", 5)), (8.0, Sign("validation", 10)), (8.5, Sign("training", 10)),
    (8.5, Sign("saving", 10)), (8.75, Sign("saved", 10)), (9.0, Sign("scoring", 10)),
    (9.75, Sign("scored", 10)),
]  # fmt: skip


def test_the_pace_of_a_run_is_read_from_what_it_said():
    pace = pace_of(SIGNS, 10)
    assert pace.seconds == {
        "start-up": 4.0, "training": 0.5, "saving": 0.25, "validation": 0.5, "scoring": 0.75
    }  # fmt: skip
    assert pace.validations == [5, 10]


def test_a_model_that_is_not_trained_has_nothing_to_resume():
    with pytest.raises(UsageError, match="nothing to resume: this model is not trained"):
        pace_of(SIGNS[:2], 10)


def test_aims_take_every_phase_in_the_order_of_the_run():
    aims = aims_of(80, pace_of(SIGNS, 10), random.Random(0))
    assert Counter(aim.phase for aim in aims) == {
        "saving": 20, "validation": 20, "training": 20, "scoring": 10, "start-up": 10
    }  # fmt: skip
    assert aims == sorted(aims, key=lambda aim: aim.step)
    assert {aim.step for aim in aims if aim.phase == "validation"} == {5, 10}
    assert {aim.step for aim in aims if aim.phase == "saving"} == set(range(1, 10))
    assert all(aim.phase == "scoring" for aim in aims[-10:])
    assert all(0 <= aim.fraction < 1 for aim in aims)


def test_an_aim_is_met_in_its_phase_and_at_the_latest_in_scoring():
    aim = Aim("validation", 5, 0.5)
    assert not aim.is_met(Sign("validation", 4), 10)
    assert not aim.is_met(Sign("saving", 6), 10)
    assert not aim.is_met(Sign("scoring", 0), 10)  # bicubic
    assert aim.is_met(Sign("validation", 5), 10)
    assert aim.is_met(Sign("scoring", 10), 10)


def test_a_failure_is_said_first():
    text = to_text(Proof(10, kills=Counter(training=2), failure="It ended with exit code 1."), None)
    assert text.startswith(
        "FAILED: after 2 kills, the run could not be brought to its end. It ended with exit code 1.\n"
    )
