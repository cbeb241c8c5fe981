"""Files from the network: verified in full, kept in one cache, never half there."""

import json
import logging
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import platformdirs
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from srbench.files import parse_json

_log = logging.getLogger(__name__)
_CHUNK_BYTES = 1 << 17  # at 100 kB a second, a stop is noticed and the bar moves within 1.3 s
_NAMES = {"sha256": "SHA-256", "md5": "MD5"}


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


def fetch(
    url: str,
    checksum: str | None,
    path: Path,
    *,
    size_bytes: int | None = None,
    timeout_s: float = 10,
    retries: int = 1,
    resume: bool = False,
    check: Callable[[], None] = lambda: None,
) -> Path:
    """Download `url` to `path` unless it is there already, whole and right.

    The file appears under its name only after all of it has arrived and has its checksum; a failure is tried
    again. A progress bar is shown on stderr where that is a terminal.

    Args:
        url: http or https address.
        checksum: SHA-256, 64 hex digits, or `md5:` and 32; None where nobody has published one.
        path: where to put it; folders are made. A file there with another checksum is replaced.
        size_bytes: its size, where known: a full disk is then noticed before the download.
        timeout_s: longest wait for the connection and between two pieces.
        retries: further attempts after a failure.
        resume: keep what has arrived when the download fails or is stopped, beside `path`, and go on from
            there next time.
        check: called between two pieces; raises to stop.

    Returns:
        `path`, verified.

    Raises:
        DownloadError: `SRBENCH_OFFLINE=1`, no connection, a time-out, an answer other than the file, or a
            folder that cannot hold it. What was at `path` before stays.
    """
    import pooch
    import requests

    algorithm, _, digits = (checksum or "").rpartition(":")
    algorithm = algorithm or "sha256"
    stream = _Stream(path if resume else None, bool(checksum), timeout_s, check)
    try:
        if path.is_file() and (not digits or pooch.file_hash(str(path), algorithm) == digits):
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
            registry={path.name: f"{algorithm}:{digits}" if digits else None},
            urls={path.name: url},
            retry_if_failed=retries,
            allow_updates=True,
        ).fetch(path.name, downloader=stream)
    except DownloadError:
        raise
    except requests.exceptions.HTTPError as error:
        raise DownloadError(url, f"the server answers {error.response.status_code}") from error
    except requests.exceptions.RequestException as error:
        raise DownloadError(url, _reason(error, timeout_s)) from error
    except ValueError as error:  # pooch's word for a wrong hash
        raise DownloadError(url, f"what arrives is another file: its {_NAMES[algorithm]} differs") from error
    except OSError as error:
        raise DownloadError(url, f"{path.parent}: {error.strerror or error}") from error
    return path


class _Stream:
    """What pooch calls to get the bytes; its own downloader cannot resume, and leaves the connection open.

    Args:
        path: the file to be; what has arrived of it is kept beside it. None: nothing is kept.
        verified: whether the whole is verified afterwards.
        timeout_s: longest wait between two pieces.
        check: called between two pieces; raises to stop.
    """

    def __init__(
        self, path: Path | None, verified: bool, timeout_s: float, check: Callable[[], None]
    ) -> None:
        self._part = path.with_name(f"{path.name}.part") if path else None
        self._origin = path.with_name(f"{path.name}.part.json") if path else None
        self._verified, self._timeout_s, self._check = verified, timeout_s, check

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        self._check()
        if self._part is None or self._origin is None:
            self._receive(url, Path(output_file), 0, {})
            return
        start, headers = self._resumable(url)
        self._receive(url, self._part, start, headers)
        self._part.replace(output_file)
        self._origin.unlink(missing_ok=True)

    def _resumable(self, url: str) -> tuple[int, dict[str, str]]:
        """How many bytes are here already, and the headers that ask for the rest."""
        assert self._part is not None
        assert self._origin is not None
        try:
            origin = parse_json(self._origin.read_bytes())
            have, known = self._part.stat().st_size, origin["validator"]
            same = origin["url"] == url
        except (OSError, ValueError, KeyError, TypeError):
            return 0, {}
        if not have or not ((same and known) or self._verified):
            # Another version's rest would go unnoticed: nothing says that it is the same, nothing checks it.
            return 0, {}
        return have, {"Range": f"bytes={have}-", **({"If-Range": known} if same and known else {})}

    def _receive(self, url: str, target: Path, start: int, headers: Mapping[str, str]) -> None:
        import requests

        # identity: the file as it is, and ranges that count its own bytes.
        sent = {"Accept-Encoding": "identity", **headers}
        with requests.get(url, stream=True, timeout=self._timeout_s, headers=sent) as response:
            goes_on = response.status_code == 206 and _first_byte(response.headers) == start
            if start and response.status_code in (206, 416) and not goes_on:
                # No such rest: the file has become another, or the server cannot count.
                self._receive(url, target, 0, {})
                return
            response.raise_for_status()
            if self._origin is not None and not goes_on:
                validator = response.headers.get("ETag", "")
                if not validator or validator.startswith("W/"):
                    validator = response.headers.get("Last-Modified", "")
                self._origin.write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")
            length = response.headers.get("Content-Length")
            have = start if goes_on else 0
            with (
                target.open("ab" if goes_on else "wb") as file,
                _bar(url.rpartition("/")[2], have + int(length) if length else None, have) as advance,
            ):
                for piece in response.iter_content(_CHUNK_BYTES):
                    file.write(piece)
                    advance(len(piece))
                    self._check()


def _first_byte(headers: Mapping[str, str]) -> int | None:
    match = re.match(r"bytes (\d+)-", headers.get("Content-Range", ""))
    return int(match[1]) if match else None


@contextmanager
def _bar(label: str, size_bytes: int | None, have_bytes: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal; gives what to call with each number of bytes."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    task = bar.add_task(label, total=size_bytes, completed=have_bytes)
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
