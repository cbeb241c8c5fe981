"""Archives from the network, unpacked as if they were hostile."""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from srbench.errors import DatasetError
from srbench.files import cannot_write

_CHUNK_BYTES = 1 << 20

_COMPRESSIONS: Mapping[bytes, Callable[[IO[bytes]], IO[bytes]]] = {
    b"\x1f\x8b": lambda file: cast(IO[bytes], gzip.GzipFile(fileobj=file)),
    b"BZh": lambda file: cast(IO[bytes], bz2.BZ2File(file)),
    b"\xfd7zXZ": lambda file: cast(IO[bytes], lzma.LZMAFile(file)),  # noqa: SIM115
}


@dataclass(frozen=True)
class Limits:
    """What an archive of pictures never exceeds; one that does is a bomb.

    Args:
        files: members.
        size_bytes: of all members together.
        ratio: of that size to the archive's, past `harmless_bytes`. Pictures hardly compress: BMP two- to
            threefold, zeros a thousandfold.
        harmless_bytes: any archive may unpack to this.
    """

    files: int = 200_000
    size_bytes: int = 200 * 10**9
    ratio: int = 50
    harmless_bytes: int = 100 * 10**6


LIMITS = Limits()


@dataclass(frozen=True)
class _Member:
    """A regular file of an archive; everything else has been refused or, if a folder, skipped."""

    name: str
    size_bytes: int
    open: Callable[[], IO[bytes]]


def unpack(
    archive: Path,
    folders: Mapping[str, Path],
    check: Callable[[], None] = lambda: None,
    limits: Limits = LIMITS,
) -> dict[str, int]:
    """Write the files of some folders of an archive; a single bad member refuses all of it.

    Nothing is written outside the targets: members that are absolute, climb out by `..`, or are links,
    devices or encrypted are refused, wherever in the archive they are. The caller hands in targets that
    nobody takes for a whole set, and throws them away on any error.

    Args:
        archive: zip, or tar that is plain or compressed by gzip, bzip2 or xz; known by content, not name.
        folders: folder in the archive, by its last parts → the folder to write what is below it to.
        check: called at each member and every megabyte; raises to stop.
        limits: see there.

    Returns:
        Folder of the archive → number of files written, for each of `folders`.

    Raises:
        DatasetError: no archive, a damaged one, a hostile one, or a bomb; the message names the member.
        StoreError: the disk is full.
    """
    counts = dict.fromkeys(folders, 0)
    try:
        with _members(archive, limits) as members:
            total = 0
            for number, member in enumerate(members, 1):
                check()
                parts = _safe_parts(archive, member.name)
                total += member.size_bytes
                _refuse_bomb(archive, number, total, limits)
                for folder, target in folders.items():
                    below = _below(parts, PurePosixPath(folder).parts)
                    if below:
                        with member.open() as source:
                            _write(archive, source, member, target.joinpath(*below), check)
                        counts[folder] += 1
                        break
    except (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError) as error:
        raise DatasetError(
            f"{archive} is damaged or cut off ({error}). Remove it and download it again."
        ) from error
    except (OSError, ValueError, NotImplementedError, RuntimeError) as error:
        # gzip and bz2 raise an OSError without errno for damage; a full disk has one.
        if isinstance(error, OSError) and error.errno is not None:
            raise cannot_write(Path(error.filename or archive), error) from error
        raise DatasetError(
            f"{archive} cannot be unpacked ({error}). Remove it and download it again."
        ) from error
    return counts


@contextmanager
def _members(archive: Path, limits: Limits) -> Iterator[Iterator[_Member]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield _of_zip(archive, opened)
        return
    with archive.open("rb") as file:
        magic = file.read(6)
        file.seek(0)
        openers = [opener for start, opener in _COMPRESSIONS.items() if magic.startswith(start)]
        plain = openers[0](file) if openers else file
        metered = _Metered(archive, plain, limits)
        # As a stream: nothing is sought or read ahead, so that the meter sees every byte, headers included.
        try:
            tar = tarfile.open(fileobj=cast(IO[bytes], metered), mode="r|")  # noqa: SIM115
        except tarfile.ReadError as error:
            raise DatasetError(
                f"{archive} is neither a zip nor a tar archive ({error}). A source that has moved may answer "
                "with a web page: look at the file, remove it, or name another by --mirror or --archive."
            ) from error
        with tar:
            yield _of_tar(archive, tar, metered)


def _of_zip(archive: Path, opened: zipfile.ZipFile) -> Iterator[_Member]:
    for info in opened.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _hostile(archive, info.filename, "a link or device")
        if info.flag_bits & 1:
            raise _hostile(archive, info.filename, "encrypted")
        if info.is_dir():
            _safe_parts(archive, info.filename)
        else:
            yield _Member(info.filename, info.file_size, lambda info=info: opened.open(info))  # type: ignore[misc]


def _of_tar(archive: Path, tar: tarfile.TarFile, metered: "_Metered") -> Iterator[_Member]:
    for info in tar:
        if info.isdir():
            _safe_parts(archive, info.name)
        elif info.isreg() and not info.issparse():
            yield _Member(info.name, info.size, lambda info=info: cast(IO[bytes], tar.extractfile(info)))  # type: ignore[misc]
        else:
            raise _hostile(archive, info.name, "a link, device or sparse file")
    if any(metered.tail):  # tarfile takes an end between two members for the end of the archive
        raise tarfile.ReadError("the end marker is missing")


class _Metered(io.RawIOBase):
    """What is decompressed, until it is more than a sound archive of that size can hold."""

    def __init__(self, archive: Path, source: IO[bytes], limits: Limits) -> None:
        self._archive, self._source, self._limits = archive, source, limits
        self._total = 0
        self.tail = b""

    def read(self, size: int = -1) -> Any:
        piece = self._source.read(size)
        self._total += len(piece)
        self.tail = (self.tail + piece)[-tarfile.BLOCKSIZE :]
        _refuse_bomb(self._archive, 0, self._total, self._limits)
        return piece


def _refuse_bomb(archive: Path, files: int, size_bytes: int, limits: Limits) -> None:
    packed = archive.stat().st_size
    if files > limits.files:
        what = f"more than {limits.files:,} files"
    elif size_bytes > limits.size_bytes:
        what = f"more than {limits.size_bytes / 1e9:,.0f} GB"
    elif size_bytes > max(limits.harmless_bytes, limits.ratio * packed):
        what = f"more than {limits.ratio} times its own {packed / 1e6:,.1f} MB"
    else:
        return
    raise DatasetError(
        f"{archive} holds {what}, which no archive of pictures does: it is refused as a bomb. Unpack it by "
        "hand if you trust it, and name the folder by root=DIR."
    )


def _safe_parts(archive: Path, name: str) -> tuple[str, ...]:
    """The parts of a member's path, once it can only lead down."""
    # A backslash or colon is a separator or a drive somewhere; no public set has them in a name.
    if not name or name.startswith("/") or set(name) & set("\\:\0") or ".." in name.split("/"):
        raise _hostile(archive, name, "a path that leaves the folder")
    return PurePosixPath(name).parts


def _below(parts: tuple[str, ...], folder: tuple[str, ...]) -> tuple[str, ...]:
    """The rest of a path below `folder`, wherever in it that stands; empty where it does not."""
    for start in range(len(parts) - len(folder)):
        if parts[start : start + len(folder)] == folder:
            return parts[start + len(folder) :]
    return ()


def _write(
    archive: Path, source: IO[bytes], member: _Member, target: Path, check: Callable[[], None]
) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        # "x": a second member of that name, which could hide the first, is refused.
        with target.open("xb") as file:
            while piece := source.read(_CHUNK_BYTES):
                check()
                file.write(piece)
    except FileExistsError as error:
        raise _hostile(archive, member.name, "there twice") from error
    if target.stat().st_size != member.size_bytes:
        raise DatasetError(
            f"{archive} is damaged: {member.name!r} ends early. Remove it and download it again."
        )


def _hostile(archive: Path, name: str, what: str) -> DatasetError:
    return DatasetError(
        f"{archive} is refused: its member {name!r} is {what}. No public set has such a thing; get the "
        "archive from its own source, or unpack it by hand and name the folder by root=DIR."
    )
