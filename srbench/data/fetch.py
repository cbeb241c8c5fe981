"""Data sets from their source to the data folder: downloaded, verified, unpacked, and only then there."""

import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import Timeout

from srbench.data.place import data_dir, is_complete, set_folder
from srbench.data.unpack import unpack
from srbench.errors import DatasetError, StoreError, UsageError
from srbench.facts import Archive, DatasetFacts
from srbench.files import cannot_write, only_one, parse_json, sha256_file, write_json
from srbench.images.download import DownloadError, fetch

_DOWNLOADS = ".downloads"
_UNPACKING = ".unpacking-"
_RECORDED = "checksums.json"
"""In the data folder: address → SHA-256 of the first download, where no checksum is published."""

_RETRIES = 3
_TIMEOUT_S = 20.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """Where to get archives, other than from their own address.

    Args:
        mirror: the address of a folder that has files of the same names, or of the one file needed.
        files: archives on this machine.
    """

    mirror: str | None = None
    files: tuple[Path, ...] = ()


def fetch_sets(
    names: Sequence[str],
    known: Mapping[str, DatasetFacts],
    root: Path | None = None,
    source: Source = Source(),
    check: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = lambda line: None,
    timeout_s: float = _TIMEOUT_S,
) -> None:
    """Put sets into the data folder. What is there already stays as it is.

    An archive that holds several known sets is unpacked for all of them: its download is the dear part. The
    archive is removed once it is unpacked; one of `source.files` is left where it is.

    Args:
        names: of the sets wanted, keys of `known`.
        known: every set there are facts of.
        root: the data folder, if not this machine's.
        source: where to get archives.
        check: called between two pieces; raises to stop. A download goes on from there next time.
        say: told what has been done, a line at a time.
        timeout_s: longest wait for a server.

    Raises:
        DatasetError: a set that cannot be downloaded, an archive that is wrong, damaged or hostile.
        StoreError: the data folder cannot be written, or another process works in it.
    """
    root = (root or data_dir()).expanduser()
    waiting: dict[str, Archive] = {}
    for name in names:
        facts = known[name]
        if not facts.archives:
            raise DatasetError(f"{name} cannot be downloaded by srbench. {facts.by_hand}".rstrip())
        if is_complete(name, facts, root):
            say(f"{name} is there already: {set_folder(name, root)}. srbench data verify {name} checks it.")
            continue
        for archive in facts.archives:
            if not all((set_folder(name, root) / part).is_dir() for part in archive.folders.values()):
                waiting.setdefault(archive.url, archive)
    if not waiting:
        return
    chosen = _assigned(list(waiting.values()), source)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with only_one(root / ".lock"):
            for left in root.glob(f"{_UNPACKING}*"):  # of a process that was killed: the lock is ours
                shutil.rmtree(left, ignore_errors=True)
            for archive in waiting.values():
                _fetch_archive(archive, chosen.get(archive.url), known, root, source, check, say, timeout_s)
    except Timeout as error:
        raise StoreError(f"Another process is fetching into {root}. Wait for it to end.") from error
    except OSError as error:
        raise cannot_write(Path(error.filename or root), error) from error


def _assigned(archives: Sequence[Archive], source: Source) -> dict[str, Path]:
    """Address → file on this machine, for the archives that `source.files` has."""
    for file in source.files:
        if not file.is_file():
            raise UsageError(f"--archive {file} is no file. Correct the path.")
    if not source.files:
        return {}
    if len(archives) == len(source.files) == 1:
        return {archives[0].url: source.files[0]}
    by_name = {file.name: file for file in source.files}
    missing = [one.name for one in archives if one.name not in by_name]
    if missing:
        raise UsageError(
            f"Several archives are needed, and they are told apart by file name: {', '.join(missing)} is not "
            "among those given by --archive. Add it, or leave --archive out to download."
        )
    return {archive.url: by_name[archive.name] for archive in archives}


def _fetch_archive(
    archive: Archive,
    local: Path | None,
    known: Mapping[str, DatasetFacts],
    root: Path,
    source: Source,
    check: Callable[[], None],
    say: Callable[[str], None],
    timeout_s: float,
) -> None:
    if local is None:
        path = _download(archive, root, source.mirror, check, timeout_s)
    else:
        path = local
        _compare(archive, path)
    wanted = [
        (name, inside, set_folder(name, root) / part)
        for name, facts in known.items()
        for one in facts.archives
        if one.url == archive.url
        for inside, part in one.folders.items()
        if not (set_folder(name, root) / part).is_dir()
    ]
    with tempfile.TemporaryDirectory(prefix=_UNPACKING, dir=root) as temporary:
        targets = {inside: Path(temporary, str(number)) for number, (_, inside, _) in enumerate(wanted)}
        counts = unpack(path, targets, check)
        empty = [inside for inside, count in counts.items() if not count]
        # A user's own archive may hold one set of several; the source's holds what is written of it.
        if len(empty) == len(counts) or (empty and local is None):
            raise DatasetError(
                f"{path} has no folder {' or '.join(empty)} with files in it, where {archive.name} should. "
                "Name another by --mirror or --archive, or unpack it by hand and name the folder by root=DIR."
            )
        for name, inside, target in wanted:
            if counts[inside]:
                target.parent.mkdir(parents=True, exist_ok=True)
                targets[inside].rename(target)
                say(f"{name}: {counts[inside]} files in {target}")
    if local is None:
        path.unlink(missing_ok=True)


def _download(
    archive: Archive, root: Path, mirror: str | None, check: Callable[[], None], timeout_s: float
) -> Path:
    url = archive.url
    if mirror is not None:
        url = mirror if mirror.endswith(f"/{archive.name}") else f"{mirror.rstrip('/')}/{archive.name}"
    path = root / _DOWNLOADS / archive.name
    size_bytes = archive.size_mb * 10**6 if archive.size_mb else None
    checksum = f"md5:{archive.md5}" if archive.md5 else None
    try:
        fetch(
            url, checksum, path, size_bytes=size_bytes, timeout_s=timeout_s, retries=_RETRIES, resume=True,
            check=check,
        )  # fmt: skip
    except DownloadError as error:
        raise DatasetError(
            f"{error}. The same command goes on with what has arrived; --mirror URL names another address "
            f"that has {archive.name}, and --archive FILE a copy on this machine."
        ) from error
    if not archive.md5:
        _record(archive, path, root)
    return path


def _record(archive: Archive, path: Path, root: Path) -> None:
    """Keep the SHA-256 of a first download; say so where a later one is another."""
    kept = root / _RECORDED
    try:
        recorded = dict(parse_json(kept.read_bytes()))
    except (OSError, ValueError, TypeError):
        recorded = {}
    sha256 = sha256_file(path)
    if recorded.setdefault(archive.url, sha256) != sha256:
        _log.warning(
            "%s is not what it was when it was first downloaded here (SHA-256 %s, then %s). Its source "
            "publishes no checksum, so srbench cannot say which is right; srbench data verify may.",
            archive.name, sha256[:16], recorded[archive.url][:16],
        )  # fmt: skip
    write_json(kept, recorded)


def _compare(archive: Archive, path: Path) -> None:
    """Say where a file on this machine is not the published archive; it may be a copy packed again."""
    import pooch

    if archive.md5 and pooch.file_hash(str(path), "md5") != archive.md5:
        _log.warning(
            "%s is not the published %s: its MD5 differs. It is unpacked all the same; srbench data verify "
            "compares the pictures.", path, archive.name,
        )  # fmt: skip
