"""How long jobs will train: the step that training itself comes to, and where seconds a step are from."""

import time

import pytest
import torch
from small import picture_folder, settings, small_job, small_request, train_whole_and_in_parts

from srbench.executors.local import execute
from srbench.forecast import forecast
from srbench.plan import plan
from srbench.plan.settings import Budget
from srbench.store.layout import RunPaths
from srbench.store.runs import read_record
from srbench.train.stop import Stop

CPU = torch.device("cpu")


@pytest.fixture
def pictures(tmp_path):
    return picture_folder(tmp_path / "pictures")


def of(job, results, **more):
    (found,) = forecast([job], results, CPU, quiet=True, **more)
    return found


@pytest.mark.parametrize("epochs", [0.5, 1, 3])
def test_a_budget_in_epochs_is_the_step_that_training_ends_at(pictures, tmp_path, epochs):
    job = small_job(pictures, budget=Budget(epochs=epochs), channels=("y",))
    expected = of(job, tmp_path / "results").target
    execute([job], tmp_path / "results", settings(), Stop())
    assert read_record(RunPaths(tmp_path / "results" / job.spec.id)).budget == expected


def test_time_is_measured_then_that_of_a_run_like_it_then_its_own(pictures, tmp_path):
    results = tmp_path / "results"
    one, other = (small_job(pictures, seeds=(seed,), channels=("y",)) for seed in (0, 1))
    measured = of(one, results)
    assert measured.basis == "a few measured steps"
    assert 0 < measured.left_s < 60
    assert not results.exists()
    execute([one], results, settings(), Stop())
    assert of(one, results).left_s == 0
    assert of(other, results).basis == f"the timings of {one.spec.id}"
    more = small_job(pictures, channels=("y",), budget=Budget(steps=600))
    assert of(more, results).basis == "its own timings"
    assert of(more, results).left_s == pytest.approx(99 * of(other, results).left_s, rel=1e-6)
    wider = small_job(pictures, channels=("y",), settings={"batch": 8})
    assert of(wider, results).basis == "a few measured steps"


def test_runs_that_are_alike_are_measured_once_and_the_baseline_takes_no_time(pictures, tmp_path):
    jobs = plan(small_request(pictures, seeds=tuple(range(40)), channels=("y",)))
    began = time.monotonic()
    found = forecast(jobs, tmp_path, CPU, quiet=True)
    assert time.monotonic() - began < 20
    assert found[0].left_s == 0
    assert len({one.left_s for one in found[1:]}) == 1


def test_what_cannot_be_measured_is_unknown_with_its_reason(pictures, tmp_path):
    job = small_job(pictures, channels=("y",))
    found = of(job, tmp_path, processes=2)
    assert found.left_s is None
    assert "as many processes" in found.basis


def test_a_measurement_leaves_no_trace_in_what_is_trained(pictures, tmp_path):
    """The same bits with a dry run between the parts as without."""
    job = small_job(pictures, channels=("y",))
    train_whole_and_in_parts(job, tmp_path)
    of(small_job(pictures, channels=("y",), settings={"batch": 8}), tmp_path / "whole")
    execute([job], tmp_path / "after", settings(), Stop())
    ends = [max((tmp_path / name / job.spec.id / "checkpoints").iterdir()) for name in ("whole", "after")]
    one, other = ((end / "state.safetensors").read_bytes() for end in ends)
    assert one == other
