"""A page that is written again as runs go on."""

import shutil

import pytest
from stored import lapsrn, runs_in, store

from srbench.errors import UsageError
from srbench.report import watch as watch_module
from srbench.report.content import Looking
from srbench.report.watch import state_of, watch
from srbench.store.history import append_line


def line(step):
    return {"step": step, "epoch": step / 4, "loss": {"r": 0.3}, "on": "val"}


def test_the_page_is_written_again_when_a_run_has_come_further_and_ends_with_ctrl_c(tmp_path, monkeypatch):
    root, file = tmp_path / "results", tmp_path / "report.html"
    paths = store(root, lapsrn(), status="interrupted", step=10)
    append_line(paths.history, line(10))
    seen, said = [], []

    def sleep(_seconds):
        seen.append(file.read_text(encoding="utf-8"))
        if len(seen) == 2:  # nothing has changed in between
            append_line(paths.history, line(20))
        if len(seen) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(watch_module.time, "sleep", sleep)
    watch(root, lambda: runs_in(root), file, Looking(), said.append, every_s=7)
    assert seen[0] == seen[1] != seen[2]
    assert len(said) == 2
    assert all('data-reload-s="7"' in one for one in seen)
    assert "[10,20]" in seen[2]
    assert 'data-reload-s="' not in file.read_text(encoding="utf-8")  # the last one rests
    assert not list(tmp_path.glob(".*.tmp"))


def test_watching_goes_on_where_a_run_the_store_or_the_page_goes_away(tmp_path, monkeypatch):
    root, file = tmp_path / "results", tmp_path / "report.html"
    store(root, lapsrn(), status="interrupted", step=10)
    seen, said = [], []

    def read():
        found = runs_in(root) if root.is_dir() else []
        if not found:
            raise UsageError("No run is called that.")
        return found

    def sleep(_seconds):
        seen.append(file.exists())
        if len(seen) == 1:
            file.unlink()
        if len(seen) == 2:
            shutil.rmtree(root)
        if len(seen) == 4:
            store(root, lapsrn(seed=1), status="interrupted", step=10)
        if len(seen) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(watch_module.time, "sleep", sleep)
    watch(root, read, file, Looking(), said.append)
    assert seen == [True] * 5
    assert [line.partition(" ")[2].removeprefix(f"{file}") for line in said] == [
        ": 1 runs", ": 1 runs", " stays as it is: No run is called that.", ": 1 runs",
    ]  # fmt: skip


def test_a_run_that_was_never_there_is_no_watch(tmp_path):
    def read():
        raise UsageError("No run is called that.")

    with pytest.raises(UsageError):
        watch(tmp_path, read, tmp_path / "report.html", Looking(), pytest.fail)


def test_what_is_written_beside_a_run_is_no_change(tmp_path):
    paths = store(tmp_path, lapsrn(), status="interrupted", step=10)
    before = state_of(tmp_path)
    (paths.directory / "run.lock").touch()
    (tmp_path / "a file").touch()
    assert state_of(tmp_path) == before
    append_line(paths.history, line(10))
    assert state_of(tmp_path) != before


def test_ctrl_c_before_the_first_page_leaves_none(tmp_path):
    store(tmp_path / "results", lapsrn(), status="interrupted", step=10)

    def read():
        raise KeyboardInterrupt

    watch(tmp_path / "results", read, tmp_path / "report.html", Looking(), pytest.fail)
    assert not (tmp_path / "report.html").exists()
