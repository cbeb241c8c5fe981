"""What tests share: real pictures where they lie, a server on loopback, and no way to the network."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores; torch and what tests start would each take all of them.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("srbench", deadline=None)  # torch's first call is slow
settings.load_profile("srbench")


@pytest.fixture(scope="session", autouse=True)
def _no_network(tmp_path_factory) -> Iterator[None]:
    """Nothing is downloaded and the user's cache is left alone, unless a test says otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("SRBENCH_") and "TEST" not in name]:
            patch.delenv(name)
        patch.setenv("SRBENCH_OFFLINE", "1")
        patch.setenv("SRBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("SRBENCH_DATA", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder with data/ and weights/ that SRBENCH_TEST_ASSETS names."""
    named = os.environ.get("SRBENCH_TEST_ASSETS")
    if not named:
        pytest.skip("SRBENCH_TEST_ASSETS does not name a folder with data/ and weights/")
    return Path(named)


@pytest.fixture(scope="session")
def pictured_store(tmp_path_factory) -> Path:
    """The store of `pictured`, to be read; a test that changes something takes a copy."""
    from pictured import pictured

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRBENCH_OFFLINE", "1")
        return pictured(tmp_path_factory.mktemp("pictured"))


class FileServer:
    """A real HTTP server in a thread.

    `files` maps a path to its bytes, `redirects` to another path; `fault` says what goes wrong; `ranges`,
    whether a part of a file can be asked for; `requests` counts the requests that came, and `asked` has the
    Range header of each.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.fault: Literal["cuts off", "stalls", "sends wrong bytes"] | None = None
        self.ranges = False
        self.version = '"1"'
        self.requests = 0
        self.asked: list[str | None] = []
        self._closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests += 1
                outer.asked.append(self.headers["Range"])
                path = self.path.lstrip("/")
                if path in outer.redirects:
                    self.send_response(302)
                    self.send_header("Location", f"/{outer.redirects[path]}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                content = outer.files.get(path)
                if content is None:
                    self.send_error(404)
                    return
                content = self._status_and_part(content)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if outer.fault == "sends wrong bytes":
                    content = bytes(len(content))
                sent = content if outer.fault in (None, "sends wrong bytes") else content[: len(content) // 2]
                self.wfile.write(sent)
                self.wfile.flush()
                if outer.fault == "stalls":
                    outer._closing.wait(30)

            def _status_and_part(self, content: bytes) -> bytes:
                start = 0
                if outer.ranges and self.headers["Range"] and (
                    self.headers["If-Range"] in (None, outer.version)
                ):  # fmt: skip
                    start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
                if start >= len(content):
                    self.send_response(416)
                    return b""
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
                if outer.ranges:
                    self.send_header("ETag", outer.version)
                return content[start:]

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def release(self) -> None:
        """End the connections that stall."""
        self._closing.set()

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def file_server(monkeypatch) -> Iterator[FileServer]:
    """A loopback server that downloads are allowed from."""
    monkeypatch.delenv("SRBENCH_OFFLINE")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = FileServer()
    yield server
    server.close()
