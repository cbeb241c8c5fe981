"""What checkpoints a run has, without torch: steps, sizes, ages, and which is the best."""

from dataclasses import dataclass
from pathlib import Path

from srbench.checkpoint.format import STATE_JSON, folders
from srbench.files import parse_json, read_regular


@dataclass(frozen=True)
class Stored:
    """One checkpoint as it lies there, not verified.

    Args:
        step: steps trained.
        folder: its files.
        size_bytes: of all of them.
        saved_at: when it was written, in seconds since 1970.
        is_best: whether it has the best validation so far.
        is_last: whether it is the newest.
    """

    step: int
    folder: Path
    size_bytes: int
    saved_at: float
    is_best: bool
    is_last: bool


def stored(root: Path) -> list[Stored]:
    """The checkpoints under `root`, oldest first; one that is removed meanwhile is left out."""
    found = folders(root)
    best = best_step(root)
    listed = []
    for step, folder in found:
        try:
            size_bytes = sum(path.stat().st_size for path in folder.iterdir()) if folder.is_dir() else 0
            saved_at = folder.stat().st_mtime
        except OSError:
            continue
        listed.append(Stored(step, folder, size_bytes, saved_at, step == best, step == found[-1][0]))
    return listed


def best_step(root: Path) -> int | None:
    """The step of the best validation, as the newest checkpoint that can be read has it; None: none yet."""
    for _, folder in reversed(folders(root)):
        try:
            best = parse_json(read_regular(folder / STATE_JSON))["progress"]["best"]
            return None if best is None else int(best["step"])
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return None
