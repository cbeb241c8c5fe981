"""What a newer srbench wrote is refused and left as it is; what an older one wrote is brought up to date."""

import hashlib
import json
import shutil

import pytest
from small import picture_folder, small_arguments
from small import srbench as run_srbench

from srbench.checkpoint import format as checkpoint_format
from srbench.checkpoint import read
from srbench.checkpoint.format import MANIFEST, STATE_JSON, Checkpoint
from srbench.files import canonical_json
from srbench.prove.hashes import hashes

EVERY = ("--eval-every", "2", "--save-every", "0")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A store with a run of 4 steps, and what the same run of 6 steps ends with."""
    root = tmp_path_factory.mktemp("trained")
    pictures = picture_folder(root / "pictures")
    with pytest.MonkeyPatch.context() as patch:
        for steps, folder in (("4", "store"), ("6", "whole")):
            line = small_arguments(pictures, root / folder, "--steps", steps, *EVERY)
            assert run_srbench(line, patch) == 0
    return root


@pytest.fixture
def store(trained, tmp_path):
    shutil.copytree(trained / "store", tmp_path / "store")
    return tmp_path / "store"


def again(trained, store, patch):
    return run_srbench(small_arguments(trained / "pictures", store, *EVERY), patch)


def the_run(store):
    (run,) = store.glob("lapsrn*")
    return run


def newest(store):
    return max(the_run(store).glob("checkpoints/step-*"))


def change(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def contents(store):
    """All but the lock, which is touched by every process that looks."""
    return {
        path: path.read_bytes()
        for path in store.rglob("*")
        if path.is_file() and not path.name.startswith("run.lock")
    }


def said(capsys):
    text = capsys.readouterr().err
    assert "Traceback" not in text
    return " ".join(text.split())


def test_a_newer_checkpoint_is_not_passed_over_for_an_older_sound_one(trained, store, monkeypatch, capsys):
    change(newest(store) / MANIFEST, schema=2)
    before = contents(store)
    assert again(trained, store, monkeypatch) == 1
    text = said(capsys)
    assert "Checkpoint step-00000004 of lapsrn" in text
    assert "written by a newer srbench: its format is 2, and this one reads 1. Update srbench" in text
    after = contents(store)
    run = the_run(store) / "run.json"
    assert json.loads(after.pop(run))["step"] == json.loads(before.pop(run))["step"] == 4
    assert after == before
    change(newest(store) / MANIFEST, schema=1)
    assert again(trained, store, monkeypatch) == 0


@pytest.mark.parametrize(
    "line",
    [
        ("run", "--fork", "RUN", "--steps", "1"),
        ("run", "--fork", "RUN@4", "--steps", "1"),
        ("run", "--init", "RUN", "--model", "lapsrn:features=4,depth=1", "--steps", "1"),
        ("eval", "RUN", "--metric", "ssim"),
        ("checkpoint", "export", "RUN"),
        ("checkpoint", "export", "RUN", "--step", "4"),
        ("checkpoint", "verify"),
    ],
)
def test_every_reader_of_a_newer_checkpoint_says_so(store, tmp_path, monkeypatch, capsys, line):
    monkeypatch.chdir(tmp_path)
    change(newest(store) / MANIFEST, schema=2)
    line = [part.replace("RUN", the_run(store).name) for part in line]
    assert run_srbench([*line, "--results", str(store)], monkeypatch) == 1
    out, err = capsys.readouterr()
    text = " ".join((out + err).split())
    assert "not read" in text
    assert "written by a newer srbench: its format is 2" in text
    assert "damaged" not in text
    assert "Traceback" not in text


@pytest.mark.parametrize("name", ["run.json", "summary.json"])
def test_a_newer_file_of_the_run_is_neither_misread_nor_replaced(trained, store, monkeypatch, capsys, name):
    path = the_run(store) / name
    change(path, schema=2)
    before = path.read_bytes()
    assert again(trained, store, monkeypatch) == 1
    assert f"{path} was written by a newer srbench. Update srbench" in said(capsys)
    assert path.read_bytes() == before
    for line in (["runs"], ["table"], ["eval", the_run(store).name]):
        assert run_srbench([*line, "--results", str(store)], monkeypatch) == 1
        assert "was written by a newer srbench" in said(capsys)
    assert path.read_bytes() == before


def test_a_newer_specification_is_named(store, monkeypatch, capsys):
    path = the_run(store) / "run.json"
    change(path, spec={**json.loads(path.read_text())["spec"], "schema": 2, "new": 1})
    assert run_srbench(["checkpoint", "verify", "--results", str(store)], monkeypatch) == 1
    assert "has schema 2, and this srbench reads 1. Update srbench" in said(capsys)


def test_a_newer_cost_is_not_measured_over(store, monkeypatch, capsys):
    path = the_run(store) / "cost.json"
    path.write_text('{"schema": 2}')
    run_srbench(["table", "--cost", "--results", str(store)], monkeypatch)
    assert f"{path} was written by a newer srbench" in said(capsys)
    assert path.read_text() == '{"schema": 2}'


@pytest.mark.parametrize("schema", [0, 1.5, "2", None])
def test_what_is_no_version_is_damage(trained, store, monkeypatch, capsys, schema):
    change(newest(store) / MANIFEST, schema=schema)
    assert again(trained, store, monkeypatch) == 0
    assert "Checkpoint step-00000004 of" in said(capsys)
    assert hashes(store) == hashes(trained / "whole")


def test_a_checkpoint_of_an_older_schema_goes_on_to_the_same_bits(trained, store, monkeypatch, capsys):
    """Schema 0, made up: what is called `summed` today was called `count`."""

    def upgraded(old):
        progress = dict(old.scalars["progress"])
        progress["summed"] = progress.pop("count")
        return Checkpoint(old.step, old.model, old.state, {**old.scalars, "progress": progress})

    for folder in the_run(store).glob("checkpoints/step-*"):
        state = json.loads((folder / STATE_JSON).read_text())
        state["progress"]["count"] = state["progress"].pop("summed")
        content = canonical_json(state).encode()
        (folder / STATE_JSON).write_bytes(content)
        manifest = json.loads((folder / MANIFEST).read_text())
        manifest["sha256"][STATE_JSON] = hashlib.sha256(content).hexdigest()
        change(folder / MANIFEST, schema=0, sha256=manifest["sha256"])
    assert again(trained, store, monkeypatch) == 1
    assert "its format is 0, and this srbench reads 1" in said(capsys)
    for module in (checkpoint_format, read):
        monkeypatch.setattr(module, "UPGRADES", {0: upgraded})
    assert again(trained, store, monkeypatch) == 0
    assert hashes(store) == hashes(trained / "whole")
