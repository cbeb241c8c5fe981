"""Downloads from a real server: whole and verified, or an error that says why and leaves nothing behind."""

import hashlib
import re

import pytest

from srbench.images.download import DownloadError, cache_dir, fetch

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(file_server):
    file_server.files["a.bin"] = CONTENT
    return file_server


def test_file_arrives_whole_and_is_not_fetched_again(server, tmp_path):
    path = tmp_path / "new" / "a.bin"
    assert fetch(server.url + "a.bin", SHA256, path, size_bytes=len(CONTENT)) == path
    assert path.read_bytes() == CONTENT
    fetch(server.url + "a.bin", SHA256, path)
    assert server.requests == 1


def test_damaged_file_is_replaced(server, tmp_path):
    (tmp_path / "a.bin").write_bytes(CONTENT[:-1])
    fetch(server.url + "a.bin", SHA256, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("cuts off", "the connection broke off"),
        ("sends wrong bytes", "what arrives is another file: its SHA-256 differs"),
        ("stalls", "timed out after 0.3 s"),
    ],
)
def test_failed_download_says_why_and_leaves_nothing(server, tmp_path, fault, words):
    server.fault = fault
    url = server.url + "a.bin"
    with pytest.raises(DownloadError, match=re.escape(f"{url} cannot be downloaded ({words})")) as caught:
        fetch(url, SHA256, tmp_path / "a.bin", timeout_s=0.3)
    assert caught.value.reason == words
    assert caught.value.__cause__ is not None
    assert list(tmp_path.iterdir()) == []
    assert server.requests == 2


def test_one_broken_attempt_is_tried_again(server, tmp_path, monkeypatch):
    """The server mends itself while pooch waits for its second attempt."""
    server.fault = "sends wrong bytes"
    monkeypatch.setattr("time.sleep", lambda _: setattr(server, "fault", None))
    fetch(server.url + "a.bin", SHA256, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert server.requests == 2


def test_missing_file_names_the_answer(server, tmp_path):
    with pytest.raises(DownloadError, match="the server answers 404"):
        fetch(server.url + "b.bin", SHA256, tmp_path / "b.bin")


def test_no_server_at_all(server, tmp_path):
    server.close()
    with pytest.raises(DownloadError, match="the server refuses the connection"):
        fetch(server.url + "a.bin", SHA256, tmp_path / "a.bin")


def test_full_disk_is_noticed_before_the_download(server, tmp_path):
    with pytest.raises(DownloadError, match=r"it has 1,000,000,000,000 MB, and .* MB free"):
        fetch(server.url + "a.bin", SHA256, tmp_path / "a.bin", size_bytes=10**18)
    assert server.requests == 0


def test_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DownloadError, match="file"):
        fetch(server.url + "a.bin", SHA256, tmp_path / "file" / "a.bin")


def test_offline_never_asks_but_takes_what_is_there(server, tmp_path, monkeypatch):
    monkeypatch.setenv("SRBENCH_OFFLINE", "1")
    with pytest.raises(DownloadError, match="SRBENCH_OFFLINE=1 is set"):
        fetch(server.url + "a.bin", SHA256, tmp_path / "a.bin")
    (tmp_path / "a.bin").write_bytes(CONTENT)
    fetch(server.url + "a.bin", SHA256, tmp_path / "a.bin")
    assert server.requests == 0


def test_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("SRBENCH_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv("SRBENCH_CACHE")
    assert cache_dir().name == "srbench"
