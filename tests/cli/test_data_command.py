"""`srbench data` as typed: what it lists, where sets are found, and what verify says with which exit code."""

import hashlib
import json
import tarfile

import pytest
from published import facts_of, jpeg, write
from small import srbench

from srbench.datasets import build_dataset
from srbench.facts import Archive, DatasetFacts
from srbench_datasets import facts as public


@pytest.fixture
def ours(tmp_path, monkeypatch):
    """Four pictures that set5 stands for here, in a data folder of this test's own."""
    folder = write(tmp_path / "pictures" / "set5")
    known = facts_of(folder)
    monkeypatch.setattr(public, "SET5", known)
    monkeypatch.setenv("SRBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SRBENCH_CACHE", str(tmp_path / "cache"))
    build_dataset.cache_clear()
    return folder


def test_list_shows_what_there_is_and_where(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SRBENCH_DATA", str(tmp_path))
    (tmp_path / "set14" / "HR").mkdir(parents=True)
    assert srbench(["data", "list", "--json"], monkeypatch) == 0
    records = {record["name"]: record for record in json.loads(capsys.readouterr().out)}
    assert set(records) == {"set5", "set14", "bsds100", "bsds200", "urban100", "manga109", "t91", "div2k"}
    assert records["set14"]["folder"] == str(tmp_path / "set14")
    assert records["set5"]["folder"] is None
    assert records["div2k"]["pictures"] == {"train": 800, "test": 100}
    assert records["div2k"]["size_mb"] == 3980
    assert not records["manga109"]["can_be_fetched"]
    monkeypatch.setenv("COLUMNS", "200")
    assert srbench(["data", "list"], monkeypatch) == 0
    captured = capsys.readouterr()
    lines = {line.split()[0]: line for line in captured.out.splitlines()}
    assert "250 MB" in lines["set5"]
    assert "not here" in lines["set5"]
    assert "by hand" in lines["manga109"]
    assert "800 train + 100 test" in lines["div2k"]
    assert f"Data folder: {tmp_path}" in captured.err


def test_a_fetched_set_is_found_by_its_bare_name(ours, file_server, tmp_path, monkeypatch, capsys):
    archive = tmp_path / "benchmark.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(ours, "benchmark/Set5/HR")
    content = archive.read_bytes()
    file_server.files["benchmark.tar"] = content
    source = Archive(
        file_server.url + "benchmark.tar", {"Set5/HR": "HR"}, hashlib.md5(content).hexdigest(), size_mb=1
    )
    known = public.SET5
    fields = {name: getattr(known, name) for name in ("terms", "counts", "pictures", "figures")}
    monkeypatch.setattr(public, "SET5", DatasetFacts(archives=(source,), **fields))
    results = str(tmp_path / "results")
    line = ["run", "--model", "bicubic", "--test", "set5", "--metric", "psnr", "--results", results]
    assert srbench(line, monkeypatch) == 2
    assert "srbench data fetch set5 downloads it there" in capsys.readouterr().err
    assert srbench(["data", "fetch", "set5"], monkeypatch) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"set5: 4 files in {tmp_path}/data/set5/HR" in captured.err
    assert srbench(line, monkeypatch) == 0
    assert "UNVERIFIED" not in capsys.readouterr().err
    assert srbench(["data", "verify", "set5"], monkeypatch) == 0
    assert "set5 is the published set." in capsys.readouterr().out
    elsewhere = ["data", "fetch", "set5", "--root", str(tmp_path / "else"), "--archive", str(archive)]
    assert srbench(elsewhere, monkeypatch) == 0
    assert (tmp_path / "else" / "set5" / "HR" / "cat.png").is_file()


def test_verify_shows_both_sides_and_names_the_cause(ours, monkeypatch, capsys):
    jpeg(ours / "cat.png", 50)
    for where in (["set5", "--root", str(ours)], ["set5", "--root", str(ours.parent)], [f"set5:root={ours}"]):
        assert srbench(["data", "verify", *where], monkeypatch) == 1
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].split() == ["set5", "published", "here", "difference"]
        assert lines[1].split() == ["test", "pictures", "4", "4", "0"]
        assert lines[3].startswith("bicubic ×2, grey kept, luma dB")
        assert "off" in lines[3]
        assert lines[-2] == "cat: JPEG copy: its pixels are rounded as JPEG does"
        assert lines[-1] == "set5 is NOT the published set: scores are unverified."


def test_verify_json_has_what_facts_need(ours, monkeypatch, capsys):
    assert srbench(["data", "verify", f"set5:root={ours}", "--json"], monkeypatch) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["verified"]
    known = public.SET5.pictures["cat"]
    assert verdict["pictures"]["cat"] == {
        "width": 160, "height": 160, "fingerprint": known.fingerprint, "psnr": known.psnr,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fetch", "set6"], "Nothing is published of a set 'set6'. Did you mean 'set5'?"),
        (["fetch", "sample"], "Nothing is published of a set 'sample'."),
        (["verify", "set6"], "Nothing is published of a set 'set6'."),
        (["fetch", "manga109"], "manga109 cannot be downloaded by srbench. Its terms need a registration"),
        (["fetch", "set5", "--mirror", "http://a", "--archive", "b"], "--mirror and --archive both say"),
        (["fetch", "set5", "--archive", "nowhere.tar"], "--archive nowhere.tar is no file"),
        (["fetch", "set5"], "benchmark.tar cannot be downloaded (SRBENCH_OFFLINE=1 is set)"),
        (["verify", "set5"], "set5 is not in the data folder"),
    ],
)
def test_mistakes_are_a_paragraph_and_exit_code_2(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SRBENCH_DATA", str(tmp_path))
    assert srbench(["data", *arguments], monkeypatch) == 2
    assert words in capsys.readouterr().err
