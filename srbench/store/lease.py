"""Who works on a run, by its own word: a name and a heartbeat, where locks do not reach from host to host.

The lock of the operating system (`srbench.store.lock`) is taken first, and is enough on one machine. Of
another host it may know nothing, so each process also writes who it is, and a heartbeat beside it. One that
wants the run takes the name away when its holder is dead for sure, or when no heartbeat came for so long.
"""

import errno
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from srbench.errors import RunLockedError
from srbench.files import canonical_json, parse_json
from srbench.store.layout import RunPaths

BEAT_S = 20.0
"""How often a process says that it lives."""
STALE_S = 120.0
"""A heartbeat that did not change for so long, watched by one clock, is that of a dead process."""
_SURE_S = 600.0
"""A heartbeat this old by our clock is old, however much the clocks of two hosts differ."""
_TORN_S = 1.0
"""A name that cannot be read after this time is not being written."""
_LOOK_EVERY_S = 0.5
_HOST = socket.gethostname()
"""Asked once: the name of a laptop changes with its network, and its run stays its own."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Owner:
    """A process that works on a run: where it is, which, and since when (UTC, ISO 8601)."""

    host: str
    pid: int
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"

    @property
    def is_me(self) -> bool:
        """Whether it is this process."""
        return (self.host, self.pid) == (_HOST, os.getpid())

    @property
    def is_alive(self) -> bool | None:
        """Whether the process exists; None where that cannot be seen from here."""
        if self.host != _HOST:
            return None
        try:
            process = psutil.Process(self.pid)
            begun = process.create_time()
            if process.status() == psutil.STATUS_ZOMBIE:  # dead; where nobody waits for it, it stays listed
                return False
        except psutil.NoSuchProcess:
            return False
        except psutil.Error:
            return None
        # A later process of that number is another one; `since` has whole seconds.
        return begun < datetime.fromisoformat(self.since).timestamp() + 1


def read_owner(paths: RunPaths) -> Owner | None:
    """Who holds the run, by its own word; None where nobody says so."""
    return _parsed(_content(paths.lock_owner))


def claim(paths: RunPaths, check: Callable[[], None]) -> None:
    """Write that this process holds the run; of several that try, one comes through.

    Where a holder on another host may be dead, waits for a heartbeat: at most `STALE_S`.

    Args:
        paths: the run's files; the caller holds its lock.
        check: called while waiting; raises to stop.

    Raises:
        RunLockedError: another process holds it, and lives.
        OSError: the folder cannot be written, or the name of its holder cannot be read.
    """
    me = Owner(_HOST, os.getpid(), datetime.now(UTC).isoformat(timespec="seconds"))
    last: tuple[bytes, bytes | None] | None = None
    unchanged_since = 0.0
    while not _created(paths.lock_owner, canonical_json(asdict(me)).encode() + b"\n"):
        try:
            name = paths.lock_owner.read_bytes()
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ESTALE):  # given up meanwhile, here or on another host
                continue
            raise
        owner, now = _parsed(name), (name, _content(paths.lock_beat))
        if owner is not None and owner.is_alive and not owner.is_me:
            raise held_by(paths, owner)
        if now != last:
            if last is not None:
                raise held_by(paths, owner)
            last, unchanged_since = now, time.monotonic()
            if owner is not None and not _is_dead(owner, paths):
                _log.info(
                    "%s was last worked on by %s, which may be at it still: waiting up to %.0f s for a sign "
                    "of life.", paths.id, owner, STALE_S,
                )  # fmt: skip
        patience_s = _TORN_S if owner is None else STALE_S
        if (owner is not None and _is_dead(owner, paths)) or time.monotonic() - unchanged_since >= patience_s:
            _take_away(paths.lock_owner, name)
            last = None
            continue
        check()
        time.sleep(min(_LOOK_EVERY_S, patience_s))
    _beat(paths)


def give_up(paths: RunPaths) -> None:
    """Say no more that this process holds the run, if it still does."""
    with suppress(OSError):  # the folder may be gone or read-only by now; what happened there is said
        owner = read_owner(paths)
        if owner is not None and owner.is_me:
            paths.lock_beat.unlink(missing_ok=True)
            paths.lock_owner.unlink(missing_ok=True)


def seems_held(paths: RunPaths) -> bool:
    """Whether a process says so that lives, or of which a heartbeat came lately by the clock of this host.

    One from the future tells nothing, as one from long ago: who wants the run, watches it in `claim`.
    """
    owner = read_owner(paths)
    if owner is None:
        return False
    alive = owner.is_alive
    return abs(_age_s(owner, paths)) < STALE_S if alive is None else alive


def held_by(paths: RunPaths, owner: Owner | None) -> RunLockedError:
    """The error of the one that comes second."""
    return RunLockedError(
        f"{paths.id} is being worked on by {owner or 'another process'}. Wait for it to end, or stop it "
        "there; one run is never trained by two processes."
    )


class Heart:
    """A heartbeat beside the work, while the context lasts and the run is this process's."""

    def __init__(self, paths: RunPaths) -> None:
        self._paths, self._over = paths, threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._over.wait(BEAT_S):
            owner = read_owner(self._paths)
            if owner is not None and owner.is_me:
                _beat(self._paths)


def _beat(paths: RunPaths) -> None:
    """In a file of its own, so that a process that was slow to notice never takes the name back."""
    with suppress(OSError):  # the next one may come through; until then the work itself meets the same fault
        paths.lock_beat.write_text(datetime.now(UTC).isoformat() + "\n")


def _is_dead(owner: Owner, paths: RunPaths) -> bool:
    return owner.is_me or owner.is_alive is False or _age_s(owner, paths) > _SURE_S


def _age_s(owner: Owner, paths: RunPaths) -> float:
    """Seconds since the last heartbeat, by the clocks of two hosts."""
    beat = (_content(paths.lock_beat) or b"").decode(errors="replace").strip()
    times = [owner.since, beat] if beat else [owner.since]
    told = []
    for text in times:
        with suppress(ValueError, TypeError):  # half written
            told.append((datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds())
    return min(told, default=0.0)


def _created(path: Path, content: bytes) -> bool:
    """Make a file with this content, unless there is one of its name; whole at once where links exist."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        temporary.write_bytes(content)
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            try:
                with path.open("xb") as file:
                    file.write(content)
            except FileExistsError:
                return False
        return True
    finally:
        temporary.unlink(missing_ok=True)


def _take_away(path: Path, content: bytes) -> None:
    """Remove a file if it still has this content: of several processes, one renames what all have read."""
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return
    found = _content(aside)
    if found is not None and found != content:  # somebody was quicker, and holds it
        _created(path, found)
    aside.unlink(missing_ok=True)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _parsed(content: bytes | None) -> Owner | None:
    try:
        found = parse_json(content or b"")
        owner = Owner(str(found["host"]), int(found["pid"]), str(found["since"]))
        datetime.fromisoformat(owner.since)
        return owner
    except (ValueError, TypeError, KeyError):
        return None
