"""`srbench report`: one file, what is said of it, and what is refused."""

import pytest
from paged import Paged
from small import srbench
from stored import realistic, runs_in

from srbench.report import watch as watch_module


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("store")
    realistic(root)
    return root


def test_a_page_of_all_runs(root, tmp_path, monkeypatch, capsys):
    file = tmp_path / "folder" / "report.html"
    assert srbench(["-q", "report", "-o", str(file), "--results", str(root)], monkeypatch) == 0
    assert f"The page is in {file} (" in capsys.readouterr().err
    shown = {run["id"] for run in Paged(file.read_text(encoding="utf-8")).data["runs"]}
    assert shown == {run.id for run in runs_in(root)}


def test_a_named_run_stands_beside_bicubic(root, tmp_path, monkeypatch):
    file = tmp_path / "report.html"
    name = next(run.id for run in runs_in(root) if "-y-" in run.id)
    assert srbench(["-q", "report", name, "-o", str(file), "--results", str(root)], monkeypatch) == 0
    shown = [run["id"] for run in Paged(file.read_text(encoding="utf-8")).data["runs"]]
    assert len(shown) == 2
    assert shown[0].startswith("bicubic")
    assert shown[1] == name


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["nothing-of-that-name"], "No run in"),
        (["lapsrn", "--suite", "suite.toml"], "of named runs or of --suite, not of both"),
        (["-o", "."], "is a folder"),
    ],
)
def test_what_is_refused(root, typed, said, monkeypatch, capsys):
    assert srbench(["-q", "report", *typed, "--results", str(root)], monkeypatch) != 0
    assert said in " ".join(capsys.readouterr().err.split())


def test_watching_writes_the_page_until_ctrl_c(root, tmp_path, monkeypatch, capsys):
    file = tmp_path / "report.html"

    def interrupt(_seconds):
        assert "data-reload-s" in file.read_text(encoding="utf-8")
        raise KeyboardInterrupt

    monkeypatch.setattr(watch_module.time, "sleep", interrupt)
    assert srbench(["-q", "report", "--watch", "-o", str(file), "--results", str(root)], monkeypatch) == 0
    assert f"{file}: {len(runs_in(root))} runs" in capsys.readouterr().err
