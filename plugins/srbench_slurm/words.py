"""What a job and the command that handed it over say to each other: files in a folder that both see."""

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from srbench.api import News, Outcome, RunLockedError, Said, SrbenchError, Stop, StoppedError, UsageError

_TELL_EVERY_S = 2.0
_LOOK_EVERY_S = 1.0
_ERRORS = (UsageError, StoppedError, RunLockedError, SrbenchError)
"""Those that are not all the same to the command; the first that fits."""

_log = logging.getLogger(__name__)


def said_path(folder: Path, run_id: str) -> Path:
    """What a run has said, a message a line."""
    return folder / f"{run_id}.said"


def stop_path(folder: Path, run_id: str) -> Path:
    """Is there once the run is to stop, and says why."""
    return folder / f"{run_id}.stop"


def result_path(folder: Path, run_id: str) -> Path:
    """Is there once a run is over, and says how."""
    return folder / f"{run_id}.result"


def write_result(folder: Path, outcome: Outcome) -> None:
    """Say what became of a run.

    Raises:
        OSError: the folder cannot be written.
    """
    error = outcome.error
    kind = next((one.__name__ for one in _ERRORS if isinstance(error, one)), None)
    path = result_path(folder, outcome.run_id)
    whole = path.with_suffix(".tmp")
    said = {"error": kind, "message": str(error or ""), "did_anything": outcome.did_anything}
    whole.write_text(json.dumps(said), encoding="utf-8")
    whole.replace(path)


def read_result(folder: Path, run_id: str) -> Outcome | None:
    """What became of a run; None where that is not said yet."""
    try:
        said = json.loads(result_path(folder, run_id).read_text(encoding="utf-8"))
        kinds = {one.__name__: one for one in _ERRORS}
        error = None if said["error"] is None else kinds[said["error"]](said["message"])
        return Outcome(run_id, error, said["did_anything"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Mouth:
    """The job's side: messages of `run_apart` for whoever looks on.

    Args:
        path: the file they are added to.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._told = path, 0.0
        self.furthest: dict[str, int] = {}
        """Of each piece of work (training, scoring of a test set), the last step that was spoken of."""

    def hear(self, message: Any) -> None:
        """For `run_apart`. Of many that only tell how far a run is, some are passed on."""
        done = getattr(message, "done", None)
        if done is not None:
            self.furthest[message.label] = max(self.furthest.get(message.label, 0), done)
            if not message.line and time.monotonic() - self._told < _TELL_EVERY_S:
                return
            self._told = time.monotonic()
        line = json.dumps(message._asdict()).encode()
        try:
            with self._path.open("ab") as file:
                file.write(b"\n" + line + b"\n")  # a line of before may have been cut short by a kill
        except OSError as error:  # the run goes on without being seen
            _log.debug("%s: %s", self._path, error)


class Ear:
    """The command's side.

    Args:
        path: the file that a `Mouth` adds to.
        is_new: whether nothing of what stands there has been shown before.
    """

    def __init__(self, path: Path, *, is_new: bool) -> None:
        self._path = path
        self._offset = 0 if is_new else self._size()

    def news(self) -> Iterator[News | Said]:
        """What was said since the last time."""
        if self._size() <= self._offset:
            return
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except OSError as error:  # gone meanwhile, or its disk is ill: the run goes on without being heard
            _log.debug("%s: %s", self._path, error)
            return
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            if line:
                try:
                    fields = json.loads(line)
                    yield Said(**fields) if "level" in fields else News(**fields)
                except (ValueError, TypeError) as error:
                    _log.debug("%s has a damaged line (%s).", self._path, error)

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0


class Asked(Stop):
    """Whether a run is to stop: by a file, which is looked for once a second.

    Args:
        path: of that file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path, self._looked = path, 0.0

    @property
    def reason(self) -> str | None:
        """As `Stop.reason`."""
        found = super().reason
        if found is None and time.monotonic() - self._looked >= _LOOK_EVERY_S:
            self._looked = time.monotonic()
            try:
                self.ask(self._path.read_text(encoding="utf-8").strip() or "a request")
            except OSError:
                return None
            return super().reason
        return found
