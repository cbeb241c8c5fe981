"""history.jsonl and timings.jsonl: one line an evaluation, cut back to the checkpoint on resume."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from srbench.errors import StoreError
from srbench.files import cannot_write, canonical_json, parse_json, read_regular, sync_file, write_atomic

_TAIL_BYTES = 4096
"""More than a line of timings.jsonl has."""

_log = logging.getLogger(__name__)


def append_line(path: Path, line: Mapping[str, Any]) -> None:
    """Add one line and make it durable.

    Raises:
        StoreError: the file cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(canonical_json(line) + "\n")
            sync_file(file)
    except OSError as error:
        raise cannot_write(path, error) from error


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All whole lines; one that a crash cut short, or that was damaged, ends the file.

    Raises:
        StoreError: the file is there and cannot be read.
    """
    return _whole_lines(_read(path))


def read_last(path: Path) -> dict[str, Any] | None:
    """The last whole line, from the end of the file alone; None where there is none.

    Raises:
        StoreError: the file is there and cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = max(file.seek(0, os.SEEK_END) - _TAIL_BYTES, 0)
            file.seek(start)
            lines = file.read().split(b"\n")[1 if start else 0 : -1]
        line = parse_json(lines[-1])
        return line if isinstance(line["step"], int) else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, IndexError):
        whole = read_lines(path)  # which knows what a damaged file still has, and says what cannot be read
        return whole[-1] if whole else None


def truncate(path: Path, step: int) -> None:
    """Drop the lines past `step`: what a resumed run will compute again, to the same bits.

    A damaged line before the last is named in a warning: it and those after it are lost.

    Raises:
        StoreError: the file cannot be read or written.
    """
    content = _read(path)
    lines = _whole_lines(content)
    if len(lines) < content.count(b"\n"):
        _log.warning(
            "Line %d of %s is damaged; it and the lines after it are dropped.", len(lines) + 1, path
        )  # fmt: skip
    text = "".join(canonical_json(line) + "\n" for line in lines if line["step"] <= step)
    if content != text.encode():
        write_atomic(path, text.encode())


def warn_of_lost(path: Path, step: int) -> None:
    """Say where the history does not reach `step`, to which a checkpoint says that it was written.

    Raises:
        StoreError: the file is there and cannot be read.
    """
    last = max((line["step"] for line in read_lines(path)), default=0)
    if last < step:
        _log.warning(
            "%s ends at step %s, and the checkpoint was evaluated up to step %s: lines between them are "
            "lost, weights and scores are not.", path, f"{last:,}", f"{step:,}",
        )  # fmt: skip


def _read(path: Path) -> bytes:
    try:
        return read_regular(path)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise StoreError(
            f"{path} cannot be read ({error.strerror or error}). Restore it from a copy, or take it away."
        ) from error


def _whole_lines(content: bytes) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for text in content.split(b"\n")[:-1]:
        try:
            line = parse_json(text)
            if not isinstance(line["step"], int):
                break
        except (ValueError, TypeError, KeyError):
            break
        lines.append(line)
    return lines
