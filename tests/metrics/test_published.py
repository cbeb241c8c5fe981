"""Files that authors published: where they are looked for, and that another file is never taken."""

import hashlib
import sys

import pytest

from srbench.errors import MetricUnavailable
from srbench.metrics.backbones import set_weights_dir
from srbench.metrics.published import PublishedFile, find_published

CONTENT = b"0.25 0.75"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SRBENCH_CACHE", str(tmp_path / "cache"))
    yield
    set_weights_dir(None)


def published(url="http://127.0.0.1:9/", packages=()):
    return PublishedFile("weights.bin", f"{url}weights.bin", SHA256, packages)


def test_it_is_downloaded_once_and_found_in_the_cache_offline(file_server, tmp_path, monkeypatch):
    file_server.files["weights.bin"] = CONTENT
    path = find_published(published(file_server.url), "This")
    assert path == tmp_path / "cache" / "metrics" / "weights.bin"
    assert path.read_bytes() == CONTENT
    monkeypatch.setenv("SRBENCH_OFFLINE", "1")
    assert find_published(published("http://127.0.0.1:9/"), "This") == path
    assert file_server.requests == 1


def test_another_file_from_the_server_is_refused_in_one_paragraph_and_asked_for_once(file_server, tmp_path):
    file_server.files["weights.bin"] = b"something else"
    file = published(file_server.url, (("no_such_package", "weights.bin"),))
    for _ in range(2):
        with pytest.raises(MetricUnavailable) as raised:
            find_published(file, "This")
        assert str(raised.value) == (
            f"This cannot be computed: weights.bin is neither in {tmp_path / 'cache' / 'metrics'} nor could "
            "it be downloaded (what arrives is another file: its SHA-256 differs). Put "
            f"{file_server.url}weights.bin there under that name, or pass --lpips-weights DIR, or install a "
            "package that ships it: no_such_package."
        )
    assert file_server.requests == 2  # one download with its one retry
    assert not list((tmp_path / "cache").rglob("weights.bin"))


def test_another_file_in_the_cache_is_named_where_the_right_one_cannot_be_had(
    file_server, tmp_path, monkeypatch
):
    cached = tmp_path / "cache" / "metrics" / "weights.bin"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(CONTENT[:-1])
    monkeypatch.setenv("SRBENCH_OFFLINE", "1")
    with pytest.raises(MetricUnavailable) as raised:
        find_published(published(file_server.url), "This")
    assert str(raised.value).startswith(
        f"This cannot be computed: {cached} is damaged, or another file (SHA-256"
    )
    assert "could not be downloaded (SRBENCH_OFFLINE=1 is set)" in str(raised.value)
    monkeypatch.delenv("SRBENCH_OFFLINE")
    file_server.files["other/weights.bin"] = CONTENT
    assert find_published(published(f"{file_server.url}other/"), "This") == cached
    assert cached.read_bytes() == CONTENT


@pytest.mark.parametrize("inside", ["", "lpips"])
def test_the_user_s_folder_goes_first_and_another_file_in_it_is_never_skipped(file_server, tmp_path, inside):
    file_server.files["weights.bin"] = CONTENT
    path = tmp_path / "mine" / inside / "weights.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    set_weights_dir(tmp_path / "mine")
    assert find_published(published(file_server.url), "This") == path
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "weights.bin").write_bytes(b"something else")
    set_weights_dir(tmp_path / "theirs")
    with pytest.raises(MetricUnavailable, match=r"theirs/weights.bin is damaged, or another file \(SHA-256"):
        find_published(published(file_server.url), "This")
    assert file_server.requests == 0


def test_a_package_that_ships_it_is_not_imported_and_another_version_s_file_is_passed_by(
    tmp_path, monkeypatch
):
    for package, content in (("srbench_test_old", b"older"), ("srbench_test_new", CONTENT)):
        (tmp_path / package / "inside").mkdir(parents=True)
        (tmp_path / package / "__init__.py").write_text("raise RuntimeError('imported')\n")
        (tmp_path / package / "inside" / "weights.bin").write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path)
    both = tuple((f"srbench_test_{one}", "inside/weights.bin") for one in ("old", "new"))
    assert find_published(published(packages=both), "This").parent.parent.name == "srbench_test_new"
    assert not any(name.startswith("srbench_test") for name in sys.modules)
