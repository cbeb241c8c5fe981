"""`srbench report`: one file, what is said of it, and what is refused."""

import errno
import os

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
        (["-o", "/dev/null"], "is no file"),
        (["-o", "/dev/null/report.html"], "/dev/null is no folder"),
    ],
)
def test_what_is_refused(root, typed, said, monkeypatch, capsys):
    assert srbench(["-q", "report", *typed, "--results", str(root)], monkeypatch) != 0
    assert said in " ".join(capsys.readouterr().err.split())


def test_no_work_is_done_for_a_place_that_cannot_be_written(root, tmp_path, monkeypatch, capsys):
    typed = ["-q", "report", "-o", str(tmp_path / "new" / "report.html"), "--results", str(root)]
    monkeypatch.setattr("srbench.report.page.page_of", pytest.fail)
    access = os.access  # root may write everywhere
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))
    assert srbench(typed, monkeypatch) == 1
    assert "may not be written" in capsys.readouterr().err


def test_a_link_is_followed_and_what_fails_leaves_the_old_page(root, tmp_path, monkeypatch, capsys):
    target, link = tmp_path / "target.html", tmp_path / "link.html"
    target.write_text("old")
    link.symlink_to(target)
    typed = ["-q", "report", "-o", str(link), "--results", str(root)]

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("srbench.files.sync_file", full)
        assert srbench(typed, patch) == 1
    assert "cannot be written to" in capsys.readouterr().err
    assert target.read_text() == "old"
    assert srbench(typed, monkeypatch) == 0
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_watching_writes_the_page_until_ctrl_c(root, tmp_path, monkeypatch, capsys):
    file = tmp_path / "report.html"

    def interrupt(_seconds):
        assert "data-reload-s" in file.read_text(encoding="utf-8")
        raise KeyboardInterrupt

    monkeypatch.setattr(watch_module.time, "sleep", interrupt)
    assert srbench(["-q", "report", "--watch", "-o", str(file), "--results", str(root)], monkeypatch) == 0
    assert f"{file}: {len(runs_in(root))} runs" in capsys.readouterr().err
