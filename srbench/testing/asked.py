"""What checks of several kinds ask in the same way."""

from collections.abc import Callable, Mapping
from typing import Any

from srbench.errors import MetricUnavailable
from srbench.files import canonical_json
from srbench.testing.conformance import Fault, NotDemanded
from srbench.types import Target


def said(error: BaseException) -> str:
    """An exception as one clause: its type and what it says."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300].rstrip(": .")


def check_plain(declared: Target | None, read: Callable[[], Mapping[str, Any]]) -> None:
    """Hold facts to what is promised of them.

    Args:
        declared: `facts` as registered.
        read: gives them.

    Raises:
        Fault, NotDemanded: as checks do.
    """
    if declared is None:
        raise NotDemanded("It declares no facts: nothing but its settings matters.")
    try:
        first, second = canonical_json(read()), canonical_json(read())
    except MetricUnavailable as reason:
        raise NotDemanded(str(reason)) from reason
    except Exception as error:
        raise Fault(
            f"facts raised {said(error)}. It asks by name for settings alone, returns a dict of text, "
            "numbers and lists, and raises srbench.api.MetricUnavailable where something is not to be had."
        ) from error
    if first != second:
        raise Fault(
            f"facts gave {first} and then {second}. They enter an identity: leave out what changes by "
            "itself, such as times and addresses in memory."
        )
