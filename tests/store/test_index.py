"""The index of a store: as true as the files, whatever becomes of either, and read again by parts."""

import json
import os
import threading
from dataclasses import replace

import numpy as np
import pytest
from stored import bicubic, lapsrn, scored, store

from srbench.store import index as module
from srbench.store.index import WORDS, read_index
from srbench.store.lock import run_lock
from srbench.store.runs import list_runs, read_record, write_record


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A store of three runs whose files look settled, and an index that is kept however small."""
    monkeypatch.setenv("SRBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "_WORTH_KEEPING", 1)
    root = tmp_path / "results"
    store(root, bicubic(), scored(bicubic(), level=27, scales=(2, 4)))
    store(root, lapsrn(), scored(lapsrn(), level=28, metrics=("psnr", "lpips:net=squeeze")))
    store(root, lapsrn(seed=1), status="failed", step=40, reason="The loss is NaN.")
    age(root)
    return root


def age(root):
    """Ten seconds pass."""
    for path in root.glob("*/*.json"):
        os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns - 10**10))


def said(index):
    """All that an index says, as plain data."""
    means = index.means
    words = {name: [means.words[name][code] for code in means.columns[name]] for name in WORDS}
    numbers = {name: column.tolist() for name, column in means.columns.items() if name not in WORDS}
    return list(index.runs), [str(one) for one in index.errors], words, numbers, means.run.tolist()


def fresh(root, monkeypatch, tmp_path):
    """What an index says that knows nothing yet."""
    with monkeypatch.context() as patch:
        patch.setenv("SRBENCH_CACHE", str(tmp_path / "nothing"))
        patch.setattr(module, "_WORTH_KEEPING", 10**9)
        return said(read_index(root))


def reads(monkeypatch):
    """The runs that are read from here on."""
    found = []
    monkeypatch.setattr(module, "read_record", lambda paths: found.append(paths.id) or read_record(paths))
    return found


def the_file(tmp_path):
    (path,) = (tmp_path / "cache" / "index").iterdir()
    return path


def test_it_says_what_the_files_say(root):
    index = read_index(root)
    runs, _ = list_runs(root)
    assert [run.id for run in index.runs] == [run.id for run in runs]
    lines = [line for run in runs if run.summary for line in run.summary["scores"]]
    _, _, words, numbers, _ = said(index)
    for name in (*WORDS[:-1], "step", "n", "mean"):
        assert (words | numbers)[name] == [line[name] for line in lines]
    hashes = [json.loads(one)["metric"] for one in words["protocol"]]
    assert hashes == [line["metric"].partition(":")[0] for line in lines]
    assert [run.is_scored for run in index.runs] == [True, True, False]
    assert [run.is_baseline for run in index.runs] == [True, False, False]
    assert index.runs[2].reason == "The loss is NaN."


def test_the_second_time_nothing_is_read_but_what_changed(root, monkeypatch, tmp_path):
    first = said(read_index(root))
    read = reads(monkeypatch)
    assert said(read_index(root)) == first
    assert read == []
    store(root, lapsrn(seed=1), scored(lapsrn(seed=1), level=29))
    age(root / lapsrn(seed=1).id)
    assert said(read_index(root)) == fresh(root, monkeypatch, tmp_path) != first
    assert set(read) >= {lapsrn(seed=1).id}
    assert read[0] == lapsrn(seed=1).id


def test_runs_that_come_and_go_are_noticed(root, monkeypatch, tmp_path):
    read_index(root)
    read = reads(monkeypatch)
    (root / bicubic().id / "run.json").unlink()
    store(root, lapsrn("y"), scored(lapsrn("y"), level=30))
    index = said(read_index(root))
    assert read == [lapsrn("y").id]
    assert index == fresh(root, monkeypatch, tmp_path)


def test_a_file_that_may_still_change_unseen_is_read_again(root, monkeypatch):
    """Two writes within one tick of the clock of a drive, of one length, look like one."""
    paths = store(root, lapsrn(seed=2), step=111)
    read_index(root)
    state = paths.run.stat()
    text = paths.run.read_text().replace('"step": 111', '"step": 222')
    with paths.run.open("r+") as file:
        file.write(text)
    os.utime(paths.run, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert {run.id: run.step for run in read_index(root).runs}[paths.id] == 222


@pytest.mark.parametrize("damage", ["cut", "bits", "empty", "version", "text", "folder"])
def test_whatever_is_wrong_with_the_file_costs_time_alone(root, tmp_path, monkeypatch, damage):
    first = said(read_index(root))
    path = the_file(tmp_path)
    content = path.read_bytes()
    at = len(content) // 2
    path.unlink()
    if damage == "folder":
        path.mkdir()
    else:
        path.write_bytes(
            {
                "cut": content[:at],
                "bits": content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :],
                "empty": b"",
                "version": content.replace(b'"version":1', b'"version":0'),
                "text": b"[1]\nno index",
            }[damage]
        )
    read = reads(monkeypatch)
    assert said(read_index(root)) == first
    assert len(read) == 3
    assert damage == "folder" or the_file(tmp_path).read_bytes() == content


def test_a_cache_that_cannot_be_written_is_done_without(root, tmp_path, monkeypatch):
    expected = fresh(root, monkeypatch, tmp_path)
    (tmp_path / "cache").write_text("a file, not a folder")
    assert said(read_index(root)) == expected


def test_nothing_is_written_into_the_store_nor_for_a_few_runs(root, tmp_path, monkeypatch):
    before = sorted(root.rglob("*"))
    monkeypatch.setattr(module, "_WORTH_KEEPING", 4)
    read_index(root)
    assert sorted(root.rglob("*")) == before
    assert not (tmp_path / "cache").exists()


def test_an_index_whose_store_is_gone_goes_with_the_next_one(root, tmp_path):
    other = tmp_path / "other"
    store(other, bicubic(), scored(bicubic(), level=27))
    read_index(other)
    gone = the_file(tmp_path)
    other.rename(tmp_path / "away")
    read_index(root)
    assert the_file(tmp_path) != gone


def test_processes_that_read_and_write_at_once_all_get_the_truth(root, monkeypatch, tmp_path):
    expected, found = fresh(root, monkeypatch, tmp_path), []
    threads = [threading.Thread(target=lambda: found.append(said(read_index(root)))) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == [expected] * 6


def test_damaged_runs_are_told_each_time_and_the_others_are_there(root):
    (root / bicubic().id / "summary.json").write_text('{"schema": 1, "scores": [{}], "protocols": {}}')
    (root / lapsrn().id / "run.json").write_text("[]")
    for _ in range(2):
        index = read_index(root)
        assert [run.id for run in index.runs] == [lapsrn(seed=1).id]
        assert [("summary.json" in str(one), "run.json" in str(one)) for one in index.errors] != []
        assert len(index.errors) == 2


def test_a_mean_that_no_picture_has_is_nan(root):
    paths = root / bicubic().id / "summary.json"
    summary = json.loads(paths.read_text())
    summary["scores"][0] |= {"mean": None, "n": 0}
    paths.write_text(json.dumps(summary))
    assert np.isnan(read_index(root).means.columns["mean"][0])


def test_status_is_that_of_now(root):
    """Whether a process works on a run is asked each time, and stands in no file."""
    paths = store(root, lapsrn(seed=3), status="running")
    run = next(one for one in read_index(root).runs if one.id == paths.id)
    assert read_index(root).status(run) == "interrupted"
    with run_lock(paths):
        assert read_index(root).status(run) == "running"


def test_some_runs_alone(root):
    index = read_index(root).only({lapsrn().id})
    assert [run.id for run in index.runs] == [lapsrn().id]
    assert set(index.means.run) == {0}
    assert len(index.means.run) == len(index.means.columns["mean"]) == 5


def test_a_renamed_folder_keeps_its_run(root):
    (root / lapsrn().id).rename(root / "copy")
    (found,) = [run for run in read_index(root).runs if run.folder == "copy"]
    assert found.id == lapsrn().id


def test_a_record_written_again_is_seen(root):
    paths, record = next((run.paths, run.record) for run in list_runs(root)[0] if run.id == lapsrn().id)
    read_index(root)
    write_record(paths, replace(record, status="interrupted", step=7))
    assert {run.id: run.step for run in read_index(root).runs}[paths.id] == 7
