"""Exact resume on a GPU: every precision, one network and three, stopped in the middle and killed."""

import json
import os

import pytest
import torch
from resume_torture import torture
from small import noisy_plugin, picture_folder, small_job, train_whole_and_in_parts

from srbench.plan.settings import Budget
from srbench.prove.hashes import hashes
from srbench.store.layout import RunPaths
from srbench.store.runs import read_record

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here")

MODELS = ("noisy", "lapsrn:features=4,depth=1")
OPTIMIZERS = ("adam", "sgd:momentum=0.9,weight_decay=1e-4")


@pytest.fixture(scope="module", autouse=True)
def plugin():
    with noisy_plugin():
        yield


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def precisions():
    """bf16 is emulated on GPUs before Ampere, at several times the cost; there it proves nothing more."""
    native = torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 0)
    skipped = pytest.mark.skipif(not native, reason="this GPU has no bf16 of its own")
    return ["fp32", "fp16", pytest.param("bf16", marks=skipped)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("channels", ["rgb", "r,g,b"])
@pytest.mark.parametrize("precision", precisions())
@pytest.mark.parametrize("model", MODELS)
def test_stopped_anywhere_a_run_on_a_gpu_resumes_exactly(
    pictures, tmp_path, model, precision, channels, optimizer
):
    job = small_job(
        pictures, models=(model,), channels=(channels,), precision=precision, budget=Budget(steps=8),
        settings={"optimizer": optimizer, "ema": 0.9, "clip": 1.0},
    )  # fmt: skip
    train_whole_and_in_parts(job, tmp_path, "cuda")
    assert torch.are_deterministic_algorithms_enabled()
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")
    paths = RunPaths(tmp_path / "parts" / job.spec.id)
    engine = read_record(paths).engine
    assert engine["device"].startswith("cuda (")
    assert (engine["precision"], engine["determinism"]) == (precision, "exact")
    state = json.loads((max(paths.checkpoints.iterdir()) / "state.json").read_text())
    assert bool(state["scalers"]) == (precision == "fp16")


def test_killed_a_run_on_a_gpu_ends_with_the_same_bytes(tmp_path, monkeypatch, capsys):
    """Each sitting is a process of its own, with its own CUDA context. `auto` takes the GPU."""
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    assert torture(4, 60, [("r,g,b", "adam")], tmp_path)
    assert "EQUAL: 9 of 9 files of 1 runs are the same with 4 kills" in capsys.readouterr().out
    record = json.loads(next((tmp_path / "0").glob("killed/noisy*/run.json")).read_text())
    assert record["engine"]["device"].startswith("cuda (")
