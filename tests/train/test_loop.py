"""Training: the same bits however often it is stopped, whatever its budget was called, alone or in three."""

import json
import logging
import math

import pytest
import torch
from small import StopAt, picture_folder, small_job, small_request

from srbench.errors import DivergedError, StoppedError
from srbench.evaluate.scoring import Scoring, resolve_metrics
from srbench.executors.local import Settings, execute
from srbench.plan import plan
from srbench.plan.settings import Budget
from srbench.prove.hashes import hashes
from srbench.store.history import read_lines
from srbench.store.layout import RunPaths
from srbench.store.runs import read_record
from srbench.train.loop import Cadence
from srbench.train.stop import Stop

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def settings(eval_every=2, save_every_s=60.0):
    metrics, unavailable = resolve_metrics(["psnr"])
    return Settings(
        CPU, "exact", Cadence(save_every_s, eval_every), Scoring(metrics, unavailable), quiet=True
    )


def do(jobs, results, stop=None, **cadence):
    return execute(jobs, results, settings(**cadence), stop or Stop())


def trained(results):
    (run,) = [path for path in results.iterdir() if path.name.startswith("lapsrn")]
    return RunPaths(run)


@pytest.mark.parametrize("channels", ["r,g,b", "rgb", "y"])
def test_stopped_anywhere_ends_with_the_same_bits(pictures, tmp_path, channels):
    jobs = plan(small_request(pictures, channels=(channels,)))
    assert all(outcome.error is None for outcome in do(jobs, tmp_path / "whole"))
    looks, rounds = 3, 0  # an odd stride, so that stops fall on steps between evaluations too
    while True:
        outcomes = do(jobs, tmp_path / "parts", StopAt(looks), save_every_s=0)
        if all(outcome.error is None for outcome in outcomes):
            break
        assert all(isinstance(one.error, StoppedError) for one in outcomes if one.error)
        looks, rounds = looks + 3, rounds + 1
    assert rounds >= 3
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")


def test_stopped_inside_the_last_evaluation_ends_with_the_same_bits(pictures, tmp_path):
    """The evaluation at the last step is made up for, and the checkpoint there is written again with it."""
    jobs = [small_job(pictures, budget=Budget(steps=4))]
    do(jobs, tmp_path / "whole", eval_every=4)

    for looks in range(100):
        results = tmp_path / str(looks)
        (outcome,) = do(jobs, results, StopAt(looks), eval_every=4)
        record = read_record(trained(results)) if results.exists() and list(results.iterdir()) else None
        if record is not None and record.step == 4:
            break
    assert isinstance(outcome.error, StoppedError)
    assert not trained(results).history.exists()
    do(jobs, results, eval_every=4)
    assert hashes(results) == hashes(tmp_path / "whole")
    more = [small_job(pictures, budget=Budget(steps=8))]
    do(more, results, eval_every=4)
    assert [line["step"] for line in read_lines(trained(results).history)] == [4, 8]


def test_a_larger_budget_goes_on_and_equals_it_in_one_go(pictures, tmp_path):
    six, twelve = (plan(small_request(pictures, budget=Budget(steps=n))) for n in (6, 12))
    do(six, tmp_path / "extended")
    do(twelve, tmp_path / "extended")
    do(twelve, tmp_path / "at once")
    assert hashes(tmp_path / "extended") == hashes(tmp_path / "at once")


def test_a_finished_run_has_nothing_to_do(pictures, tmp_path):
    jobs = plan(small_request(pictures))
    assert [one.did_anything for one in do(jobs, tmp_path)] == [True, True]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert [one.did_anything for one in do(jobs, tmp_path)] == [False, False]
    changed = {path.name for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert changed <= {"run.lock"}


def test_separate_networks_equal_single_runs_at_the_same_step(pictures, tmp_path):
    """Bit for bit, with clipping and a moving average on."""
    change = {"settings": {"clip": 0.5}}
    do([small_job(pictures, channels=("r,g,b",), **change)], tmp_path / "joint")
    joint = load(tmp_path / "joint")
    for plane in "rgb":
        do([small_job(pictures, channels=(plane,), **change)], tmp_path / plane)
        single = load(tmp_path / plane)
        assert single
        for name, tensor in single.items():
            assert torch.equal(tensor, joint[name]), name


def load(results):
    from safetensors.torch import load_file

    folder = max(trained(results).checkpoints.iterdir())
    return {**load_file(folder / "model.safetensors"), **load_file(folder / "state.safetensors")}


def test_training_lowers_the_loss_and_moves_every_weight(pictures, tmp_path):
    jobs = [small_job(pictures, budget=Budget(steps=60), channels=("y",), settings={"lr": 3e-3})]
    do(jobs, tmp_path, eval_every=20)
    history = read_lines(trained(tmp_path).history)
    assert [line["step"] for line in history] == [20, 40, 60]
    assert history[-1]["loss"]["y"] < history[0]["loss"]["y"]
    assert history[-1]["psnr"]["4"]["y"] > history[0]["psnr"]["4"]["y"]
    assert all(line["on"] == "val" and set(line["psnr"]) == {"2", "4"} for line in history)


def test_history_of_three_networks_has_the_three_curves_of_each_channel(pictures, tmp_path):
    do(plan(small_request(pictures)), tmp_path)
    for line in read_lines(trained(tmp_path).history):
        assert set(line["loss"]) == {"r", "g", "b"}
        for curve in (line["psnr"], line["detail"]):
            assert set(curve) == {"2", "4"}
            assert all(set("rgb") <= set(planes) for planes in curve.values())
    timings = read_lines(trained(tmp_path).timings)
    assert [line["step"] for line in timings] == [2, 4, 6]
    assert all(line["elapsed_s"] > 0 for line in timings)


def test_without_val_pictures_history_is_on_test_and_says_so(pictures, tmp_path):
    dataset = f"folder:train={pictures / 'train'},test={pictures / 'test'}"
    do(plan(small_request(pictures, datasets=(dataset,))), tmp_path)
    assert {line["on"] for line in read_lines(trained(tmp_path).history)} == {"test"}
    state = json.loads((max(trained(tmp_path).checkpoints.iterdir()) / "state.json").read_text())
    assert state["progress"]["best"] is None


def test_last_and_best_checkpoints_are_kept(pictures, tmp_path):
    do(plan(small_request(pictures, budget=Budget(steps=12))), tmp_path, save_every_s=0)
    paths = trained(tmp_path)
    steps = sorted(int(path.name[5:]) for path in paths.checkpoints.iterdir())
    best = json.loads((paths.checkpoints / "step-00000012/state.json").read_text())["progress"]["best"]
    by_psnr = {
        line["step"]: math.fsum(line["psnr"]["4"].values()) / len(line["psnr"]["4"])
        for line in read_lines(paths.history)
    }
    assert best["step"] == max(by_psnr, key=by_psnr.get)
    assert set(steps) == {11, 12, best["step"]}


def test_an_epoch_budget_counts_the_patches_that_fit(pictures, tmp_path):
    do(plan(small_request(pictures, budget=Budget(epochs=2))), tmp_path)
    slots = 4 * 4 + 4 * 3 + 4 * 4
    assert read_record(trained(tmp_path)).step == math.ceil(2 * slots / 4)


def test_a_loss_that_becomes_nan_stops_the_run_and_keeps_the_last_good_checkpoint(pictures, tmp_path):
    jobs = [small_job(pictures, losses=("l2",), budget=Budget(steps=50), settings={"lr": 1e12, "ema": 0})]
    (outcome,) = do(jobs, tmp_path, save_every_s=0)
    assert isinstance(outcome.error, DivergedError)
    assert "learning rate of 1e+12 is the likely cause; try --lr 1e+11" in str(outcome.error)
    record = read_record(trained(tmp_path))
    assert record.status == "failed"
    assert record.reason == str(outcome.error)
    for path in trained(tmp_path).checkpoints.iterdir():
        weights = load_weights(path)
        assert all(torch.isfinite(tensor).all() for tensor in weights.values())


def load_weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def test_one_failed_run_does_not_stop_the_others(pictures, tmp_path):
    bad = small_job(pictures, losses=("l2",), budget=Budget(steps=50), settings={"lr": 1e12, "ema": 0})
    outcomes = do([bad, small_job(pictures)], tmp_path)
    assert [type(one.error) for one in outcomes] == [DivergedError, type(None)]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_resumes_exactly(pictures, tmp_path, precision, caplog):
    jobs = [small_job(pictures, precision=precision, budget=Budget(steps=4), channels=("y",))]
    do(jobs, tmp_path / "whole")
    do(jobs, tmp_path / "parts", StopAt(9), save_every_s=0)
    assert read_record(trained(tmp_path / "parts")).status == "interrupted"
    do(jobs, tmp_path / "parts")
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")
    assert read_record(trained(tmp_path / "whole")).engine["precision"] == precision


def test_another_engine_on_resume_is_used_as_far_as_can_be_and_warned_of(pictures, tmp_path, caplog):
    jobs = [small_job(pictures)]
    do(jobs, tmp_path, StopAt(12), save_every_s=0)
    paths = trained(tmp_path)
    stored = json.loads(paths.run.read_text())
    stored["engine"]["kernels"] = "AVX1024"
    stored["engine"]["threads"] = 1
    paths.run.write_text(json.dumps(stored))
    threads = torch.get_num_threads()
    logging.getLogger("srbench").propagate = True
    try:
        do(jobs, tmp_path)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)
    assert "goes on with another engine than it began with (kernels AVX1024" in caplog.text


def test_a_damaged_last_checkpoint_is_trained_again(pictures, tmp_path):
    """run.json alone would say that nothing is to be done."""
    jobs = [small_job(pictures)]
    do(jobs, tmp_path, save_every_s=0)
    before = hashes(tmp_path)
    newest = max(trained(tmp_path).checkpoints.iterdir())
    (newest / "model.safetensors").write_bytes(b"")
    (outcome,) = do(jobs, tmp_path, save_every_s=0)
    assert outcome.did_anything
    assert hashes(tmp_path) == before
