"""Where data sets lie on this machine: the data folder, a folder of it for each set."""

import os
from pathlib import Path

import platformdirs

from srbench.facts import DatasetFacts

SETTING = "SRBENCH_DATA"


def data_dir() -> Path:
    """The data folder: `SRBENCH_DATA`, or a folder of the user's on this system."""
    named = os.environ.get(SETTING)
    return Path(named).expanduser() if named else platformdirs.user_data_path("srbench") / "data"


def set_folder(name: str, root: Path | None = None) -> Path:
    """The folder of a set in a data folder, this machine's unless `root` names another.

    `dist/name` has that of `name`: its builder looks there, and knows of no other that claims the name.
    """
    return (root or data_dir()) / name.rpartition("/")[2]


def is_complete(name: str, facts: DatasetFacts, root: Path | None = None) -> bool:
    """Whether every folder of the set is there; each appears under its name only once it is whole."""
    folder = set_folder(name, root)
    parts = [part for archive in facts.archives for part in archive.folders.values()]
    return all((folder / part).is_dir() for part in parts) if parts else folder.is_dir()
