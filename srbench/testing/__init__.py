"""Whether a component keeps the promises of its kind, and what authors of plugins test with."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from srbench.testing.pytest_plugin import conformance_tests

__all__ = ["conformance_tests"]


def __getattr__(name: str) -> Any:
    """What needs pytest comes on first use: the command line has none."""
    if name in __all__:
        from srbench.testing import pytest_plugin

        return getattr(pytest_plugin, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
