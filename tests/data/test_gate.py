"""The gate in a run: asked at a name's first use, said loudly, stored with the scores, shown in the table."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from published import CROPS, facts_of, jpeg, swap, write
from small import srbench

from srbench.data import gate
from srbench.datasets import build_dataset
from srbench.errors import StoppedError
from srbench.images.download import cache_dir
from srbench_datasets import facts as public


def go_on() -> None:
    """No stop has been asked for."""


@pytest.fixture
def ours(tmp_path, monkeypatch) -> Path:
    """Four pictures that set5 stands for here, and a cache of this test's own."""
    folder = write(tmp_path / "ours")
    monkeypatch.setattr(public, "SET5", facts_of(folder))
    monkeypatch.setenv("SRBENCH_CACHE", str(tmp_path / "cache"))
    build_dataset.cache_clear()
    gate._say.cache_clear()
    return folder


def run(folder: Path, results: Path, monkeypatch, *more: str) -> int:
    return srbench(
        ["run", "--model", "bicubic", "--test", f"set5:root={folder}", "--metric", "psnr",
         "--results", str(results), *more],
        monkeypatch,
    )  # fmt: skip


def summary_of(results: Path) -> dict:
    (path,) = results.glob("*/summary.json")
    return json.loads(path.read_text())


def test_the_published_set_is_scored_without_a_word(ours, tmp_path, monkeypatch, capsys):
    assert run(ours, tmp_path / "results", monkeypatch) == 0
    assert "UNVERIFIED" not in capsys.readouterr().err
    assert summary_of(tmp_path / "results")["unverified"] == []
    srbench(["table", "--results", str(tmp_path / "results")], monkeypatch)
    assert "unverified" not in capsys.readouterr().out
    srbench(["table", "--format", "json", "--results", str(tmp_path / "results")], monkeypatch)
    assert {one["unverified"] for one in json.loads(capsys.readouterr().out)} == {None}


def test_another_set_is_said_loudly_marked_and_shown(ours, tmp_path, monkeypatch, capsys):
    jpeg(ours / "cat.png")
    results = tmp_path / "results"
    assert run(ours, results, monkeypatch, "-q") == 2  # -q is the program's, not run's
    assert srbench(["-q", "run", "--model", "bicubic", "--test", f"set5:root={ours}", "--metric", "psnr",
                    "--results", str(results)], monkeypatch) == 0  # fmt: skip
    said = capsys.readouterr().err
    assert "UNVERIFIED: these are not the published pictures of set5." in said
    assert "cat: JPEG copy: its pixels are rounded as JPEG does" in said
    assert f"srbench data verify set5:root={ours} shows all" in said
    summary = summary_of(results)
    (entry,) = summary["unverified"]
    assert entry["test"] == "set5"
    assert entry["test_sha256"] == summary["scores"][0]["test_sha256"]
    assert "cat: JPEG copy" in entry["reason"]
    for form in ("rich", "md", "latex"):
        srbench(["table", "--format", form, "--results", str(results)], monkeypatch)
        assert "4 pictures, unverified" in capsys.readouterr().out
    srbench(["table", "--format", "md", "--results", str(results)], monkeypatch)
    assert "set5 is unverified: its pictures are not the published ones" in capsys.readouterr().out
    for form, read in (("json", json.loads), ("csv", lambda text: csv.DictReader(io.StringIO(text)))):
        srbench(["table", "--format", form, "--results", str(results)], monkeypatch)
        assert {one["unverified"] for one in read(capsys.readouterr().out)} == {entry["reason"]}


def test_the_verdict_is_kept_for_a_content_and_said_again(ours, tmp_path, monkeypatch, capsys):
    swap(ours / "cup.png")
    test = build_dataset(f"set5:root={ours}").test
    said = gate.doubt(test, go_on)
    (kept,) = (cache_dir() / "verdicts").iterdir()
    verdict = json.loads(kept.read_text())
    assert verdict["findings"][0]["picture"] == "cup"
    verdict["findings"][0]["cause"] = "read from the cache"
    kept.write_text(json.dumps(verdict))
    assert said != gate.doubt(test, go_on)
    assert "read from the cache" in gate.doubt(test, go_on)
    kept.write_text("{damaged")
    assert gate.doubt(test, go_on) == said
    shutil.rmtree(cache_dir())
    cache_dir().write_text("a file where the cache should be")
    assert gate.doubt(test, go_on) == said


def test_mended_pictures_are_another_content(ours, tmp_path, monkeypatch, capsys):
    """The doubt stays with the scores it was about, and the table tells the two apart."""
    results = tmp_path / "results"
    other = shutil.copytree(ours, tmp_path / "other")
    jpeg(other / "cat.png")
    run(other, results, monkeypatch)
    run(ours, results, monkeypatch)
    summary = summary_of(results)
    assert len({score["test_sha256"] for score in summary["scores"]}) == 2
    assert len(summary["unverified"]) == 1
    srbench(["table", "--format", "md", "--results", str(results)], monkeypatch)
    table = capsys.readouterr().out
    assert table.count("4 pictures, unverified") == 2  # ×4, and its inner ×2
    assert table.count("4 pictures") == 4


def test_a_doubt_that_has_gone_is_taken_back(ours, tmp_path, monkeypatch):
    """Facts were wrong and have been mended: the scores are the same, their mark goes."""
    right = public.SET5
    monkeypatch.setattr(public, "SET5", facts_of(ours, figures=()))
    monkeypatch.setattr(public, "SET5", type(right)("free", {"test": 3}))
    run(ours, tmp_path / "results", monkeypatch)
    assert "test pictures 4, published 3" in summary_of(tmp_path / "results")["unverified"][0]["reason"]
    monkeypatch.setattr(public, "SET5", right)
    run(ours, tmp_path / "results", monkeypatch)
    assert summary_of(tmp_path / "results")["unverified"] == []


def test_a_folder_makes_no_claim(ours, tmp_path):
    folder = shutil.copytree(ours, tmp_path / "set5")
    jpeg(folder / "cat.png")
    assert gate.doubt(build_dataset(f"folder:test={folder}").test, go_on) is None
    assert gate.doubt(build_dataset("sample").test, go_on) is None


def test_a_stop_is_heard_between_pictures(ours):
    def stop():
        raise StoppedError("stopped")

    with pytest.raises(StoppedError):
        gate.doubt(build_dataset(f"set5:root={ours}").test, stop)
    assert not (cache_dir() / "verdicts").exists()


def test_the_pictures_of_this_file_are_four(ours):
    assert len(CROPS) == len(list(ours.iterdir())) == 4
