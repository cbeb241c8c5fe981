"""`srbench suite` and `srbench run SUITE.toml` as typed: what goes before what, what is kept and shown."""

import json

import pytest
from small import MODEL, picture_folder, srbench

from srbench.registry import registry
from srbench.store.layout import RunPaths
from srbench.store.runs import read_record, write_record


@pytest.fixture
def suite(tmp_path):
    """Two losses by two seeds of a tiny model, six steps each."""
    picture_folder(tmp_path / "pictures")
    file = tmp_path / "small.toml"
    file.write_text(
        f"""
[axes]
model = "{MODEL}"
loss = ["charbonnier", "l2"]
channels = "y"
dataset = "folder:train=pictures/train,val=pictures/val,test=pictures/test"
seed = [0, {{init = 1}}]

[settings]
steps = 6
batch = 4
patch = 16
precision = "fp32"

[scoring]
metric = "psnr"

[sitting]
eval_every = 3
"""
    )
    return file


@pytest.fixture
def run(tmp_path, suite, monkeypatch, capsys):
    """Run the suite with more options; returns the exit code and what was said."""

    def it(*more):
        code = srbench(["run", str(suite), "--results", str(tmp_path / "results"), *more], monkeypatch)
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return it


def records(tmp_path):
    return [json.loads(path.read_text()) for path in (tmp_path / "results").glob("lapsrn*/run.json")]


def test_a_suite_is_run_scored_and_then_done_and_its_runs_name_it(run, tmp_path, suite, monkeypatch, capsys):
    assert run()[0] == 0
    assert len(records(tmp_path)) == 4
    assert {one["status"] for one in records(tmp_path)} == {"done"}
    assert {one["provenance"]["suite"]["file"] for one in records(tmp_path)} == {"small.toml"}
    assert {len(one["provenance"]["suite"]["sha256"]) for one in records(tmp_path)} == {64}
    assert "suite" not in json.dumps([one["spec"] for one in records(tmp_path)])
    histories = list((tmp_path / "results").glob("lapsrn*/history.jsonl"))
    assert [len(path.read_text().splitlines()) for path in histories] == [2] * 4  # eval_every of the suite
    assert "Nothing to do" in run()[1]


def test_the_same_axes_typed_are_the_same_runs(run, tmp_path, suite, monkeypatch, capsys):
    run()
    before = {one["id"] for one in records(tmp_path)}
    folder = tmp_path / "pictures"
    data = f"folder:train={folder / 'train'},val={folder / 'val'},test={folder / 'test'}"
    typed = [
        "run", "--model", MODEL, "--loss", "charbonnier,l2", "--channels", "y", "--seed", "0",
        "--seed", "init=1", "--dataset", data,
        "--steps", "6", "--batch", "4", "--patch", "16", "--precision", "fp32", "--metric", "psnr",
        "--results", str(tmp_path / "results"),
    ]  # fmt: skip
    assert srbench(typed, monkeypatch) == 0
    assert "Nothing to do" in capsys.readouterr().err
    assert {one["id"] for one in records(tmp_path)} == before


def test_options_beside_a_suite_go_before_it(run, tmp_path):
    assert run("--loss", "l1", "--seed", "5", "--lr", "0.5", "--epochs", "1", "--eval-every", "1")[0] == 0
    (one,) = records(tmp_path)
    assert one["spec"]["loss"][0]["name"] == "l1"
    assert (one["spec"]["seed"], one["spec"]["learning_rate"]) == (5, 0.5)
    assert one["budget"] == 11  # an epoch: 16 + 12 + 16 patches of 16 pixels, 4 a step
    assert one["spec"]["batch"] == 4


def test_only_runs_those_of_the_matrix_that_fit(run, tmp_path):
    assert run("--only", "loss=l2,seed=init=1")[0] == 0
    (one,) = records(tmp_path)
    assert (one["spec"]["loss"][0]["name"], one["spec"]["seed"]["init"]) == ("l2", 1)
    code, said = run("--only", "loss=l1")
    assert code == 2
    assert "None of the runs fits --only loss=l1. There is loss charbonnier, l2." in said


def test_rerun_failed_runs_those_that_failed_and_no_other(run, tmp_path):
    assert "None of these runs has failed" in run("--rerun", "failed")[1]
    run("--only", "seed=0")
    failed = next(path for path in (tmp_path / "results").glob("lapsrn*l2*"))
    record = read_record(RunPaths(failed))
    write_record(RunPaths(failed), type(record)(**{**vars(record), "status": "failed", "reason": "made up"}))
    code, said = run("--rerun", "failed")
    assert code == 0
    assert "1 of 1 runs are trained and scored" in said
    assert {one["status"] for one in records(tmp_path)} == {"done"}
    assert len(records(tmp_path)) == 2
    assert run("--rerun", "lost")[0] == 2


def test_a_dry_run_says_what_is_done_and_how_long_the_rest_takes_and_on_what_ground(run, tmp_path):
    run("--only", "loss=l2,seed=0")
    code, said = run("--dry-run", "--steps", "600")
    assert code == 0
    lines = [line for line in said.splitlines() if line.startswith("lapsrn")]
    assert len(lines) == 4
    assert (
        sum("done, at step 6; budget 600 steps" in line and "by its own timings" in line for line in lines)
        == 1
    )
    assert sum("by the timings of lapsrn-l2" in line for line in lines) == 1
    assert sum("by a few measured steps" in line for line in lines) == 2
    assert "5 runs, 4 to train: about " in said
    assert len(records(tmp_path)) == 1
    assert "5 runs, 3 to train" in run("--dry-run")[1]


def test_the_time_limit_of_a_suite_stops_it_with_75(run, suite, tmp_path):
    suite.write_text(suite.read_text() + 'max_time = "0s"\n')
    assert run()[0] == 75
    assert not records(tmp_path)
    assert run("--max-time", "1h", "--only", "loss=l2,seed=0")[0] == 0


def test_the_mistakes_of_a_suite_end_a_run_before_anything_is_written(run, suite, tmp_path):
    suite.write_text(suite.read_text().replace('"l2"', '"l3"').replace("patch = 16", "patch = 0"))
    code, said = run()
    assert code == 2
    assert f"{suite}:4: No loss named 'l3'." in said
    assert f"{suite}:12: patch is 0, and a number from 2 is expected." in said
    assert not (tmp_path / "results").exists()


def test_a_suite_does_not_begin_from_another_run(run):
    code, said = run("--fork", "lapsrn")
    assert code == 2
    assert "--init and --fork begin the runs of a command line" in said


def test_table_and_runs_show_those_of_a_suite_alone(run, suite, tmp_path, monkeypatch, capsys):
    run("--loss", "l1", "--seed", "0")
    run("--only", "seed=0")
    store = ["--results", str(tmp_path / "results")]
    assert srbench(["table", "--format", "json", "--suite", str(suite), *store], monkeypatch) == 0
    assert {row["loss"] for row in json.loads(capsys.readouterr().out)} == {None, "charbonnier", "l2"}
    assert srbench(["runs", "--json", "--suite", str(suite), *store], monkeypatch) == 0
    assert len(json.loads(capsys.readouterr().out)) == 3
    assert srbench(["runs", "--json", *store], monkeypatch) == 0
    assert len(json.loads(capsys.readouterr().out)) == 4


@pytest.mark.skipif("espcn" not in registry().names("model"), reason="the plugin classics is not there")
def test_suite_check_tells_mistakes_runs_and_what_is_not_here(suite, tmp_path, monkeypatch, capsys):
    bad = tmp_path / "bad.toml"
    bad.write_text('[axes]\nmodel = "lapsm"\n')
    away = tmp_path / "away.toml"
    away.write_text('[axes]\nmodel = "espcn"\ndataset = "folder:root=nowhere"\n')
    assert srbench(["suite", "check", str(suite), str(away)], monkeypatch) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{suite} is sound: 4 runs.\n{away} is sound: 1 run.\n"
    assert f"Not here: {away}:3: " in captured.err
    assert srbench(["suite", "check", str(bad), str(suite)], monkeypatch) == 2
    captured = capsys.readouterr()
    assert f"{bad}:2: No model named 'lapsm'. Did you mean 'lapsrn'?" in captured.err
    assert captured.out == f"{suite} is sound: 4 runs.\n"


def test_suite_schema_is_json_on_stdout(monkeypatch, capsys):
    assert srbench(["suite", "schema"], monkeypatch) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "srbench suite"
