"""Files that are whole or not there: atomic writes, locks, hashes, canonical JSON."""

import errno
import hashlib
import json
import logging
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from filelock import FileLock

from srbench.errors import StoreError

_log = logging.getLogger(__name__)

_NOT_THERE = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
"""What a file system answers that does not have what was asked for: no fault of the file."""
_NO_LOCKS = _NOT_THERE | {errno.ENOLCK}
_LONGEST_PREFIX = 200  # bytes
_unlocked: set[int] = set()
"""File systems that a warning has named already."""


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, no spaces, UTF-8 kept; equal values give equal text, so it can be hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def read_regular(path: Path) -> bytes:
    """The bytes of a regular file; what is none (a pipe would block for ever) is not opened.

    Raises:
        OSError: it is none, is not there, or cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return path.read_bytes()


def parse_json(content: str | bytes) -> Any:
    """The value of a JSON text that may be damaged in any way.

    Raises:
        ValueError: it is no JSON; also where it nests deeper than Python reads, or is no text.
    """
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def sha256_text(text: str) -> str:
    """SHA-256 of the UTF-8 bytes of `text`, as 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hex digits; reads it in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_directory(path: Path) -> None:
    """Make a rename inside `path` survive a power cut; quietly does nothing where a folder has no fsync."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def sync_file(file: IO[Any]) -> None:
    """Bring what was written to the disk, as far as the file system can: mounted drives often cannot.

    Raises:
        OSError: the disk is full or broken.
    """
    file.flush()
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise


@contextmanager
def only_one(path: Path, patience_s: float = 0.0) -> Iterator[None]:
    """Hold the lock file `path` while the block runs; it is the system's, so a dead process holds none.

    Where the file system has no locks, the block runs without one, and a warning says so once.

    Args:
        path: of the lock file.
        patience_s: how long to wait for it.

    Raises:
        filelock.Timeout: another process holds it.
        OSError: the folder cannot be written.
    """
    if not _has_locks(path.parent):
        yield
        return
    with FileLock(path).acquire(timeout=patience_s, poll_interval=0.02):
        yield


def _has_locks(folder: Path) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows has its own, everywhere
        return True
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            system = os.fstat(file.fileno()).st_dev
            if system not in _unlocked:
                _unlocked.add(system)
                _log.warning(
                    "The file system of %s has no locks (%s). Runs are kept apart there by what each process "
                    "writes of itself alone; see docs/executors.md.", folder, error.strerror,
                )  # fmt: skip
            return False
    return True


def write_atomic(path: Path, content: bytes) -> None:
    """Write `content` under a temporary name, fsync, rename: a reader sees the old file or the new one.

    Raises:
        StoreError: the disk is full, or the folder cannot be written; the old file is untouched.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A name may fill all that file systems have for one: then it is the beginning of it.
        prefix = "." + os.fsencode(path.name)[:_LONGEST_PREFIX].decode(errors="ignore")
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{prefix}.", suffix=".tmp")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            sync_file(file)
        # mkstemp makes files private; results are meant to be shared like any other file.
        with suppress(OSError):  # some mounted drives know no permissions
            temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically; NaN is refused, so that any parser can read it."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_atomic(path, (text + "\n").encode())


def cannot_write(path: Path, error: OSError) -> StoreError:
    """The one sentence for a failed write, with the cause and what to do."""
    reason = error.strerror or str(error)
    return StoreError(
        f"{path} cannot be written ({reason}). Free some space or correct the folder's permissions, or name "
        "another store by --results DIR; what was stored before is untouched, and the same command goes on."
    )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
