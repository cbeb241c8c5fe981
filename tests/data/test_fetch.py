"""Fetching from a real server: whole sets in the data folder, or none and a line that says what to do."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from srbench.data.fetch import Source, fetch_sets
from srbench.data.place import data_dir, is_complete
from srbench.errors import DatasetError, StoppedError, StoreError, UsageError
from srbench.facts import Archive, DatasetFacts


def png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


BENCHMARK = tar(
    {f"benchmark/{one}/HR/{n}.png": png(n) for one in ("Two", "Three") for n in range(2 + (one == "Three"))}
)


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


TRAIN, VALID = zipped({"T/1.png": png(1)}), zipped({"V/2.png": png(2)})


@pytest.fixture
def known(file_server) -> dict[str, DatasetFacts]:
    """Two sets in one archive with a checksum, one in two archives without, and one that is got by hand."""
    file_server.ranges = True
    file_server.files |= {"benchmark.tar": BENCHMARK, "train.zip": TRAIN, "valid.zip": VALID}
    md5 = hashlib.md5(BENCHMARK).hexdigest()
    url = file_server.url
    return {
        "two": DatasetFacts("free", {"test": 2}, (Archive(url + "benchmark.tar", {"Two/HR": "HR"}, md5),)),
        "three": DatasetFacts(
            "free", {"test": 3}, (Archive(url + "benchmark.tar", {"Three/HR": "HR"}, md5),)
        ),
        "halves": DatasetFacts(
            "free",
            {"train": 1, "test": 1},
            (Archive(url + "train.zip", {"T": "T"}), Archive(url + "valid.zip", {"V": "V"})),
        ),
        "registered": DatasetFacts("after registration", {"test": 1}, by_hand="Ask for it."),
    }


def fetch(names, known, root, **options):
    said: list[str] = []
    fetch_sets(names, known, root, say=said.append, timeout_s=0.3, **options)
    return said


def tree(root: Path) -> list[str]:
    found = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    return sorted(name for name in found if name != ".lock")


SETS = ["three/HR/0.png", "three/HR/1.png", "three/HR/2.png", "two/HR/0.png", "two/HR/1.png"]


def test_an_archive_is_unpacked_for_all_its_sets_and_removed(known, file_server, tmp_path):
    said = fetch(["two"], known, tmp_path)
    assert tree(tmp_path) == SETS
    assert said == [f"two: 2 files in {tmp_path}/two/HR", f"three: 3 files in {tmp_path}/three/HR"]
    assert (tmp_path / "two/HR/1.png").read_bytes() == png(1)
    assert all(is_complete(name, known[name], tmp_path) for name in ("two", "three"))
    said = fetch(["two", "three"], known, tmp_path)
    assert [line.split(":")[0] for line in said] == ["two is there already", "three is there already"]
    assert file_server.requests == 1


def test_without_a_published_checksum_the_first_is_recorded(known, file_server, tmp_path, caplog):
    fetch(["halves"], known, tmp_path)
    assert tree(tmp_path) == ["checksums.json", "halves/T/1.png", "halves/V/2.png"]
    recorded = json.loads((tmp_path / "checksums.json").read_text())
    assert recorded[file_server.url + "train.zip"] == hashlib.sha256(TRAIN).hexdigest()
    (tmp_path / "halves/V/2.png").unlink()
    (tmp_path / "halves/V").rmdir()
    file_server.files["valid.zip"] = zipped({"V/3.png": png(3)})
    fetch(["halves"], known, tmp_path)
    assert "valid.zip is not what it was when it was first downloaded here" in caplog.text
    assert file_server.requests == 3
    assert json.loads((tmp_path / "checksums.json").read_text()) == recorded


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("cuts off", "the connection broke off"),
        ("stalls", "timed out after 0.3 s"),
        ("sends wrong bytes", "what arrives is another file: its MD5 differs"),
    ],
)
def test_a_failed_download_leaves_no_set_and_goes_on_next_time(
    known, file_server, tmp_path, fault, words, monkeypatch
):
    monkeypatch.setattr("time.sleep", lambda _: None)  # pooch waits between attempts
    file_server.fault = fault
    with pytest.raises(DatasetError, match=f"{words}.*The same command goes on.*--mirror.*--archive"):
        fetch(["two"], known, tmp_path)
    assert file_server.requests == 4
    assert not (tmp_path / "two").exists()
    file_server.fault = None
    fetch(["two"], known, tmp_path)
    assert tree(tmp_path) == SETS
    if fault != "sends wrong bytes":
        assert file_server.asked[-1] not in (None, "bytes=0-")


def test_a_redirect_is_followed(known, file_server, tmp_path):
    file_server.files["new.tar"] = file_server.files.pop("benchmark.tar")
    file_server.redirects["benchmark.tar"] = "new.tar"
    fetch(["two"], known, tmp_path)
    assert tree(tmp_path) == SETS


@pytest.mark.parametrize("mirror", ["mirror", "mirror/", "mirror/benchmark.tar"])
def test_a_mirror_is_held_to_the_published_checksum(known, file_server, tmp_path, mirror, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    file_server.files["mirror/benchmark.tar"] = file_server.files.pop("benchmark.tar")
    fetch(["two"], known, tmp_path, source=Source(file_server.url + mirror))
    assert tree(tmp_path) == SETS
    file_server.files["mirror/benchmark.tar"] = tar({"Two/HR/0.png": png(5)})
    with pytest.raises(DatasetError, match="its MD5 differs"):
        fetch(["two"], known, tmp_path / "other", source=Source(file_server.url + mirror))


def test_a_local_archive_is_taken_offline_and_kept(known, file_server, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("SRBENCH_OFFLINE", "1")
    mine = tmp_path / "mine.zip"
    mine.write_bytes(zipped({"Two/HR/0.png": png(0), "Two/HR/1.png": png(1)}))
    fetch(["two"], known, tmp_path / "data", source=Source(files=(mine,)))
    assert tree(tmp_path / "data") == ["two/HR/0.png", "two/HR/1.png"]
    assert mine.is_file()
    assert "mine.zip is not the published benchmark.tar: its MD5 differs" in caplog.text
    assert file_server.requests == 0


def test_several_local_archives_are_told_apart_by_name(known, tmp_path):
    files = {"train.zip": TRAIN, "valid.zip": VALID}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    paths = tuple(tmp_path / name for name in files)
    with pytest.raises(UsageError, match=r"Several archives are needed.*valid\.zip is not among"):
        fetch(["halves"], known, tmp_path / "data", source=Source(files=paths[:1]))
    fetch(["halves"], known, tmp_path / "data", source=Source(files=paths))
    assert tree(tmp_path / "data") == ["halves/T/1.png", "halves/V/2.png"]
    with pytest.raises(UsageError, match="--archive .*gone.zip is no file"):
        fetch(["two"], known, tmp_path / "data", source=Source(files=(tmp_path / "gone.zip",)))


def test_a_set_got_by_hand_says_how(known, tmp_path):
    with pytest.raises(DatasetError, match="registered cannot be downloaded by srbench. Ask for it."):
        fetch(["registered"], known, tmp_path)


def test_offline_says_so(known, file_server, tmp_path, monkeypatch):
    monkeypatch.setenv("SRBENCH_OFFLINE", "1")
    with pytest.raises(DatasetError, match="SRBENCH_OFFLINE=1 is set"):
        fetch(["two"], known, tmp_path)
    assert file_server.requests == 0


def test_an_archive_without_the_set_is_named(known, file_server, tmp_path):
    file_server.files["train.zip"] = zipped({"other/1.png": png(1)})
    with pytest.raises(DatasetError, match=r"train\.zip has no folder T with files in it"):
        fetch(["halves"], known, tmp_path)
    assert not (tmp_path / "halves").exists()


def test_a_hostile_archive_leaves_nothing(known, file_server, tmp_path):
    file_server.files["train.zip"] = zipped({"T/1.png": png(1), "T/../../evil.png": b"x"})
    with pytest.raises(DatasetError, match="a path that leaves the folder"):
        fetch(["halves"], known, tmp_path)
    assert [name for name in tree(tmp_path) if not name.startswith((".downloads", "checksums"))] == []


def test_half_an_unpacking_is_never_taken_for_a_set(known, tmp_path):
    """Stopped between two files; and a killed process leaves a folder that the next one clears away."""
    calls = iter(range(99))

    def check():
        if next(calls) == 5:
            raise StoppedError("stopped")

    with pytest.raises(StoppedError):
        fetch(["two"], known, tmp_path, check=check)
    assert not (tmp_path / "two").exists()
    (tmp_path / ".unpacking-killed" / "0").mkdir(parents=True)
    fetch(["two"], known, tmp_path)
    assert tree(tmp_path) == SETS
    assert not list(tmp_path.glob(".unpacking-*"))


def test_two_processes_never_fetch_into_one_folder(known, tmp_path):
    with (
        FileLock(tmp_path / ".lock"),
        pytest.raises(StoreError, match="Another process is fetching into"),
    ):
        fetch(["two"], known, tmp_path)


def test_data_folder_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("SRBENCH_DATA", str(tmp_path))
    assert data_dir() == tmp_path
    monkeypatch.delenv("SRBENCH_DATA")
    assert data_dir().parts[-2:] == ("srbench", "data")


PLUGIN = """
from srbench.api import Archive, Dataset, DatasetFacts, hookimpl

def big(): return Dataset()

@hookimpl
def register_datasets(register):
    facts = DatasetFacts("free", {{"test": 1}}, (Archive("{url}big.tar", {{"Big": "HR"}}, "{md5}"),))
    register("big", big, facts=facts)
"""


def test_ctrl_c_keeps_what_has_arrived_and_exits_75(file_server, tmp_path):
    """The server stalls half-way; the same line then asks for the rest alone."""
    content = tar({"Big/1.png": os.urandom(2_000_000)})
    file_server.files["big.tar"] = content
    file_server.ranges, file_server.fault = True, "stalls"
    package = tmp_path / "site" / "big_plugin-1.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: big-plugin\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[srbench]\nbig = big_plugin\n")
    md5 = hashlib.md5(content).hexdigest()
    (tmp_path / "site" / "big_plugin.py").write_text(PLUGIN.format(url=file_server.url, md5=md5))
    paths = os.pathsep.join([str(tmp_path / "site"), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": paths, "SRBENCH_DATA": str(tmp_path / "data")}
    line = [sys.executable, "-m", "srbench", "data", "fetch", "big"]
    process = subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, text=True)
    part = tmp_path / "data" / ".downloads" / "big.tar.part"
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 500_000) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    file_server.release()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 75, said
    assert "Ctrl-C" in said
    have = part.stat().st_size
    file_server.fault = None
    assert subprocess.run(line, env=environment, check=False).returncode == 0
    assert file_server.asked[-1] == f"bytes={have}-"
    assert (tmp_path / "data" / "big" / "HR" / "1.png").stat().st_size == 2_000_000
