"""Archives: what is asked for lands where it should, and no hostile member gets anything written outside."""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srbench.data.unpack import Limits, unpack
from srbench.errors import DatasetError, StoppedError

GOOD = {
    "benchmark/Set5/HR/baby.png": b"baby",
    "benchmark/Set5/HR/more/bird.png": b"bird" * 500_000,
    "benchmark/Set5/LR/baby.png": b"small",
    "benchmark/readme.txt": b"text",
}


def tar_of(
    path: Path, members: Iterable[tuple[tarfile.TarInfo, bytes]], compress=lambda plain: plain
) -> Path:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    path.write_bytes(compress(buffer.getvalue()))
    return path


def plain_tar(path: Path, files: dict[str, bytes], compress=lambda plain: plain) -> Path:
    return tar_of(path, [(tarfile.TarInfo(name), content) for name, content in files.items()], compress)


def plain_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def written(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize(
    "make",
    [
        plain_zip,
        plain_tar,
        lambda path, files: plain_tar(path, files, gzip.compress),
        lambda path, files: plain_tar(path, files, bz2.compress),
        lambda path, files: plain_tar(path, files, lzma.compress),
    ],
)
def test_a_folder_is_unpacked_and_nothing_else(tmp_path, make):
    """The name of the file says nothing: its content does."""
    archive = make(tmp_path / "archive", GOOD)
    assert unpack(archive, {"Set5/HR": tmp_path / "out", "Set14/HR": tmp_path / "none"}) == {
        "Set5/HR": 2,
        "Set14/HR": 0,
    }
    assert written(tmp_path / "out") == {"baby.png": b"baby", "more/bird.png": b"bird" * 500_000}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "out"]


def test_folders_in_an_archive_are_skipped(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.mkdir("Set5/HR")
        archive.writestr("Set5/HR/a.png", b"a")
    folder = tarfile.TarInfo("Set5/HR")
    folder.type = tarfile.DIRTYPE
    tar_of(tmp_path / "a.tar", [(folder, b""), (tarfile.TarInfo("./Set5/HR/a.png"), b"a")])
    for name in ("a.zip", "a.tar"):
        unpack(tmp_path / name, {"Set5/HR": tmp_path / f"{name}.out"})
        assert written(tmp_path / f"{name}.out") == {"a.png": b"a"}


def link(name: str, kind: bytes, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_with_mode(path: Path, mode: int) -> Path:
    info = zipfile.ZipInfo("Set5/HR/link.png")
    info.create_system, info.external_attr = 3, mode << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, b"/etc/passwd")
    return path


HOSTILE = {
    "climbs out, zip": lambda path: plain_zip(path, {"Set5/HR/../../../evil.png": b"x"}),
    "climbs out, tar": lambda path: plain_tar(path, {"Set5/HR/../../../evil.png": b"x"}),
    "climbs out elsewhere in the archive": lambda path: plain_tar(path, {"../evil.png": b"x"}),
    "absolute, zip": lambda path: plain_zip(path, {"/Set5/HR/evil.png": b"x"}),
    "absolute, tar": lambda path: plain_tar(path, {"/Set5/HR/evil.png": b"x"}),
    "backslashes": lambda path: plain_tar(path, {"Set5/HR/..\\..\\evil.png": b"x"}),
    "a drive": lambda path: plain_tar(path, {"Set5/HR/C:evil.png": b"x"}),
    "symbolic link": lambda path: tar_of(path, [(link("Set5/HR/a.png", tarfile.SYMTYPE, "/etc"), b"")]),
    "link, then a file through it": lambda path: tar_of(
        path,
        [(link("Set5/HR/d", tarfile.SYMTYPE, ".."), b""), (tarfile.TarInfo("Set5/HR/d/evil.png"), b"x")],
    ),
    "hard link": lambda path: tar_of(path, [(link("Set5/HR/a.png", tarfile.LNKTYPE, "/etc/passwd"), b"")]),
    "device": lambda path: tar_of(path, [(link("Set5/HR/a.png", tarfile.CHRTYPE, ""), b"")]),
    "pipe": lambda path: tar_of(path, [(link("Set5/HR/a.png", tarfile.FIFOTYPE, ""), b"")]),
    "symbolic link, zip": lambda path: zip_with_mode(path, stat.S_IFLNK | 0o777),
    "device, zip": lambda path: zip_with_mode(path, stat.S_IFCHR | 0o666),
    "twice": lambda path: tar_of(path, [(tarfile.TarInfo("Set5/HR/a.png"), one) for one in (b"1", b"2")]),
}  # fmt: skip


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_archives_are_refused_by_member(tmp_path, make):
    archive = make(tmp_path / "archive")
    before = sorted(path.name for path in tmp_path.parent.iterdir())
    with pytest.raises(DatasetError, match=r"is refused: its member '.*' is .*own source") as caught:
        unpack(archive, {"Set5/HR": tmp_path / "out" / "deep"})
    assert "evil" not in str(list(tmp_path.rglob("*")))
    assert sorted(path.name for path in tmp_path.parent.iterdir()) == before
    assert caught.value.exit_code == 2


@given(name=st.text(st.sampled_from("ab./\\:\0 ~"), min_size=1, max_size=12))
def test_no_name_leads_out(tmp_path_factory, name):
    """Whatever a member is called: it is refused, or lands below its folder."""
    tmp_path = tmp_path_factory.mktemp("names")
    archive = plain_tar(tmp_path / "a.tar", {f"Set5/HR/{name}": b"x"})
    try:
        count = unpack(archive, {"Set5/HR": tmp_path / "out"})["Set5/HR"]
    except DatasetError:
        count = 0
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path != archive]
    assert len(files) == count
    assert all((tmp_path / "out").resolve() in path.resolve().parents for path in files)


@pytest.mark.parametrize("make", [plain_zip, lambda path, files: plain_tar(path, files, gzip.compress)])
@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(harmless_bytes=10**6), "more than 50 times its own 0.0 MB"),
        (Limits(size_bytes=10**6, ratio=10**9), "more than 0 GB"),
        (Limits(files=2), "more than 2 files"),
    ],
)
def test_bombs_are_refused_before_they_are_written(tmp_path, make, limits, words):
    files = {"Set5/HR/a.png": b"a", "Set5/HR/b.png": b"b", "else/zeros": bytes(20 * 10**6)}
    archive = make(tmp_path / "bomb", files)
    with pytest.raises(DatasetError, match=f"{words}, which no archive of pictures does: it is refused"):
        unpack(archive, {"Set5/HR": tmp_path / "out", "else": tmp_path / "else"}, limits=limits)
    assert not (tmp_path / "else" / "zeros").exists()


def test_a_header_that_is_a_bomb_is_refused(tmp_path):
    """A tar may say of a file's name that it is a gigabyte long: it would be read into memory."""
    info = tarfile.TarInfo("Set5/HR/a.png")
    info.pax_headers = {"comment": "0" * 30 * 10**6}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(info)
    (tmp_path / "bomb").write_bytes(gzip.compress(buffer.getvalue()))
    with pytest.raises(DatasetError, match="refused as a bomb"):
        unpack(tmp_path / "bomb", {"Set5/HR": tmp_path / "out"}, limits=Limits(harmless_bytes=10**6))


@pytest.mark.parametrize("make", [
    plain_zip, plain_tar,
    lambda path, files: plain_tar(path, files, gzip.compress),
    lambda path, files: plain_tar(path, files, bz2.compress),
    lambda path, files: plain_tar(path, files, lzma.compress),
])  # fmt: skip
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_cut_off_archives_are_errors(tmp_path, make, share):
    archive = make(tmp_path / "archive", {f"Set5/HR/{n}.png": bytes([n]) * 5000 for n in range(40)})
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DatasetError, match="download it again|neither a zip nor a tar"):
        unpack(archive, {"Set5/HR": tmp_path / "out"})


def test_a_tar_cut_off_between_two_members_is_an_error(tmp_path):
    archive = plain_tar(tmp_path / "a.tar", {f"Set5/HR/{n}.png": b"x" * 512 for n in range(9)})
    archive.write_bytes(archive.read_bytes()[: 4 * 1024])
    with pytest.raises(DatasetError, match="the end marker is missing"):
        unpack(archive, {"Set5/HR": tmp_path / "out"})


def test_damaged_content_is_an_error(tmp_path):
    archive = plain_zip(tmp_path / "a.zip", {"Set5/HR/a.png": bytes(range(256)) * 40})
    content = bytearray(archive.read_bytes())
    content[60:80] = bytes(20)
    archive.write_bytes(content)
    with pytest.raises(DatasetError, match="a.zip (is damaged|cannot be unpacked)"):
        unpack(archive, {"Set5/HR": tmp_path / "out"})


def test_a_web_page_is_no_archive(tmp_path):
    (tmp_path / "benchmark.tar").write_text("<html>moved</html>")
    with pytest.raises(DatasetError, match="neither a zip nor a tar archive.*answer with a web page"):
        unpack(tmp_path / "benchmark.tar", {"Set5/HR": tmp_path / "out"})


def test_a_stop_ends_it(tmp_path):
    def check():
        raise StoppedError("stopped")

    with pytest.raises(StoppedError):
        unpack(plain_tar(tmp_path / "a.tar", GOOD), {"Set5/HR": tmp_path / "out"}, check)
