"""Picture files → larger picture files, one after another: a fault of one does not stop the others."""

import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.markup import escape

from srbench.errors import SrbenchError, StoppedError, StoreError
from srbench.files import sha256_file
from srbench.memory import is_out_of_memory
from srbench.progress import steps
from srbench.upscale.enlarge import Enlarger, Steps
from srbench.upscale.naming import Task, named
from srbench.upscale.reading import read_raster
from srbench.upscale.writing import mark_of, write_raster

_log = logging.getLogger(__name__)

_SHOWN = 40  # letters of a name beside a bar


@dataclass(frozen=True)
class Done:
    """What became of one picture.

    Args:
        task: the picture.
        error: why there is no result; None: there is one.
        is_new: whether it was made now, and not by the same call before.
    """

    task: Task
    error: SrbenchError | None = None
    is_new: bool = False


def upscale_files(
    enlarger: Enlarger,
    tasks: Sequence[Task],
    made_by: dict[str, Any],
    check: Callable[[], None],
    *,
    overwrite: bool = False,
    quiet: bool = False,
) -> Iterator[Done]:
    """Make what is missing. A result that the same call made before is kept.

    Args:
        enlarger: the networks.
        tasks: what is to become what.
        made_by: what a result depends on, beside its picture; it is kept in the file.
        check: called before each pass of a network; raises to stop.
        overwrite: take the place of whatever lies where results are to be.
        quiet: no progress bar.

    Raises:
        StoppedError: by `check`; what is done is whole, and nothing lies there in part.
    """
    for number, task in enumerate(tasks, start=1):
        check()
        name = named(task.source.name)
        label = escape(name if len(name) <= _SHOWN else f"{name[: _SHOWN - 1]}…")
        label += f" ({number} of {len(tasks)})" if len(tasks) > 1 else ""
        try:
            is_new = _make(
                enlarger, task, made_by, check, partial(steps, label, check=check, quiet=quiet), overwrite
            )
            yield Done(task, is_new=is_new)
        except StoppedError:
            raise
        except SrbenchError as error:
            yield Done(task, error)
        except Exception as error:
            if is_out_of_memory(error):
                said = f"{named(task.source)} cannot be upscaled: memory is short. Cut it into pieces."
            else:
                _log.error("%s met an unexpected error:", named(task.source), exc_info=error)
                said = f"{named(task.source)} is not upscaled: an error that nobody foresaw ({error})."
            yield Done(task, SrbenchError(said))


def _make(
    enlarger: Enlarger,
    task: Task,
    made_by: dict[str, Any],
    check: Callable[[], None],
    shown: Steps,
    overwrite: bool,
) -> bool:
    """Make one picture; whether it was not there."""
    if task.error is not None:
        raise task.error
    place = named(task.source)
    picture = read_raster(task.source, lambda height, width: enlarger.check_room(height, width, place))
    # ASCII, as PNG's text is: names of plugins, and so of runs, may have any letters.
    mark = json.dumps({**made_by, "picture": sha256_file(task.source)}, sort_keys=True, separators=(",", ":"))
    if not overwrite and os.path.lexists(task.target):
        if mark_of(task.target) == mark:
            return False
        raise StoreError(
            f"{named(task.target)} is there already, and this line did not make it of {place}. --overwrite "
            "replaces it; another -o keeps it."
        )
    write_raster(task.target, enlarger(picture, check, shown), mark)
    return True
