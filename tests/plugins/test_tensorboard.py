"""TensorBoard's logs, read back: what history.jsonl and summary.json hold, each point once."""

import json
import logging
import shutil

import pytest
from small import StopAt, picture_folder, settings, small_job, small_request, srbench

from srbench.evaluate.scoring import Scoring, resolve_metrics
from srbench.executors.local import Settings, execute
from srbench.plan import plan
from srbench.plan.settings import Budget
from srbench.prove.hashes import hashes
from srbench.store.history import read_lines
from srbench.store.layout import RunPaths
from srbench.train.stop import Stop


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


@pytest.fixture
def logging_on(monkeypatch):
    pytest.importorskip(
        "tensorboard", reason='tensorboard is not installed: pip install "srbench-harness[tensorboard]"'
    )
    monkeypatch.setenv("SRBENCH_TENSORBOARD", "1")


def do(jobs, results, stop=None, **cadence):
    return execute(jobs, results, settings(**cadence), stop or Stop())


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0}).Reload()


def scalars(folder):
    """Tag → points, as (step, value); a step that is there twice is so here."""
    events = read(folder)
    return {
        tag: [(point.step, point.value) for point in events.Scalars(tag)] for tag in events.Tags()["scalars"]
    }


def texts(folder, name):
    tag = f"{name}/text_summary"
    return [one.tensor_proto.string_val[0].decode() for one in read(folder).Tensors(tag)]


def near(points):
    """Event files hold single precision."""
    return [(step, pytest.approx(value, rel=1e-6)) for step, value in points]


def as_in_history(paths):
    lines = read_lines(paths.history)
    wanted = {}
    for line in lines:
        for kind in ("loss", "terms"):
            for name, value in line.get(kind, {}).items():
                wanted.setdefault(f"{kind}/{name}", []).append((line["step"], value))
        for kind in ("psnr", "detail"):
            for scale, planes in line[kind].items():
                for plane, value in planes.items():
                    if value is not None:
                        tag = f"{line['on']}/{kind}/x{scale}/{plane}"
                        wanted.setdefault(tag, []).append((line["step"], value))
    return wanted


def test_a_run_s_log_holds_its_history_scores_and_specification(pictures, tmp_path, logging_on):
    job = small_job(
        pictures,
        losses=("charbonnier+0.1*gradient",),
        settings={"lr": 1e-3, "schedule": "step:every=4,unit=steps"},
    )
    do([job], tmp_path)
    paths = RunPaths(tmp_path / job.spec.id)
    found = scalars(paths.directory / "tensorboard")
    for tag, points in as_in_history(paths).items():
        assert found.pop(tag) == near(points), tag
    assert found.pop("learning_rate") == near([(3, 1e-3), (6, 5e-4)])
    rows = json.loads(paths.summary.read_text())["scores"]
    assert found == {
        f"scores/{row['test']}/psnr/x{row['scale']}/{row['plane']}": near([(6, row["mean"])]) for row in rows
    }
    (text,) = texts(paths.directory / "tensorboard", "specification")
    assert json.loads(text) == json.loads(paths.run.read_text())["spec"]
    (table,) = texts(paths.directory / "tensorboard", "scores")
    assert len(table.splitlines()) == len(rows) + 2
    (row, *_) = rows
    assert f"| test | ×{row['scale']} | {row['plane']} | psnr | {row['mean']:.4f} dB |" in table
    assert texts(paths.directory / "tensorboard", "status") == ["finished"]


def test_the_specification_is_there_as_hyperparameters(pictures, tmp_path, logging_on):
    job = small_job(pictures, channels=("y",))
    do([job], tmp_path)
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    (metadata,) = [
        one.plugin_data for one in read(tmp_path / job.spec.id / "tensorboard").summary_metadata.values()
        if one.plugin_data.plugin_name == "hparams"
    ]  # fmt: skip
    data = HParamsPluginData.FromString(metadata.content).session_start_info
    assert data.group_name == job.spec.id
    assert data.hparams["model.name"].string_value == "lapsrn"
    assert data.hparams["loss.0.name"].string_value == "charbonnier"
    assert data.hparams["batch"].number_value == 4


def test_a_run_in_sittings_has_the_log_of_one_in_one_go(pictures, tmp_path, logging_on):
    job = small_job(pictures, channels=("y",), budget=Budget(steps=9))
    for looks in (9, 12, 10**6):
        do([job], tmp_path / "parts", StopAt(looks), save_every_s=0)
    do([job], tmp_path / "whole")
    parts, whole = (tmp_path / name / job.spec.id / "tensorboard" for name in ("parts", "whole"))
    assert len(list(parts.iterdir())) >= 2
    assert scalars(parts) == scalars(whole)
    said = texts(parts, "status")
    assert said[-1] == "finished"
    assert all("on Ctrl-C" in one for one in said[:-1])


def test_points_that_a_killed_process_left_behind_come_once(pictures, tmp_path, logging_on):
    """The log of step 9 beside the checkpoint of step 4, as a kill before the next save leaves them."""
    four, nine = (small_job(pictures, channels=("y",), budget=Budget(steps=steps)) for steps in (4, 9))
    do([four], tmp_path / "early", eval_every=2)
    do([nine], tmp_path / "late", eval_every=2)
    killed, whole = (RunPaths(tmp_path / name / nine.spec.id) for name in ("killed", "late"))
    shutil.copytree(tmp_path / "early" / nine.spec.id, killed.directory)
    shutil.rmtree(killed.directory / "tensorboard")
    shutil.copytree(whole.directory / "tensorboard", killed.directory / "tensorboard")
    do([nine], tmp_path / "killed", eval_every=2)
    found = scalars(killed.directory / "tensorboard")
    assert found == scalars(whole.directory / "tensorboard")
    assert [step for step, _ in found["loss/y"]] == [2, 4, 6, 8]


def test_scores_that_are_added_later_join_those_that_are_there(pictures, tmp_path, logging_on):
    jobs = plan(small_request(pictures, channels=("y",)))
    do(jobs, tmp_path)
    scoring = Scoring(*resolve_metrics(["psnr", "ssim"]))
    execute(jobs, tmp_path, Settings(**{**vars(settings()), "scoring": scoring}), Stop())
    for job in jobs:  # bicubic has scores alone
        paths = RunPaths(tmp_path / job.spec.id)
        found = scalars(paths.directory / "tensorboard")
        rows = json.loads(paths.summary.read_text())["scores"]
        assert {tag: points for tag, points in found.items() if tag.startswith("scores/")} == {
            f"scores/test/{row['metric']}/x{row['scale']}/{row['plane']}": near([(row["step"], row["mean"])])
            for row in rows
        }
        assert {row["metric"] for row in rows} == {"psnr", "ssim"}


def test_scores_under_two_protocols_are_told_apart(pictures, tmp_path, logging_on):
    (job, _) = plan(small_request(pictures))
    do([job], tmp_path)
    scoring = Scoring(*resolve_metrics(["psnr"]), border=2)
    execute([job], tmp_path, Settings(**{**vars(settings()), "scoring": scoring}), Stop())
    found = scalars(tmp_path / job.spec.id / "tensorboard")
    rows = json.loads(RunPaths(tmp_path / job.spec.id).summary.read_text())["scores"]
    values = [value for points in found.values() for _, value in points]
    assert sorted(set(values)) == pytest.approx(sorted({row["mean"] for row in rows}), rel=1e-6)


def test_a_failure_is_told(pictures, tmp_path, logging_on):
    job = small_job(pictures, losses=("l2",), settings={"lr": 1e12, "ema": 0})
    (outcome,) = do([job], tmp_path)
    assert texts(tmp_path / job.spec.id / "tensorboard", "status") == [str(outcome.error)]


def test_a_folder_of_one_s_own_takes_all_runs(pictures, tmp_path, logging_on, monkeypatch):
    monkeypatch.setenv("SRBENCH_TENSORBOARD", str(tmp_path / "logs"))
    jobs = plan(small_request(pictures, channels=("y",)))
    do(jobs, tmp_path / "results")
    assert {path.name for path in (tmp_path / "logs").iterdir()} == {job.spec.id for job in jobs}
    assert not list((tmp_path / "results").rglob("tensorboard"))


@pytest.mark.parametrize("value", [None, "", "0"])
def test_nothing_is_logged_unless_asked_for(pictures, tmp_path, logging_on, monkeypatch, value):
    if value is None:
        monkeypatch.delenv("SRBENCH_TENSORBOARD")
    else:
        monkeypatch.setenv("SRBENCH_TENSORBOARD", value)
    do([small_job(pictures, channels=("y",))], tmp_path / "results")
    assert not [path for path in tmp_path.rglob("*") if "tfevents" in path.name]


def test_a_store_with_logs_is_listed_removed_and_hashed_as_one_without(
    pictures, tmp_path, logging_on, monkeypatch, capsys
):
    job = small_job(pictures, channels=("y",))
    do([job], tmp_path / "logged")
    monkeypatch.delenv("SRBENCH_TENSORBOARD")
    do([job], tmp_path / "quiet")
    assert hashes(tmp_path / "logged") == hashes(tmp_path / "quiet")
    assert srbench(["runs", "--json", "--results", str(tmp_path / "logged")], monkeypatch) == 0
    assert [run["run"] for run in json.loads(capsys.readouterr().out)] == [job.spec.id]
    shutil.copytree(tmp_path / "logged", tmp_path / "copy")
    (outcome,) = do([job], tmp_path / "copy")
    assert not outcome.did_anything
    line = ["runs", "rm", job.spec.id, "--yes", "--results", str(tmp_path / "copy")]
    assert srbench(line, monkeypatch) == 0
    assert not list((tmp_path / "copy").iterdir())


def test_without_the_package_one_line_says_what_to_install(pictures, tmp_path, monkeypatch, caplog):
    from srbench_tensorboard import plugin

    monkeypatch.setattr(plugin.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("SRBENCH_TENSORBOARD", "1")
    plugin._is_installed.cache_clear()
    outcomes = do(plan(small_request(pictures, channels=("y",))), tmp_path)
    plugin._is_installed.cache_clear()
    assert [one.error for one in outcomes] == [None, None]
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING] == [
        'SRBENCH_TENSORBOARD asks for logs, and tensorboard is not installed: pip install "srbench-harness['
        'tensorboard]" brings it. Runs go on without.'
    ]
