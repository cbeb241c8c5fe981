"""Findings on a component as plain data: for scripts, and for its badge."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from srbench import __version__
from srbench.badges import SCHEMA, source_sha256
from srbench.components import Component
from srbench.testing.conformance import Finding


def report(component: Component, typed: str, findings: Sequence[Finding]) -> dict[str, Any]:
    """What was found, and of what exactly.

    Args:
        component: that was checked.
        typed: as it was named, with its settings.
        findings: of all checks of its kind.
    """
    return {
        "schema": SCHEMA,
        "kind": component.kind,
        "name": component.name,
        "typed": typed,
        "dist": component.plugin.dist,
        "version": component.plugin.version,
        "source_sha256": source_sha256(component),
        "srbench": __version__,
        "checked": datetime.now(UTC).isoformat(timespec="seconds"),
        "passed": passed(findings),
        "findings": [{**asdict(one), "seconds": round(one.seconds, 3)} for one in findings],
    }


def passed(findings: Sequence[Finding]) -> bool:
    """Whether no check failed, and any was passed: where nothing was demanded, nothing was shown."""
    states = [one.state for one in findings]
    return "failed" not in states and "passed" in states


def verdict(findings: Sequence[Finding]) -> str:
    """`14 of 14 promises are kept; 3 were not demanded.`"""
    states = [one.state for one in findings]
    skipped, demanded = states.count("skipped"), len(states) - states.count("skipped")
    if not demanded:
        return "Nothing was demanded of it, so nothing is known: this counts as a failure."
    rest = f"; {skipped} not demanded" if skipped else ""
    return f"{states.count('passed')} of {demanded} promises kept{rest}."
