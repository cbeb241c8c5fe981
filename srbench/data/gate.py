"""The baseline gate: whether a test set called by a public name is that set, asked once for each content."""

import functools
import logging
from collections.abc import Callable
from dataclasses import asdict

from srbench.data.verdict import Verdict
from srbench.data.verify import verify
from srbench.datasets import TestSet
from srbench.errors import StoreError
from srbench.facts import DatasetFacts
from srbench.files import canonical_json, parse_json, sha256_text, write_json
from srbench.grammar import parse_term
from srbench.images.download import cache_dir
from srbench.registry import registry
from srbench.types import Dataset

_VERSION = 1
"""Raised when a verdict would come out otherwise, so that those kept are made again."""

_log = logging.getLogger(__name__)


def doubt(test: TestSet, check: Callable[[], None], *, quiet: bool = False) -> str | None:
    """Why scores on a test set cannot stand beside published ones; None where they can, or nothing is known.

    The verdict is made the first time a content is used, and kept in srbench's cache. A doubt is said once a
    process, as a warning.

    Args:
        test: as built from what was typed; only a dataset whose plugin gives facts is looked at.
        check: called once a picture; raises to stop.
        quiet: no progress bar.

    Raises:
        PictureError: a picture cannot be decoded.
    """
    name = parse_term(test.typed).name if test.typed else ""
    facts: DatasetFacts | None = registry().find("dataset", name).read_facts() if name else None
    if facts is None or "test" not in facts.counts:
        return None
    path = cache_dir() / "verdicts" / f"{test.sha256[:16]}-{_stamp(name, facts)}.json"
    try:
        verdict = Verdict.of(parse_json(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        verdict = verify(name, facts, Dataset(test=test.pictures), ("test",), check, quiet=quiet)
        try:
            write_json(path, verdict.data())
        except StoreError as error:
            _log.debug("the verdict on %s is not kept: %s", name, error)
    if verdict.is_verified:
        return None
    _say(test.name, test.typed, verdict.reason)
    return verdict.reason


@functools.cache
def _say(name: str, typed: str, reason: str) -> None:
    _log.warning(
        "UNVERIFIED: these are not the published pictures of %s. %s. Scores on them are marked unverified. "
        "srbench data verify %s shows all, side by side.", name, reason, typed,
    )  # fmt: skip


def _stamp(name: str, facts: DatasetFacts) -> str:
    return sha256_text(canonical_json([_VERSION, name, asdict(facts)]))[:16]
