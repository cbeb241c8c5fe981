"""A folder as weak as a mounted cloud drive, and a process of srbench on it that can be killed in a rename.

Run as a script it loads srbench once, reads a trial a line, and forks a child for each. The child is a real
process: where it is killed, nothing of it goes on.
"""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

PIECES = 3
"""A file is copied in so many."""
LATE_S = 1.0
"""For so long a new file says that it is empty, and its time is that of two seconds before."""


class End(NamedTuple):
    """How a trial ended: exit code, negative for a signal; what it said; points of a rename it went past."""

    code: int
    said: str
    points: int


class Drives:
    """The process that forks a child for each trial."""

    def __enter__(self) -> Self:
        command = [sys.executable, __file__]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # a fork takes no threads along
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, arguments: Sequence[str], folder: Path, **how: Any) -> End:
        """One command on a weak folder; `how` is for `weaken`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([list(arguments), str(folder), how]) + "\n")
        self._process.stdin.flush()
        return End(*json.loads(self._process.stdout.readline()))


def weaken(
    folder: str,
    *,
    kill_at: int | None = None,
    backwards: bool = False,
    fsync: int = 0,
    flock: int | None = 0,
    chmod: int = 0,
    late: bool = False,
) -> Callable[[], int]:
    """Make everything below `folder` weak, for this process; gives how many points were gone past.

    Args:
        folder: of the drive.
        kill_at: SIGKILL at this point: before, between and after the pieces that a rename copies and deletes.
        backwards: files of a folder are copied in the other order.
        fsync: error number that syncing ends in; 0: it does nothing.
        flock: error number that locking ends in; 0: every lock is given to everybody; None: locks work.
        chmod: error number that setting permissions ends in; 0: it works.
        late: what was just written says that it is empty and old.
    """
    import fcntl

    points = 0
    real_stat, real_chmod, real_rename = os.stat, os.chmod, os.replace

    def is_there(path: Any) -> bool:
        return not isinstance(path, int) and str(os.fspath(path)).startswith(folder)

    def point() -> None:
        nonlocal points
        points += 1
        if points == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def copy(source: str, target: str) -> None:
        content = Path(source).read_bytes()
        size = -(-len(content) // PIECES)
        with open(target, "wb", buffering=0) as file:  # noqa: PTH123
            point()
            for start in range(0, len(content), max(size, 1)):
                file.write(content[start : start + size])
                point()

    def rename(source: Any, target: Any, **_: Any) -> None:
        source, target = os.fspath(source), os.fspath(target)
        if not is_there(target):
            real_rename(source, target)
            return
        point()
        if not os.path.isdir(source):  # noqa: PTH112
            copy(source, target)
            os.unlink(source)  # noqa: PTH108
            point()
            return
        os.makedirs(target, exist_ok=True)  # noqa: PTH103
        if os.listdir(target):  # noqa: PTH208
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), source)
        names = sorted(os.listdir(source), reverse=backwards)  # noqa: PTH208
        for name in names:
            copy(f"{source}/{name}", f"{target}/{name}")
        for name in names:
            os.unlink(f"{source}/{name}")  # noqa: PTH108
            point()
        os.rmdir(source)  # noqa: PTH106

    def fail(number: int, path: Any = None) -> None:
        if number:
            raise OSError(number, os.strerror(number), path)

    def set_permissions(path: Any, mode: int, **more: Any) -> None:
        if is_there(path):
            fail(chmod, path)
        real_chmod(path, mode, **more)

    class Late:
        """A file's status before it has arrived."""

        def __init__(self, status: os.stat_result) -> None:
            self._status = status
            self.st_size = 0
            self.st_mtime = (status.st_mtime - 2) // 2 * 2

        def __getattr__(self, name: str) -> Any:
            return getattr(self._status, name)

    def status(path: Any, **more: Any) -> Any:
        found = real_stat(path, **more)
        is_late = is_there(path) and stat.S_ISREG(found.st_mode) and time.time() - found.st_mtime < LATE_S
        return Late(found) if is_late else found

    os.rename = os.replace = rename
    os.fsync = lambda _: fail(fsync)
    os.chmod = set_permissions
    if flock is not None:
        fcntl.flock = lambda *_: fail(flock)
    if late:
        os.stat = status
    return lambda: points


def _serve() -> None:
    import srbench.executors.local  # noqa: F401
    from srbench.cli.app import main

    for line in sys.stdin:
        arguments, folder, how = json.loads(line)
        with tempfile.TemporaryDirectory() as scratch:
            said, counted = Path(scratch, "said"), Path(scratch, "points")
            child = os.fork()
            if child == 0:
                handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                os.dup2(handle, 1)
                os.dup2(handle, 2)
                points = weaken(folder, **how)
                sys.argv = ["srbench", *arguments]
                code = 0
                try:
                    main()
                except SystemExit as end:
                    code = int(end.code or 0)
                except BaseException:
                    import traceback

                    traceback.print_exc()
                    code = 99
                counted.write_text(str(points()))
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
            _, how_it_ended = os.waitpid(child, 0)
            gone_past = int(counted.read_text()) if counted.exists() else 0
            end = End(os.waitstatus_to_exitcode(how_it_ended), said.read_text(), gone_past)
        print(json.dumps(end), flush=True)  # noqa: T201


if __name__ == "__main__":
    _serve()
