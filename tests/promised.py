"""Components put through the promises of their kind: registered ones, and ones made for a test."""

import pytest

from srbench.components import Kind
from srbench.entries import describe
from srbench.plugins import Plugin
from srbench.testing.conformance import Finding, Subject, examine, subject_of


def made(kind: Kind, build, settings=None, **options) -> Subject:
    """A component that a plugin might register with these options."""
    component = describe(kind, "made", Plugin("test", "test-dist", "1.0"), build, options)
    return Subject(component, component.settings(settings or {}), "made")


def finding(subject: Subject, check: str) -> Finding:
    """What one check finds; those before it have looked too."""
    return next(found for found in examine(subject) if found.check == check)


def hold(kind: Kind, typed: str) -> None:
    """Fail where a registered component breaks a promise; skip where it cannot be looked at here."""
    findings = list(examine(subject_of(kind, typed)))
    failed = [f"{found.check}: {found.text}" for found in findings if found.state == "failed"]
    assert not failed, "\n".join(failed)
    if {found.check for found in findings if found.state == "passed"} <= {"facts", "arguments"}:
        pytest.skip(next(found.text for found in findings if found.state == "skipped"))
