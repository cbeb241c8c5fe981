"""Plugins that are files of the user's own: imported by their name, without being installed."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def name_of(file: Path) -> str:
    """The module that a file is: `mine.py` → `mine`, and so is `mine/__init__.py`."""
    return (file.parent if file.name == "__init__.py" else file).stem


def shown_as(file: Path) -> str:
    """What stands for its distribution: the name of the file, or of the package's folder."""
    return file.parent.name if file.name == "__init__.py" else file.name


def load(file: Path) -> ModuleType:
    """Import it. Its folder joins the import path at the end, so that it hides nothing.

    Raises:
        ImportError: it has no name that can be imported, or another module has that name.
        BaseException: whatever its own code raises.
    """
    name = name_of(file)
    if not name.isidentifier():
        raise ImportError(f"{name!r} is no name of a module: rename {shown_as(file)}")
    folder = str(file.parent.parent if file.name == "__init__.py" else file.parent)
    if folder not in sys.path:
        sys.path.append(folder)
    importlib.invalidate_caches()
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # a module in memory that came from nowhere
        spec = None
    origin = spec.origin if spec else None
    if origin is None or not Path(origin).is_file() or not Path(origin).samefile(file):
        raise ImportError(
            f"another module is called {name!r} ({origin or 'built in'}): rename {shown_as(file)}"
        )
    return importlib.import_module(name)
