"""What a run is busy with: `srbench -v` says it, and `srbench prove-resume` reads it."""

import logging
import re
from typing import Literal, NamedTuple, get_args

_log = logging.getLogger(__name__)

Phase = Literal["training", "validation", "saving", "saved", "scoring", "scored"]
"""Saving goes on beside training and validation, and ends with `saved`."""


class Sign(NamedTuple):
    """A phase that begins, and the run's step then."""

    phase: Phase
    step: int


def enter(run_id: str, phase: Phase, step: int) -> None:
    """Say that a phase begins."""
    _log.debug("%s: %s at step %d", run_id, phase, step)


def read_sign(line: str) -> Sign | None:
    """What `enter` said, from a line of stderr; None for any other line."""
    match = re.fullmatch(rf"DEBUG: \S+: ({'|'.join(get_args(Phase))}) at step (\d+)", line)
    return Sign(match[1], int(match[2])) if match else None  # type: ignore[arg-type]
