"""Exact resume, over everything that training changes, and the end that history decides."""

import json

import pytest
from small import StopAt, noisy_plugin, picture_folder, settings, small_job, train_whole_and_in_parts

from srbench.errors import UsageError
from srbench.executors.local import execute
from srbench.plan.settings import Budget
from srbench.prove.hashes import hashes
from srbench.store.history import read_lines
from srbench.store.layout import RunPaths
from srbench.store.runs import read_record
from srbench.train.stop import Stop


@pytest.fixture(scope="module", autouse=True)
def plugin():
    with noisy_plugin():
        yield


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def paths_of(results, job):
    return RunPaths(results / job.spec.id)


@pytest.mark.parametrize("channels", ["rgb", "r,g,b"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("ema", [0, 0.9])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "sgd:momentum=0.9,weight_decay=1e-4"])
def test_every_kind_of_state_resumes_exactly(pictures, tmp_path, optimizer, ema, precision, channels):
    change = {"optimizer": optimizer, "ema": ema, "schedule": "constant:warmup=4"}
    job = small_job(
        pictures, models=("noisy",), channels=(channels,), precision=precision, settings=change,
        budget=Budget(steps=8),
    )  # fmt: skip
    train_whole_and_in_parts(job, tmp_path)
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")
    folder = max(paths_of(tmp_path / "whole", job).checkpoints.iterdir())
    state = json.loads((folder / "state.json").read_text())
    assert state["progress"]["summed"] == 2  # the open epoch's
    assert bool(state["scalers"]) == (precision == "fp16")
    assert all(scaler["_growth_tracker"] == 8 for scaler in state["scalers"].values())


def patient(pictures, steps=400):
    """A learning rate that soon makes nothing better."""
    return small_job(pictures, channels=("y",), settings={"lr": 0.02, "ema": 0}, budget=Budget(steps=steps))


def test_patience_ends_a_run_at_the_same_step_however_often_it_is_stopped(pictures, tmp_path):
    job = patient(pictures)
    execute([job], tmp_path / "whole", settings(patience=2), Stop())
    whole = paths_of(tmp_path / "whole", job)
    lines = [line["psnr"]["4"]["y"] for line in read_lines(whole.history)]
    assert read_record(whole).status == "done"
    assert read_record(whole).step == 3 * len(lines) < 400
    assert lines.index(max(lines)) == len(lines) - 3
    looks = 12
    while read_record(paths_of(tmp_path / "parts", job)) is None or (
        read_record(paths_of(tmp_path / "parts", job)).status != "done"
    ):
        execute([job], tmp_path / "parts", settings(patience=2, save_every_s=0), StopAt(looks))
        looks += 4
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")
    (again,) = execute([job], tmp_path / "whole", settings(patience=2), Stop())
    assert not again.did_anything


def test_without_patience_the_run_goes_on_to_its_budget(pictures, tmp_path):
    long = patient(pictures)
    execute([long], tmp_path / "patient", settings(patience=1), Stop())
    ended = read_record(paths_of(tmp_path / "patient", long)).step
    job = patient(pictures, steps=ended + 5)
    execute([job], tmp_path / "patient", settings(), Stop())
    execute([job], tmp_path / "whole", settings(), Stop())
    assert hashes(tmp_path / "patient") == hashes(tmp_path / "whole")


def test_patience_without_validation_pictures_is_refused(pictures, tmp_path):
    job = small_job(pictures, datasets=(f"folder:train={pictures / 'train'},test={pictures / 'test'}",))
    (outcome,) = execute([job], tmp_path, settings(patience=1), Stop())
    assert isinstance(outcome.error, UsageError)
    assert "--patience waits for a better validation" in str(outcome.error)
    assert not list(tmp_path.iterdir())
