"""Between the command and its tasks: news one way, the request to stop the other. Loads no torch."""

import time


class Desk:
    """An actor beside the command: it has what runs said until the command asks, and knows whether to stop.

    Args:
        max_time_s, left_s: as a `Stop` has them.
    """

    def __init__(self, max_time_s: float | None, left_s: float) -> None:
        self._max_time_s, self._until = max_time_s, time.monotonic() + left_s
        self._reason: str | None = None
        self._begun: set[int] = set()
        self._news: list[tuple[int, object]] = []

    def begins(self, number: int) -> tuple[float | None, float] | None:
        """A task is about to work: its time limit and what is left of it; None: it is not to begin."""
        if self._reason is not None:
            return None
        self._begun.add(number)
        self._news.append((number, None))
        return self._max_time_s, self._until - time.monotonic()

    def hear(self, number: int, messages: list[object]) -> str | None:
        """What a run said; returns why to stop, or None."""
        self._news += [(number, message) for message in messages]
        return self._reason

    def news(self) -> list[tuple[int, object]]:
        """What was said since the last call: the task's number, and a message; None: it has begun."""
        news, self._news = self._news, []
        return news

    def ask(self, reason: str) -> set[int]:
        """From here on nothing begins, and what is at work is to stop; returns the tasks that have begun."""
        self._reason = reason
        return self._begun
