"""What is wrong in a suite file, collected line by line."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from srbench.errors import DatasetError, MetricUnavailable, SrbenchError
from srbench.suite.located import Located, Place

T = TypeVar("T")


@dataclass(frozen=True, order=True)
class Mistake:
    """What was found in a line of a suite file, and what is expected."""

    line: int
    text: str


@dataclass
class Report:
    """All that is said of one file.

    Args:
        found: the file.
        mistakes: what is wrong in it.
        absent: what it names that is not on this machine: pictures, weights.
    """

    found: Located
    mistakes: list[Mistake] = field(default_factory=list)
    absent: list[Mistake] = field(default_factory=list)

    def wrong(self, place: Place, text: str) -> None:
        """Note a mistake, once."""
        mistake = Mistake(self.found.line(place), text)
        if mistake not in self.mistakes:
            self.mistakes.append(mistake)

    def attempt(self, place: Place, action: Callable[[], T]) -> T | None:
        """What `action` gives; None where it is refused, which is noted."""
        try:
            return action()
        except SrbenchError as error:
            if is_absence(error):
                self.absent.append(Mistake(self.found.line(place), str(error)))
            else:
                self.wrong(place, str(error))
        return None


def is_absence(error: SrbenchError) -> bool:
    """Whether it is this machine that lacks something, and no mistake in what was typed."""
    return isinstance(error, DatasetError) or isinstance(error.__cause__, MetricUnavailable)
