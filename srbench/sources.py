"""Where code lies: a module's file, found without importing it, and what is behind a callable."""

import functools
import inspect
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any


def behind(target: Any) -> Any:
    """The function, class or object that somebody wrote, without the partials and wrappers around it."""
    while isinstance(target, functools.partial):
        target = target.func
    return inspect.unwrap(target)


def find_module(name: str) -> ModuleSpec | None:
    """The spec of a module or package, without importing it, which may load torch; None: there is none."""
    path: Sequence[str] | None = None
    spec: ModuleSpec | None = None
    found = ""
    for part in name.split("."):
        found = f"{found}.{part}" if found else part
        spec = _find_one(found, path)
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or ())
    return spec


def module_file(name: str) -> Path | None:
    """The file of a module, or a package's `__init__.py`; None: it is in no file."""
    spec = find_module(name)
    file = Path(spec.origin) if spec is not None and spec.origin and spec.has_location else None
    return file if file is not None and file.is_file() else None


def _find_one(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    # importlib.util.find_spec would import the packages above.
    if not name:
        return None
    if name in sys.modules:
        return getattr(sys.modules[name], "__spec__", None)
    for finder in sys.meta_path:
        spec = finder.find_spec(name, path)
        if spec is not None:
            return spec
    return None
