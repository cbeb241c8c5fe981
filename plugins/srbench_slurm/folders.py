"""Folders of what is handed to Slurm: in the store, which the nodes see too, and gone when it is over."""

import glob
import shutil
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from srbench_slurm.commands import is_over

_KEPT_S = 86400.0
"""How long logs of jobs that are over can be read, where something went wrong."""


def new_folder(results: Path) -> Path:
    """For one submission: what is handed over, what comes back, and Slurm's logs.

    Raises:
        OSError: the store cannot be written.
    """
    folder = results / ".slurm" / uuid.uuid4().hex[:12]
    folder.mkdir(parents=True)
    return folder


def remove(folder: Path) -> None:
    """Of a submission that was refused, or of which nothing is left."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # there are others
        folder.parent.rmdir()


def drop(folder: Path, job: str, run_id: str) -> None:
    """Remove the files of a job that came back whole, and the folder with the last of them."""
    with suppress(OSError):  # it is swept later
        for path in (*folder.glob(f"{job}_*"), *folder.glob(f"{glob.escape(run_id)}.*")):
            if path.suffix != ".sh":  # one for all of an array
                path.unlink(missing_ok=True)
        if all(path.suffix == ".sh" for path in folder.iterdir()):
            remove(folder)


def sweep(results: Path, states: Mapping[str, str]) -> None:
    """Remove folders of a day ago or more whose jobs are all over."""
    for folder in results.glob(".slurm/*"):
        with suppress(OSError):
            jobs = [path.name.removesuffix("_submitted.pkl") for path in folder.glob("*_submitted.pkl")]
            is_old = time.time() - max(path.stat().st_mtime for path in (folder, *folder.iterdir())) > _KEPT_S
            if is_old and all(is_over(states.get(job)) for job in jobs):
                remove(folder)
