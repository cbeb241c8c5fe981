"""Downloads from a real server: whole and verified, or an error that says why and leaves nothing behind."""

import hashlib
import re

import pytest

from srbench.errors import StoppedError
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


# Resuming


def fetch_resumably(server, tmp_path, checksum=SHA256, **options):
    return fetch(
        server.url + "a.bin", checksum, tmp_path / "a.bin", resume=True, timeout_s=0.3, retries=0, **options
    )


def half_a_download(server, tmp_path, fault="cuts off", **options):
    server.fault = fault
    with pytest.raises(DownloadError):
        fetch_resumably(server, tmp_path, **options)
    server.fault = None
    assert not (tmp_path / "a.bin").exists()
    assert 0 < (tmp_path / "a.bin.part").stat().st_size < len(CONTENT)


@pytest.mark.parametrize("fault", ["cuts off", "stalls"])
@pytest.mark.parametrize("checksum", [SHA256, f"md5:{hashlib.md5(CONTENT).hexdigest()}", None])
def test_half_a_download_goes_on_where_it_was(server, tmp_path, fault, checksum):
    server.ranges = True
    half_a_download(server, tmp_path, fault, checksum=checksum)
    have = (tmp_path / "a.bin.part").stat().st_size
    assert fetch_resumably(server, tmp_path, checksum).read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={have}-"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_retries_go_on_too(server, tmp_path, monkeypatch):
    """Each attempt brings half of what is missing, until the server mends itself."""
    server.ranges, server.fault = True, "cuts off"
    waits = iter(range(9))
    monkeypatch.setattr("time.sleep", lambda _: next(waits) == 2 and setattr(server, "fault", None))
    fetch(server.url + "a.bin", SHA256, tmp_path / "a.bin", resume=True, retries=3)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    starts = [int(asked[6:-1]) for asked in server.asked if asked]
    assert len(starts) == 3
    assert starts == sorted(starts)


def test_server_without_ranges_sends_all_again(server, tmp_path):
    half_a_download(server, tmp_path)
    assert fetch_resumably(server, tmp_path).read_bytes() == CONTENT
    assert server.asked[1] is not None


def test_nothing_is_pieced_together_of_two_versions(server, tmp_path):
    """The file has changed at its source, and nobody has published what is right."""
    server.ranges = True
    half_a_download(server, tmp_path, checksum=None)
    server.files["a.bin"], server.version = CONTENT[::-1], '"2"'
    assert fetch_resumably(server, tmp_path, None).read_bytes() == CONTENT[::-1]


def test_without_checksum_and_version_all_is_asked_for_again(server, tmp_path):
    half_a_download(server, tmp_path, checksum=None)
    fetch_resumably(server, tmp_path, None)
    assert server.asked == [None, None]


def test_a_wrong_part_is_thrown_away_by_the_checksum(server, tmp_path):
    """One attempt finds the whole to be wrong, the next starts at its beginning."""
    server.ranges = True
    half_a_download(server, tmp_path)
    part = tmp_path / "a.bin.part"
    part.write_bytes(bytes(part.stat().st_size))
    with pytest.raises(DownloadError, match="its SHA-256 differs"):
        fetch_resumably(server, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert fetch_resumably(server, tmp_path).read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_no_part_of_it(server, tmp_path):
    server.ranges = True
    half_a_download(server, tmp_path)
    (tmp_path / "a.bin.part").write_bytes(bytes(2 * len(CONTENT)))
    assert fetch_resumably(server, tmp_path).read_bytes() == CONTENT


def test_redirects_are_followed(server, tmp_path):
    server.redirects["old.bin"] = "a.bin"
    fetch(server.url + "old.bin", SHA256, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_stop_keeps_what_has_arrived(server, tmp_path):
    server.ranges = True
    pieces = []

    def check():
        pieces.append(1)
        if len(pieces) == 4:
            raise StoppedError("stopped")

    with pytest.raises(StoppedError):
        fetch_resumably(server, tmp_path, check=check)
    have = (tmp_path / "a.bin.part").stat().st_size
    assert 0 < have < len(CONTENT)
    fetch_resumably(server, tmp_path)
    assert server.asked == [None, f"bytes={have}-"]


def test_wrong_md5_is_named(server, tmp_path):
    with pytest.raises(DownloadError, match="its MD5 differs"):
        fetch(server.url + "a.bin", "md5:" + "0" * 32, tmp_path / "a.bin")
