"""One process a run: a lock of the operating system, which a dead process cannot leave behind."""

import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from filelock import FileLock, Timeout

from srbench.errors import RunLockedError
from srbench.files import cannot_write, parse_json, write_json
from srbench.store.layout import RunPaths

_STALE_S = 3600.0


@contextmanager
def run_lock(paths: RunPaths) -> Iterator[None]:
    """Hold the run while the block works on it.

    Raises:
        RunLockedError: another process holds it; the message names host, process and since when.
        StoreError: the folder cannot be written.
    """
    lock = FileLock(paths.lock)
    try:
        is_new = not paths.directory.exists()
        paths.directory.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunLockedError(
            f"{paths.id} is being worked on by {_owner(paths)}. Wait for it to end, or stop it there; "
            "one run is never trained by two processes."
        ) from error
    except OSError as error:
        raise cannot_write(paths.directory, error) from error
    try:
        _sweep(paths)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(paths.lock_owner, {"host": socket.gethostname(), "pid": os.getpid(), "since": since})
        yield
    finally:
        with suppress(OSError):  # the folder may be gone or read-only by now; what happened there is said
            paths.lock_owner.unlink(missing_ok=True)
        lock.release()
        if is_new and not paths.run.exists():
            with suppress(OSError):
                _remove_empty(paths)


def _sweep(paths: RunPaths) -> None:
    """Remove what a process that was killed while it replaced a file has left half written."""
    for path in paths.directory.glob(".*.tmp"):
        try:
            # srbench table --cost writes without the lock: what is new may still be at work.
            if path.is_file() and time.time() - path.stat().st_mtime > _STALE_S:
                path.unlink()
        except OSError:  # gone meanwhile, or a store that cannot be written: whoever writes there says so
            continue


def _remove_empty(paths: RunPaths) -> None:
    """Bad input leaves no folder behind; one that holds anything but the lock is kept."""
    if set(paths.directory.iterdir()) <= {paths.lock}:
        shutil.rmtree(paths.directory, ignore_errors=True)


def is_locked(paths: RunPaths) -> bool:
    """Whether some process works on the run now."""
    if not paths.lock.exists():
        return False
    probe = FileLock(paths.lock)
    try:
        probe.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False  # a store that cannot be written: nobody trains there
    probe.release()
    return False


def _owner(paths: RunPaths) -> str:
    try:
        owner = parse_json(paths.lock_owner.read_bytes())
        return f"process {owner['pid']} on {owner['host']} since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
