"""Runs that begin from weights or from another run: what they take over, and that they need it only once."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from small import StopAt, dataset_text, picture_folder, small_arguments, srbench

from srbench.checkpoint.read import read_latest
from srbench.evaluate.scoring import Scoring, resolve_metrics
from srbench.executors.local import Settings, execute
from srbench.origins import Begin, jobs_from
from srbench.plan import Request
from srbench.plan.settings import Budget
from srbench.prove.hashes import hashes
from srbench.store.layout import RunPaths
from srbench.train.loop import Cadence
from srbench.train.stop import Stop


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    """A store with a run of 6 steps on luma, validated every 2."""
    results = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        more = ("--channels", "y", "--eval-every", "2", "--save-every", "0", "--lr", "0.001")
        assert srbench(small_arguments(pictures, results, *more), patch) == 0
    return results


@pytest.fixture
def results(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "results")


def parent_of(results):
    (found,) = [
        path for path in results.glob("lapsrn*") if "-fork-" not in path.name and "-init-" not in path.name
    ]
    return RunPaths(found)


def run(results, monkeypatch, *arguments):
    line = ["run", *arguments, "--metric", "psnr", "--results", str(results), "--save-every", "0"]
    return srbench(line, monkeypatch)


def children(results, kind="fork"):
    return [RunPaths(path) for path in sorted(results.glob(f"*-{kind}-*"))]


def state_at(paths, step):
    folder = paths.checkpoints / f"step-{step:08d}"
    return load_file(folder / "model.safetensors"), load_file(folder / "state.safetensors")


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("optimizer", ["keep", "reset"])
def test_a_fork_begins_with_the_whole_state_and_keeps_or_drops_the_moments(results, monkeypatch, optimizer):
    parent = parent_of(results)
    assert (
        run(
            results,
            monkeypatch,
            "--fork",
            parent.id,
            "--lr",
            "1e-4",
            "--steps",
            "0",
            "--fork-optimizer",
            optimizer,
        )
        == 0
    )
    (child,) = children(results)
    (model, state), (parent_model, parent_state) = state_at(child, 0), state_at(parent, 6)
    assert equal(model, parent_model)
    kept = {
        name: one for name, one in parent_state.items() if optimizer == "keep" or "optimizer." not in name
    }
    assert equal(state, kept)
    spec = json.loads(child.run.read_text())["spec"]
    before = json.loads(parent.run.read_text())["spec"]
    origin = spec.pop("origin")
    assert (origin["run"], origin["step"], origin["optimizer"]) == (parent.id, 6, optimizer)
    assert len(origin["sha256"]) == 64
    assert {**before, "learning_rate": 1e-4} == spec
    assert json.loads(child.run.read_text())["provenance"]["origin"] == parent.id


def test_a_fork_goes_on_without_its_parent_and_ends_with_the_bits_of_one_left_alone(results, tmp_path):
    parent = parent_of(results)
    metrics, unavailable = resolve_metrics(["psnr"])
    settings = Settings(
        torch.device("cpu"), "exact", Cadence(0, 2), Scoring(metrics, unavailable), quiet=True
    )
    request = Request(models=(), losses=("l1", "l2"), datasets=(), budget=Budget(steps=5))
    begin = Begin("fork", parent.id, "keep")
    twin = shutil.copytree(results, tmp_path / "twin")
    execute(jobs_from(request, begin, twin), twin, settings, Stop())
    execute(jobs_from(request, begin, results), results, settings, StopAt(9))
    for looks in (30, 40, 60, 90, 1000):
        jobs = jobs_from(request, begin, results)
        if len(children(results)) == 2 and parent.directory.exists() and looks > 30:
            shutil.rmtree(parent.directory)
            jobs = jobs_from(request, begin, results)
        outcomes = execute(jobs, results, settings, StopAt(looks))
    assert all(outcome.error is None for outcome in outcomes)
    assert not parent.directory.exists()
    mine, theirs = hashes(results), hashes(twin)
    assert len([name for name in mine if "fork" in name and "manifest" in name]) == 2
    assert {name: mine[name] for name in mine} == {name: theirs[name] for name in mine}


def test_the_same_line_goes_on_where_it_began_though_its_parent_has_moved_on(
    pictures, results, monkeypatch, capsys
):
    parent = parent_of(results)
    line = ("--fork", parent.id, "--lr", "1e-4", "--steps", "2")
    assert run(results, monkeypatch, *line) == 0
    more = ("--channels", "y", "--lr", "0.001", "--save-every", "0", "--steps", "9")
    assert (
        srbench(
            [*small_arguments(pictures, results)[:-4], *more, "--metric", "psnr", "--results", str(results)],
            monkeypatch,
        )
        == 0
    )
    capsys.readouterr()
    assert run(results, monkeypatch, *line) == 0
    assert "Nothing to do" in capsys.readouterr().err
    assert len(children(results)) == 1
    assert run(results, monkeypatch, "--fork", f"{parent.id}@9", *line[2:]) == 0
    assert len(children(results)) == 2
    assert run(results, monkeypatch, "--fork", f"{parent.id}@6", *line[2:]) == 2
    err = " ".join(capsys.readouterr().err.split())
    assert "has no checkpoint '6'" in err
    assert "8, 9. A step, or best, may be asked for." in err


def test_best_is_that_of_the_validation(results, monkeypatch):
    parent = parent_of(results)
    spec_sha256 = json.loads((parent.checkpoints / "step-00000006/manifest.json").read_text())["spec_sha256"]
    best = read_latest(parent.checkpoints, spec_sha256, parent.id).scalars["progress"]["best"]["step"]
    assert run(results, monkeypatch, "--fork", f"{parent.id}@best", "--steps", "0") == 0
    (child,) = children(results)
    assert json.loads(child.run.read_text())["spec"]["origin"]["step"] == best


def test_init_takes_weights_alone_from_a_run_or_a_file(pictures, results, monkeypatch, tmp_path):
    parent = parent_of(results)
    file = tmp_path / "weights.safetensors"
    shutil.copy(parent.checkpoints / "step-00000006/model.safetensors", file)
    plain = tmp_path / "plain.safetensors"
    save_file({name.removeprefix("y."): one for name, one in load_file(file).items()}, plain)
    base = (
        "--model",
        "lapsrn:features=4,depth=1",
        "--dataset",
        dataset_text(pictures),
        "--batch",
        "4",
        "--patch",
        "16",
    )
    for source, channels in ((parent.id, "y"), (str(file), "y"), (str(plain), "r,g,b")):
        before = children(results, "init")
        assert run(results, monkeypatch, *base, "--channels", channels, "--init", source, "--steps", "0") == 0
        (child,) = [one for one in children(results, "init") if one not in before]
        model, state = state_at(child, 0)
        trained, _ = state_at(parent, 6)
        if channels == "y":
            assert equal(model, trained)
        else:
            assert all(torch.equal(one, trained["y" + name[1:]]) for name, one in model.items())
        assert not [name for name in state if name.startswith("optimizer.")]
        assert json.loads(child.run.read_text())["provenance"]["origin"] == source
    file.unlink()  # what has begun needs it no more
    assert run(results, monkeypatch, *base, "--channels", "y", "--init", str(file), "--steps", "3") == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fork", "nothing"], "No run in .* starts with 'nothing'"),
        (["--fork", "bicubic"], "was not trained by srbench, so --fork has no checkpoint"),
        (["--fork", "lapsrn@5000"], "has no checkpoint '5000'.* it has .*6"),
        (["--fork", "lapsrn@bets"], "has no checkpoint 'bets'"),
        (["--fork", "lapsrn@²"], "has no checkpoint '²'"),
        (["--fork", "lapsrn@" + "9" * 5000], "has no checkpoint '999"),
        (["--fork", "lapsrn@"], "has no checkpoint ''"),
        (["--init", ".", "--model", "lapsrn"], "--init . is a folder, not a weights file, and no run"),
        (["--init", "x" * 300, "--model", "lapsrn"], "is no file, and no run"),
        (["--fork", "lapsrn", "--optimizer", "sgd"], "--optimizer sgd cannot go on from the moments of adam"),
        (["--fork", "lapsrn", "--init", "lapsrn"], "Give one of them"),
        (["--fork", "lapsrn", "--fork-optimizer", "drop"], "neither keep nor reset"),
        (["--fork", "lapsrn", "--recipe", "paper"], "--fork begins with those of its run"),
        (["--init", "lapsrn"], "No model is named. Give --model lapsrn"),
        (["--fork-optimizer", "keep", "--model", "lapsrn"], "belongs to --fork"),
        (["--init", "nowhere.mat", "--model", "lapsrn"], "--init nowhere.mat is no file, and no run"),
        (["--init", "lapsrn", "--model", "bicubic"], "not trained, so it cannot begin from weights"),
        ([], "No model is named"),
    ],
)
def test_what_cannot_be_begun_is_refused_with_words(results, monkeypatch, capsys, arguments, words):
    import re

    assert run(results, monkeypatch, *arguments, "--steps", "1") == 2
    assert re.search(words, " ".join(capsys.readouterr().err.split()))
    assert len(list(results.iterdir())) == 2


def test_weights_that_do_not_fit_are_refused_and_leave_nothing_behind(pictures, results, monkeypatch, capsys):
    parent = parent_of(results)
    before = len(list(results.iterdir()))
    small = ("--batch", "4", "--patch", "16", "--dataset", dataset_text(pictures))
    for line in (
        ("--fork", parent.id, "--model", "lapsrn:features=8,depth=1"),
        ("--fork", parent.id, "--channels", "rgb"),
        ("--fork", parent.id, "--scale", "2"),
        (
            "--init",
            parent.id,
            "--model",
            "lapsrn:features=4,depth=2",
            "--channels",
            "y",
            *small,
        ),
    ):
        assert run(results, monkeypatch, *line, "--steps", "1") == 2
        (said,) = capsys.readouterr().err.splitlines()  # one paragraph, however many names do not fit
        assert "does not fit this run's networks: " in said
        assert len(said) < 700
        assert len(list(results.iterdir())) == before  # no bicubic at another scale either


def test_another_run_whose_spec_is_damaged_is_not_in_the_way(results, monkeypatch):
    parent = parent_of(results)
    other = RunPaths(shutil.copytree(parent.directory, results / "lapsrn-other"))
    record = json.loads(other.run.read_text())
    other.run.write_text(json.dumps({**record, "id": "lapsrn-other", "spec": {"scale": "many"}}))
    assert run(results, monkeypatch, "--fork", parent.id, "--steps", "1") == 0


def test_a_fork_names_the_manifest_it_read_though_the_parent_prunes_it_meanwhile(results, monkeypatch):
    """The hash in the spec is of the bytes that were read; nothing is opened a second time."""
    import hashlib

    from srbench.checkpoint import choose

    parent = parent_of(results)
    folder = parent.checkpoints / "step-00000006"
    sha256 = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()

    def read_and_gone(*arguments):
        found = read_latest(*arguments)
        shutil.rmtree(folder)
        return found

    monkeypatch.setattr(choose, "read_latest", read_and_gone)
    assert run(results, monkeypatch, "--fork", parent.id, "--steps", "0") == 0
    (child,) = children(results)
    assert json.loads(child.run.read_text())["spec"]["origin"]["sha256"] == sha256
