"""Which plugins are to be loaded: the environment says so, to all processes of a command alike."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from srbench.errors import UsageError

ONLY = "SRBENCH_PLUGINS"
WITHOUT = "SRBENCH_NO_PLUGIN"
FOLDERS = "SRBENCH_PLUGINS_DIR"
FILES = "SRBENCH_PLUGIN_FILES"
STRICT = "SRBENCH_STRICT_PLUGINS"


@dataclass(frozen=True)
class Selection:
    """What to load beside the core's own.

    Args:
        only: installed plugins to load, and no other; None: all of them.
        without: plugins to leave out, whatever else says otherwise.
        files: plugins that are files of the user's own: `NAME.py`, or the `__init__.py` of a package.
        strict: whether anything wrong with plugins ends the program.
    """

    only: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    strict: bool = False

    @classmethod
    def from_environment(cls) -> "Selection":
        """What the environment says.

        Raises:
            UsageError: it names a file or folder that is no plugin.
        """
        only = _names(os.environ.get(ONLY, ""))
        files = [_checked_file(path) for path in _paths(FILES)]
        for folder in _paths(FOLDERS):
            files += _files_in(folder)
        return cls(
            only or None,
            _names(os.environ.get(WITHOUT, "")),
            tuple(dict.fromkeys(files)),
            os.environ.get(STRICT, "") not in ("", "0"),
        )

    def takes(self, name: str, dist: str, *, installed: bool = True) -> bool:
        """Whether a plugin is to be loaded.

        Args:
            name: its own.
            dist: of its distribution.
            installed: not a file of the user's own, which `only` does not speak of.
        """
        if any(means(word, name, dist) for word in self.without):
            return False
        return self.only is None or not installed or any(means(word, name, dist) for word in self.only)


def canonical(name: str) -> str:
    """A distribution's name as package indexes compare names: `My_Dist` → `my-dist`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def means(word: str, name: str, dist: str) -> bool:
    """Whether a word of the user's stands for a plugin: its name, its distribution, or `dist/name`."""
    return word == name or canonical(word) in (canonical(dist), canonical(f"{dist}/{name}"))


def add_without(names: Iterable[str]) -> None:
    """Leave these plugins out, in this process and those that it starts."""
    _add(WITHOUT, ",", [name for text in names for name in _names(text)])


def add_files(paths: Iterable[Path]) -> None:
    """Load these files, in this process and those that it starts.

    Raises:
        UsageError: one is no file of Python's.
    """
    _add(FILES, os.pathsep, [str(_checked_file(path)) for path in paths])


def add_folders(paths: Iterable[Path]) -> None:
    """Load what lies in these folders, in this process and those that it starts.

    Raises:
        UsageError: one is no folder.
    """
    folders = [path.expanduser().absolute() for path in paths]
    for folder in folders:
        _files_in(folder)
    _add(FOLDERS, os.pathsep, [str(folder) for folder in folders])


def be_strict() -> None:
    """Let nothing be wrong with plugins, in this process and those that it starts."""
    os.environ[STRICT] = "1"


def _add(variable: str, separator: str, more: Sequence[str]) -> None:
    before = [part for part in os.environ.get(variable, "").split(separator) if part]
    os.environ[variable] = separator.join(dict.fromkeys([*before, *more]))


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in (part.strip() for part in text.split(",")) if name))


def _paths(variable: str) -> list[Path]:
    return [Path(part) for part in os.environ.get(variable, "").split(os.pathsep) if part]


def _checked_file(path: Path) -> Path:
    file = path.expanduser().absolute()
    if file.suffix != ".py" or not file.is_file():
        raise UsageError(
            f"--plugin {path} is no Python file. Name one NAME.py, such as --plugin losses/mine.py; a folder "
            "of them is for --plugins-dir."
        )
    return file


def _files_in(folder: Path) -> list[Path]:
    """Every NAME.py and every package of a folder, but for names that begin with `_` or a dot."""
    path = folder.expanduser().absolute()
    if not path.is_dir():
        raise UsageError(
            f"--plugins-dir {folder} is no folder. Name one that holds NAME.py files or packages."
        )
    found = []
    for entry in sorted(path.iterdir()):
        if entry.name.startswith(("_", ".")):
            continue
        if entry.is_dir() and (entry / "__init__.py").is_file():
            found.append(entry / "__init__.py")
        elif entry.suffix == ".py" and entry.is_file():
            found.append(entry)
    return found
