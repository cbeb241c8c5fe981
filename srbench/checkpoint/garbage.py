"""What may go of a store's checkpoints: of finished runs all but the last and the best, and leftovers.

Nothing needs them: a finished run is scored by its last checkpoint and goes on from it. A run that was forked
from another, or began with its weights, has had them in checkpoints of its own since it began, and keeps no
more than their hash.
"""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from srbench.checkpoint.format import ASIDE, HASHED, MANIFEST, folders
from srbench.checkpoint.listing import best_step
from srbench.errors import CheckpointError, StoreError
from srbench.files import parse_json, read_regular, sha256_file
from srbench.store.layout import RunPaths
from srbench.store.lock import is_locked, run_lock
from srbench.store.runs import read_record

Keep = Literal["best", "last"]
"""`best`: the last and the best; `last`: the last alone."""


@dataclass(frozen=True)
class Garbage:
    """What may go of one run.

    Args:
        paths: the run's.
        steps: of checkpoints; `folders` are theirs.
        folders: to be removed.
        leftovers: what a process left that was killed while it wrote.
        size_bytes: of all of it.
    """

    paths: RunPaths
    steps: tuple[int, ...]
    folders: tuple[Path, ...]
    leftovers: tuple[Path, ...]
    size_bytes: int


def find_garbage(paths: RunPaths, keep: Keep) -> Garbage | None:
    """What may go of a run; None where nothing may: it is not done, or a process works on it."""
    if not paths.checkpoints.is_dir():
        return None
    record = read_record(paths)
    if record is None or record.status != "done" or is_locked(paths):
        return None
    return _found(paths, keep)


def remove_garbage(garbage: Garbage, keep: Keep) -> int:
    """Remove it, and return the bytes that this freed. The run is held meanwhile, and is looked at anew.

    Raises:
        CheckpointError: the last checkpoint is not sound, so that all are kept.
        RunLockedError: a process has begun to work on the run.
        StoreError: a file cannot be removed.
    """
    paths = garbage.paths
    with run_lock(paths):
        now = _found(paths, keep)
        record = read_record(paths)
        if now is None or record is None or record.status != "done":
            return 0
        if now.folders:
            _check_whole(paths, folders(paths.checkpoints)[-1][1])
        try:
            for path in (*now.folders, *now.leftovers):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{error.filename} cannot be removed ({error.strerror}).") from error
    return now.size_bytes


def _found(paths: RunPaths, keep: Keep) -> Garbage | None:
    there = folders(paths.checkpoints)
    kept = {step for step, _ in there[-1:]} | ({best_step(paths.checkpoints)} if keep == "best" else set())
    going = [(step, folder) for step, folder in there if step not in kept]
    leftovers = tuple(_leftovers(paths.checkpoints))
    if not going and not leftovers:
        return None
    size_bytes = sum(_size(path) for path in (*(folder for _, folder in going), *leftovers))
    steps, found = (tuple(one[at] for one in going) for at in (0, 1))
    return Garbage(paths, steps, found, leftovers, size_bytes)  # type: ignore[arg-type]


def _leftovers(root: Path) -> Iterator[Path]:
    """Temporary folders; and checkpoints that were put aside, where what took their place is whole."""
    yield from root.glob(".step-*.tmp")
    for aside in root.glob(f".step-*{ASIDE}"):
        if _fault(root / aside.name[1:].removesuffix(ASIDE)) is None:
            yield aside


def _check_whole(paths: RunPaths, last: Path) -> None:
    fault = _fault(last)
    if fault is not None:
        raise CheckpointError(
            f"{paths.id}: its last checkpoint {last.name} is damaged ({fault}), so that its others are kept. "
            "The srbench run command that made it mends it from the one before."
        )


def _fault(folder: Path) -> str | None:
    """What is wrong with a checkpoint by the hashes of its files; None: nothing."""
    try:
        hashes = parse_json(read_regular(folder / MANIFEST))["sha256"]
        wrong = [name for name in HASHED if sha256_file(folder / name) != hashes[name]]
        return f"SHA-256 of {wrong[0]} differs" if wrong else None
    except (OSError, ValueError, TypeError, KeyError) as error:
        return f"{type(error).__name__}: {error}"


def _size(path: Path) -> int:
    total = 0
    with suppress(OSError):  # gone meanwhile
        total = sum(one.lstat().st_size for one in (path, *path.rglob("*")) if not one.is_dir())
    return total
