"""One process a run: a lock of the operating system, which a dead process cannot leave behind."""

import logging
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import Timeout

from srbench.errors import RunLockedError, StoreError
from srbench.files import cannot_write, only_one, parse_json, write_json
from srbench.store.layout import RunPaths

_STALE_S = 3600.0
_HOST = socket.gethostname()
"""Asked once: the name of a laptop changes with its network, and its run stays its own."""

_log = logging.getLogger(__name__)


@contextmanager
def run_lock(paths: RunPaths) -> Iterator[None]:
    """Hold the run while the block works on it.

    Raises:
        RunLockedError: another process holds it; the message names host, process and since when.
        StoreError: the folder cannot be written.
    """
    lock = ExitStack()
    try:
        is_new = not paths.directory.exists()
        paths.directory.mkdir(parents=True, exist_ok=True)
        lock.enter_context(only_one(paths.lock))
    except Timeout as error:
        raise RunLockedError(
            f"{paths.id} is being worked on by {_said(_owner(paths))}. Wait for it to end, or stop it there; "
            "one run is never trained by two processes."
        ) from error
    except OSError as error:
        raise cannot_write(paths.directory, error) from error
    try:
        _finish_renames(paths)
        _sweep(paths)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(paths.lock_owner, {**_me(), "since": since})
        yield
    finally:
        with suppress(OSError):  # the folder may be gone or read-only by now; what happened there is said
            if _is_mine(_owner(paths)):
                paths.lock_owner.unlink(missing_ok=True)
        lock.close()
        if is_new and not paths.run.exists():
            with suppress(OSError):
                _remove_empty(paths)


def check_held(paths: RunPaths) -> None:
    """That the run is still ours to write: its folder is there, and no other process has come to work on it.

    The second can happen where the file system has no locks, or where the folder was removed and made anew.

    Raises:
        StoreError: the folder is gone.
        RunLockedError: another process works on it.
    """
    if not paths.directory.is_dir():
        raise StoreError(
            f"{paths.directory} was removed or renamed while {paths.id} was worked on, so this process ends, "
            "and writes nothing there. Put it back, and the same command goes on from its last checkpoint; "
            "without it the same command begins again."
        )
    owner = _owner(paths)
    if owner is not None and not _is_mine(owner):
        raise RunLockedError(
            f"{paths.id} was taken over by {_said(owner)} while this process worked on it, so this process "
            "ends. Nothing is lost: what it had saved is there. Never work on one run from two places."
        )


def _me() -> dict[str, Any]:
    return {"host": _HOST, "pid": os.getpid()}


def _owner(paths: RunPaths) -> dict[str, Any] | None:
    """Who holds the run, by its own word; None where nobody says so."""
    try:
        owner = parse_json(paths.lock_owner.read_bytes())
        return {key: owner[key] for key in ("host", "pid", "since")}
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _is_mine(owner: dict[str, Any] | None) -> bool:
    return owner is not None and _me().items() <= owner.items()


def _said(owner: dict[str, Any] | None) -> str:
    if owner is None:
        return "another process"
    return f"process {owner['pid']} on {owner['host']} since {owner['since']}"


def _finish_renames(paths: RunPaths) -> None:
    """Where renaming is copying, a process killed in it leaves a file cut short beside the whole of it."""
    for left in paths.directory.glob(".*.tmp"):
        path = paths.directory / left.name[1:].rpartition(".")[0].rpartition(".")[0]
        try:
            whole, content = left.read_bytes(), path.read_bytes() if path.exists() else b""
            is_cut = len(content) < len(whole) and whole.startswith(content)
            # cost.json needs no lock, and who holds it is written next. A summary may have been taken away,
            # as its error says, and is made of scores again.
            is_ours = path not in (paths.cost, paths.lock_owner) and (path.exists() or path != paths.summary)
            if is_ours and is_cut and (content or _is_whole(path, whole)):
                left.replace(path)
                _log.warning("%s was cut short when a process was killed; it is whole again.", path)
        except OSError:  # as below
            continue


def _is_whole(path: Path, content: bytes) -> bool:
    """Whether this is all of a file: a temporary one may itself be cut short."""
    if path.suffix in (".jsonl", ".parquet"):
        return content.endswith((b"\n", b"PAR1"))
    try:
        return path.suffix == ".json" and parse_json(content) is not None
    except ValueError:
        return False


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
    try:
        with only_one(paths.lock):
            return False
    except Timeout:
        return True
    except OSError:
        return False  # a store that cannot be written: nobody trains there
