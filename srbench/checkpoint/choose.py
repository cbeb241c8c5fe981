"""One of a run's checkpoints, as it is asked for: the newest, the best, or that of a step."""

import re
from pathlib import Path

from srbench.checkpoint.format import Checkpoint, folder_name, folders
from srbench.checkpoint.read import read_checkpoint, read_latest
from srbench.errors import CheckpointError, NewerError, UsageError


def chosen(root: Path, spec_sha256: str, run_id: str, which: str | None) -> Checkpoint:
    """The newest sound checkpoint under `root`, or the very one that is asked for.

    Args:
        root: the run's `checkpoints` folder.
        spec_sha256: hash of the run's canonical spec.
        run_id: for messages.
        which: a step or `best`; None: the newest.

    Raises:
        UsageError: there is no such checkpoint; the message lists those that are kept.
        NewerError: a newer srbench wrote it.
        CheckpointError: it is damaged, or belongs to another run.
    """
    if which is not None and re.fullmatch("[0-9]{1,18}", which):
        return _at(root, spec_sha256, run_id, int(which))
    if which not in (None, "best"):
        raise _none(root, run_id, which)
    newest = read_latest(root, spec_sha256, run_id)
    if newest is None:
        raise UsageError(f"{run_id} has no checkpoint: nothing of it is trained yet.")
    if which is None:
        return newest
    best = newest.scalars["progress"]["best"]
    if best is None:
        raise UsageError(
            f"{run_id} has no best checkpoint: its dataset has no validation pictures, or none were looked "
            f"at yet. Take {newest.step}."
        )
    return _at(root, spec_sha256, run_id, best["step"])


def _at(root: Path, spec_sha256: str, run_id: str, step: int) -> Checkpoint:
    if step not in [number for number, _ in folders(root)]:
        raise _none(root, run_id, str(step))
    try:
        return read_checkpoint(root / folder_name(step), spec_sha256)
    except NewerError as error:
        raise NewerError(
            f"Checkpoint {folder_name(step)} of {run_id} is not read: {error}. Update srbench."
        ) from error
    except CheckpointError as error:
        raise CheckpointError(
            f"Checkpoint {folder_name(step)} of {run_id} is damaged ({error}). Name another, or none for the "
            "newest sound one."
        ) from error


def _none(root: Path, run_id: str, which: str | None) -> UsageError:
    kept = ", ".join(str(number) for number, _ in folders(root)) or "none"
    return UsageError(
        f"{run_id} has no checkpoint {which!r}. The newest and the best are kept, and the others are "
        f"removed: it has {kept}. A step, or best, may be asked for."
    )
