"""srbench: trains, resumes and scores super-resolution models under one protocol.

import srbench

srbench.run(model="lapsrn", loss="charbonnier")
srbench.table()
srbench.load_run("lapsrn").model()
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

__all__ = ["__version__", "load_run", "run", "table"]

_LAZY = {"load_run": "srbench.python.loaded", "run": "srbench.python.run", "table": "srbench.python.frame"}


def __getattr__(name: str) -> Any:
    """Functions come on first use, so that importing srbench loads neither torch nor pandas."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'srbench' has no attribute {name!r}")
