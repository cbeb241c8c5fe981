"""A component that was made to break one promise, and what the check of that promise says of it."""

from srbench.testing.conformance import Finding, examine, subject_of


def findings(kind: str, typed: str) -> dict[str, Finding]:
    """What every check finds, by its name."""
    return {finding.check: finding for finding in examine(subject_of(kind, typed))}


def advice(kind: str, typed: str, check: str) -> str:
    """What the check that is meant for it says of a component that does not keep its promise."""
    finding = findings(kind, typed)[check]
    assert finding.state == "failed", finding
    return finding.text
