"""One process a run: a lock of the operating system, which no dead process holds, and a lease beside it."""

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import Timeout

from srbench.errors import RunLockedError, StoreError
from srbench.files import cannot_write, only_one, parse_json
from srbench.store.layout import RunPaths
from srbench.store.lease import Heart, claim, give_up, held_by, read_owner, seems_held

_STALE_S = 3600.0
_PEEK_S = 0.3
"""Who only looks whether a run is held holds it for less than this."""

_log = logging.getLogger(__name__)


@contextmanager
def run_lock(paths: RunPaths, check: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the run while the block works on it.

    Where a process on another host held it last and may be dead, waits for a sign of life first.

    Args:
        paths: the run's files.
        check: called while waiting; raises to stop.

    Raises:
        RunLockedError: another process holds it; the message names host, process and since when.
        StoreError: the folder cannot be written.
    """
    lock = ExitStack()
    try:
        is_new = not paths.directory.exists()
        paths.directory.mkdir(parents=True, exist_ok=True)
        lock.enter_context(only_one(paths.lock, _PEEK_S))
    except Timeout as error:
        raise held_by(paths, read_owner(paths)) from error
    except OSError as error:
        raise cannot_write(paths.directory, error) from error
    try:
        _finish_renames(paths)
        _sweep(paths)
        try:
            claim(paths, check)
        except OSError as error:
            raise cannot_write(paths.lock_owner, error) from error
        with Heart(paths):
            yield
    finally:
        give_up(paths)
        lock.close()
        if is_new and not paths.run.exists():
            remove_if_empty(paths)


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
    owner = read_owner(paths)
    if owner is not None and not owner.is_me:
        raise RunLockedError(
            f"{paths.id} was taken over by {owner} while this process worked on it, so this process "
            "ends. Nothing is lost: what it had saved is there. Never work on one run from two places."
        )


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


def remove_if_empty(paths: RunPaths) -> None:
    """Bad input leaves no folder behind; one that holds anything but the lock and a log is kept."""
    with suppress(OSError):
        if set(paths.directory.iterdir()) <= {paths.lock, paths.log}:
            shutil.rmtree(paths.directory, ignore_errors=True)


def is_locked(paths: RunPaths) -> bool:
    """Whether some process works on the run now."""
    if not (paths.lock.exists() or paths.lock_owner.exists()):
        return False
    try:
        with only_one(paths.lock):
            return seems_held(paths)
    except Timeout:
        return True
    except OSError:
        return False  # a store that cannot be written: nobody trains there
