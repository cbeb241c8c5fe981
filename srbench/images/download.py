"""Files from the network: verified in full, kept in one cache, never half there."""

import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import platformdirs
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

_log = logging.getLogger(__name__)
_RETRIES = 1
_CHUNK_BYTES = 1 << 20


class DownloadError(OSError):
    """A file cannot be had from the network; the message names it and why.

    Args:
        url: what was asked for.
        reason: why not, without the address, for a caller that words its own sentence.
    """

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url} cannot be downloaded ({reason})")
        self.url = url
        self.reason = reason


def cache_dir() -> Path:
    """Where downloads are kept: `SRBENCH_CACHE`, or the user's cache folder of this system."""
    named = os.environ.get("SRBENCH_CACHE")
    return Path(named).expanduser() if named else platformdirs.user_cache_path("srbench")


def is_offline() -> bool:
    """Whether `SRBENCH_OFFLINE=1` forbids every download."""
    return os.environ.get("SRBENCH_OFFLINE", "") not in ("", "0")


def fetch(url: str, sha256: str, path: Path, *, size_bytes: int | None = None, timeout_s: float = 10) -> Path:
    """Download `url` to `path` unless it is there already, whole and right.

    The file appears under its name only after all of it has its SHA-256; a failure is tried once more. A
    progress bar is shown on stderr where that is a terminal.

    Args:
        url: http or https address.
        sha256: 64 hex digits that the file must have.
        path: where to put it; folders are made. A file there with another hash is replaced.
        size_bytes: its size, where known: a full disk is then noticed before the download.
        timeout_s: longest wait for the connection and between two pieces.

    Returns:
        `path`, verified.

    Raises:
        DownloadError: `SRBENCH_OFFLINE=1`, no connection, a time-out, an answer other than the file, or a
            folder that cannot hold it. What was at `path` before stays.
    """
    import pooch
    import requests

    try:
        if path.is_file() and pooch.file_hash(str(path)) == sha256:
            return path
        if is_offline():
            raise DownloadError(url, "SRBENCH_OFFLINE=1 is set")
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_space(url, path.parent, size_bytes)
        _log.info("downloading %s to %s", url, path)
        # pooch prints its own remarks on stderr; what matters of them is in our errors and progress bar.
        pooch.get_logger().setLevel(logging.ERROR)
        pooch.create(
            path=path.parent,
            base_url="",
            registry={path.name: f"sha256:{sha256}"},
            urls={path.name: url},
            retry_if_failed=_RETRIES,
            allow_updates=True,
        ).fetch(path.name, downloader=partial(_stream, timeout_s=timeout_s))
    except DownloadError:
        raise
    except requests.exceptions.HTTPError as error:
        raise DownloadError(url, f"the server answers {error.response.status_code}") from error
    except requests.exceptions.RequestException as error:
        raise DownloadError(url, _reason(error, timeout_s)) from error
    except ValueError as error:  # pooch's word for a wrong hash
        raise DownloadError(url, "what arrives is another file: its SHA-256 differs") from error
    except OSError as error:
        raise DownloadError(url, f"{path.parent}: {error.strerror or error}") from error
    return path


def _stream(url: str, output_file: str, _pooch: object, *, timeout_s: float) -> None:
    """What pooch calls to get the bytes; its own downloader leaves the connection open after a failure."""
    import requests

    with (
        requests.get(url, stream=True, timeout=timeout_s) as response,
        Path(output_file).open("wb") as file,
        _bar(url.rpartition("/")[2], response.headers.get("Content-Length")) as advance,
    ):
        response.raise_for_status()
        for piece in response.iter_content(_CHUNK_BYTES):
            file.write(piece)
            advance(len(piece))


@contextmanager
def _bar(label: str, size_bytes: str | None) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal; gives what to call with each number of bytes."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    task = bar.add_task(label, total=float(size_bytes) if size_bytes else None)
    with bar:
        yield lambda size: bar.advance(task, size)


def _check_space(url: str, folder: Path, size_bytes: int | None) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if size_bytes is not None and free_bytes < size_bytes:
        raise DownloadError(
            url, f"it has {size_bytes / 1e6:,.0f} MB, and {folder} has {free_bytes / 1e6:,.0f} MB free"
        )


def _reason(error: Exception, timeout_s: float) -> str:
    """One short clause for a failed connection: requests nests the cause and prints objects' addresses."""
    text = str(error).lower()
    if "timed out" in text:
        return f"timed out after {timeout_s:g} s"
    if "resolve" in text or "name or service" in text:
        return "the server's name cannot be resolved; is there a network?"
    if "refused" in text:
        return "the server refuses the connection"
    if "incomplete" in text or "prematurely" in text or "aborted" in text or "reset" in text:
        return "the connection broke off"
    return type(error).__name__
