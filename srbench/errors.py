"""The errors a user can meet. Each owns its exit code; `cli/app.py` alone catches them.

SrbenchError            1   something failed; the message says what, where and what to do
├─ UsageError           2   what was asked for cannot be: a name, a parameter, a combination
│  └─ DatasetError      2   a dataset is missing, empty or does not fit the run
├─ PluginError          1   a plugin does not do what it promised; the message names it
├─ PictureError         1   one picture cannot be decoded
├─ StoreError           1   results cannot be read or written
│  └─ RunLockedError    1   another process works on the run
├─ CheckpointError      1   no sound checkpoint, or one that does not belong to the run
│  └─ NewerError         1   a checkpoint that a newer srbench wrote
├─ DivergedError        1   the loss became NaN or ran away
└─ StoppedError        75   stopped on request, everything saved: run the same command again
"""

import difflib
from collections.abc import Iterable
from typing import Any


class SrbenchError(Exception):
    """Something a user can mend; the message stands alone and says how."""

    exit_code = 1

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process it is what it derives from here: a plugin's own class may not be there."""
        known = next(one for one in type(self).__mro__ if one.__module__ == __name__)
        return known, (str(self),)


class UsageError(SrbenchError):
    """What was asked for cannot be done: a wrong name, parameter or combination."""

    exit_code = 2


class DatasetError(UsageError):
    """A dataset is missing, empty or does not fit the run's settings."""


class PluginError(SrbenchError):
    """A component does not do what its kind promises: not the user's mistake, and not srbench's."""


class PictureError(SrbenchError):
    """A picture file cannot be decoded."""


class StoreError(SrbenchError):
    """The results folder cannot be read or written."""


class RunLockedError(StoreError):
    """Another process is working on the same run."""


class CheckpointError(SrbenchError):
    """No sound checkpoint is left, or a checkpoint belongs to another run."""


class NewerError(CheckpointError):
    """A newer srbench wrote a checkpoint: not damaged, and not to be trained over."""


class DivergedError(SrbenchError):
    """The loss became NaN or ran away; the last good checkpoint is kept."""


class StoppedError(SrbenchError):
    """Stopped by a signal or the time limit with everything saved."""

    exit_code = 75


class EndedAtOnce(SystemExit):
    """A second Ctrl-C: the program ends in the middle of whatever it does, a plugin's hook too."""


class MetricUnavailable(Exception):  # noqa: N818 - a state of a metric, reported in the table, not a failure
    """A metric cannot be computed on this machine; its column says why and everything else goes on."""


class SizeError(ValueError):
    """A loss cannot work on pictures of this size; the message is a clause that says what it needs."""


def most_urgent(errors: Iterable[SrbenchError]) -> SrbenchError | None:
    """Of the errors of several runs the one whose exit code stands for all; None: there is none.

    Wrong usage goes before what can go on, and that before all else.
    """
    order = (UsageError, StoppedError, SrbenchError)
    return min(errors, key=lambda one: [isinstance(one, kind) for kind in order].index(True), default=None)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` for the known word nearest to `word`, or an empty string."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""
