"""`srbench checkpoint`: what is saved, whether it is sound, and weights that plain PyTorch and eval read."""

import json
import os
import re
import shutil
import textwrap

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from small import picture_folder, small_arguments
from small import srbench as run_srbench

from srbench.checkpoint.read import read_latest
from srbench.cli.checkpoint import export
from srbench.files import canonical_json
from srbench.spec import RunSpec
from srbench.store.layout import RunPaths
from srbench.store.runs import read_record
from srbench.store.scores import read_scores


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("trained")
    pictures = picture_folder(root / "pictures")
    more = ("--eval-every", "2", "--save-every", "0", "--ema", "0.9")
    with pytest.MonkeyPatch.context() as patch:
        assert run_srbench(small_arguments(pictures, root / "store", *more), patch) == 0
    return root


@pytest.fixture
def store(trained, tmp_path):
    shutil.copytree(trained / "store", tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def command(store, monkeypatch, capsys):
    def run(*words):
        code = run_srbench(["checkpoint", *words, "--results", str(store)], monkeypatch)
        said = capsys.readouterr()
        return code, said.out, " ".join(said.err.split())

    return run


def paths_of(store):
    (directory,) = store.glob("lapsrn*")
    return RunPaths(directory)


def test_list_shows_steps_size_age_last_and_best(store, command):
    code, out, _ = command("list")
    assert code == 0
    lines = out.splitlines()
    assert re.search(r"\b6 .* kB +just now +last", lines[-1])
    assert paths_of(store).id in lines[-1]
    code, out, _ = command("list", "lapsrn", "--json")
    records = json.loads(out)
    assert [record["step"] for record in records if record["last"]] == [6]
    assert sum(record["best"] for record in records) == 1
    folder = paths_of(store).checkpoints / "step-00000006"
    assert records[-1]["size_bytes"] == sum(path.stat().st_size for path in folder.iterdir())


def test_list_does_not_wait_for_a_pipe_in_a_file_s_place(store, command):
    state = paths_of(store).checkpoints / "step-00000006" / "state.json"
    state.unlink()
    os.mkfifo(state)
    code, out, _ = command("list", "lapsrn", "--json")
    assert code == 0
    assert [record["step"] for record in json.loads(out) if record["last"]] == [6]


def test_verify_says_which_are_sound_and_exits_1_if_any_is_not(store, command):
    code, out, _ = command("verify")
    assert (code, out.count("sound")) == (0, len(list(paths_of(store).checkpoints.iterdir())))
    path = paths_of(store).checkpoints / "step-00000006" / "state.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    code, out, _ = command("verify", "lapsrn")
    assert code == 1
    assert "damaged: SHA-256 of state.safetensors differs" in out.splitlines()[-1]
    assert "sound" in out.splitlines()[0]
    _, out, _ = command("verify", "--json")
    assert json.loads(out)[-1] == {
        "run": paths_of(store).id,
        "step": 6,
        "sound": False,
        "reason": "SHA-256 of state.safetensors differs",
    }


def test_verify_misses_what_run_json_knows_of(store, command):
    shutil.rmtree(paths_of(store).checkpoints)
    code, out, _ = command("verify")
    assert code == 1
    assert "run.json knows of it, and it is gone" in out


def test_a_run_without_checkpoints_is_no_error_but_has_nothing_to_export(command):
    assert command("verify", "bicubic")[0] == 0
    code, _, err = command("export", "bicubic")
    assert code == 2
    assert "has no checkpoint: nothing of it is trained" in err


def test_an_export_holds_what_is_scored_and_the_specification(store, command, tmp_path):
    paths = paths_of(store)
    spec = RunSpec.from_stored(read_record(paths).spec)
    file = tmp_path / "w.safetensors"
    code, out, _ = command("export", "lapsrn", "--output", str(file))
    assert code == 0
    assert f"weights of {paths.id} at step 6" in out
    with safe_open(file, "pt") as opened:
        (metadata,) = opened.metadata().values()
    assert metadata == canonical_json({"run": paths.id, "step": 6, "spec": spec.data()})
    saved = read_latest(paths.checkpoints, spec.sha256, paths.id).model
    found = load_file(file)
    assert found.keys() == saved.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in saved.items())
    first = file.read_bytes()
    command("export", "lapsrn", "--output", str(file))
    assert file.read_bytes() == first


def test_an_export_scores_as_its_run(trained, store, command, tmp_path, monkeypatch):
    file = tmp_path / "w.safetensors"
    command("export", "lapsrn", "-o", str(file))
    line = [
        "eval", "--weights", str(file), "--model", "lapsrn:features=4,depth=1", "--test",
        f"folder:test={trained / 'pictures' / 'test'}", "--metric", "psnr", "--results", str(store),
    ]  # fmt: skip
    assert run_srbench(line, monkeypatch) == 0
    (other,) = store.glob("lapsrn-weights*")
    mine, _ = read_scores(RunPaths(store / next(p.name for p in store.glob("lapsrn-charb*"))))
    theirs, _ = read_scores(RunPaths(other))
    key = ("image", "plane", "scale", "metric", "value")
    assert sorted(tuple(getattr(one, k) for k in key) for one in mine) == sorted(
        tuple(getattr(one, k) for k in key) for one in theirs
    )


def test_the_five_lines_of_the_help_load_it(command, tmp_path):
    """As they stand there, with the file and the size of the test's network filled in."""
    file = tmp_path / "w.safetensors"
    command("export", "lapsrn", "-o", str(file))
    code = export.__doc__.partition("\b\n")[2].partition("\n\n")[0]
    code = textwrap.dedent(code)
    assert len(code.splitlines()) == 5
    names = {}
    exec(code.replace("FILE", str(file)).replace("features=64, depth=10", "features=4, depth=1"), names)
    assert torch.equal(names["network"].input_conv.weight, load_file(file)["r.input_conv.weight"])


def test_the_help_shows_the_five_lines_unbroken(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "120")
    run_srbench(["checkpoint", "export", "--help"], monkeypatch)
    out = capsys.readouterr().out
    for line in textwrap.dedent(export.__doc__.partition("\b\n")[2].partition("\n\n")[0]).splitlines():
        assert line in out


@pytest.mark.parametrize("which", ["2", "best"])
def test_a_step_or_the_best_can_be_exported(store, command, tmp_path, which):
    file = tmp_path / "w.safetensors"
    _, out, _ = command("list", "--json")
    steps = {record["step"]: record["best"] for record in json.loads(out)}
    step = next(step for step, best in steps.items() if best) if which == "best" else min(steps)
    code, out, _ = command(
        "export", "lapsrn", "--step", which if which == "best" else str(step), "-o", str(file)
    )
    assert code == 0
    assert f"at step {step}," in out


@pytest.mark.parametrize("which", ["3", "last", "²"])
def test_a_step_that_is_not_kept_is_answered_with_those_that_are(command, which):
    code, _, err = command("export", "lapsrn", "--step", which)
    assert code == 2
    assert f"has no checkpoint '{which}'" in err
    assert "6. A step, or best, may be asked for." in err


def test_a_damaged_checkpoint_asked_for_by_step_is_not_replaced_by_another(store, command):
    (paths_of(store).checkpoints / "step-00000006" / "manifest.json").unlink()
    code, _, err = command("export", "lapsrn", "--step", "6")
    assert code == 1
    assert "Checkpoint step-00000006 of lapsrn" in err


def test_a_place_that_cannot_be_written_is_named(store, command, tmp_path):
    code, _, err = command("export", "lapsrn", "-o", str(tmp_path))
    assert code == 2
    assert "is a folder. Name a file" in err
    os.mkfifo(tmp_path / "pipe")
    code, _, err = command("export", "lapsrn", "-o", str(tmp_path / "pipe"))
    assert code == 2
    assert "pipe is no regular file" in err
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "file").touch()
    code, _, err = command("export", "lapsrn", "-o", str(tmp_path / "file" / "w.safetensors"))
    assert code == 1
    assert "cannot be written" in err
