"""Who holds a run where locks do not reach: a heartbeat that is watched, and a name that one takes away."""

import errno
import json
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from srbench.errors import RunLockedError, StoppedError, StoreError
from srbench.files import only_one
from srbench.store import lease
from srbench.store.layout import RunPaths
from srbench.store.lock import is_locked, run_lock
from srbench.store.runs import RunRecord, StoredRun, read_record, remove_run, write_record

ELSEWHERE = "elsewhere"


@pytest.fixture
def paths(tmp_path):
    paths = RunPaths(tmp_path / "lapsrn-x4-0123456789")
    write_record(paths, RunRecord(paths.id, {}))
    return paths


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(lease, "STALE_S", 0.5)
    monkeypatch.setattr(lease, "_TORN_S", 0.2)
    monkeypatch.setattr(lease, "_LOOK_EVERY_S", 0.02)


def moment(seconds_ago=0.0):
    return (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat()


def left_by(paths, host=ELSEWHERE, pid=7, seconds_ago=0.0):
    """What a process leaves that did not end by itself."""
    paths.lock.touch()
    name = {"host": host, "pid": pid, "since": moment(seconds_ago)}
    paths.lock_owner.write_text(json.dumps(name))
    paths.lock_beat.write_text((datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat())


def seconds_to_hold(paths):
    began = time.monotonic()
    with run_lock(paths):
        assert json.loads(paths.lock_owner.read_text())["pid"] == os.getpid()
        assert paths.lock_beat.exists()
    assert not paths.lock_owner.exists()
    assert not paths.lock_beat.exists()
    return time.monotonic() - began


def test_a_run_of_another_host_is_taken_over_when_its_heart_has_not_beaten_for_so_long(paths):
    left_by(paths)
    assert is_locked(paths)
    assert seconds_to_hold(paths) >= 0.5


def test_one_that_is_long_dead_by_any_clock_is_not_waited_for(paths):
    left_by(paths, seconds_ago=3600)
    assert not is_locked(paths)
    assert seconds_to_hold(paths) < 0.4


def test_the_run_of_a_dead_host_whose_clock_was_ahead_is_taken_over_too(paths):
    left_by(paths, seconds_ago=-3600)
    assert not is_locked(paths)  # a queue that saw it as held would wait for an hour
    assert lease.STALE_S <= seconds_to_hold(paths) < 5


def test_one_that_died_on_this_host_is_not_waited_for(paths):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left_by(paths, lease._HOST, dead.pid)
    assert not is_locked(paths)
    assert seconds_to_hold(paths) < 0.4


def test_a_later_process_of_that_number_is_another_one(paths):
    left_by(paths, lease._HOST, os.getppid(), seconds_ago=10 * 365 * 86400)
    paths.lock_beat.write_text(moment())
    assert not is_locked(paths)
    assert seconds_to_hold(paths) < 0.4


def test_one_that_lives_on_this_host_holds_its_run_even_where_locks_are_given_to_everybody(paths):
    left_by(paths, lease._HOST, os.getppid())
    assert is_locked(paths)
    with pytest.raises(RunLockedError, match=f"worked on by process {os.getppid()} on "), run_lock(paths):
        pass
    assert paths.lock_owner.exists()


@contextmanager
def heartbeat(paths, seconds_ago=0.0):
    """Of another host, whose clock is so many seconds late."""
    over = threading.Event()

    def beat():
        while not over.wait(0.1):
            paths.lock_beat.write_text(moment(seconds_ago))

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_heart_that_beats_keeps_its_run(paths):
    left_by(paths)
    with (
        heartbeat(paths),
        pytest.raises(RunLockedError, match="process 7 on elsewhere since"),
        run_lock(paths),
    ):
        pass
    assert json.loads(paths.lock_owner.read_text())["pid"] == 7


def test_a_run_that_lives_on_a_host_whose_clock_is_late_is_not_removed(paths):
    left_by(paths, seconds_ago=5)
    with heartbeat(paths, seconds_ago=5), pytest.raises(StoreError, match="is being worked on and is not"):
        remove_run(StoredRun(paths, read_record(paths), None))
    assert paths.run.exists()
    remove_run(StoredRun(paths, read_record(paths), None))
    assert not paths.directory.exists()


def test_a_process_that_works_shows_that_it_lives(paths, monkeypatch):
    monkeypatch.setattr(lease, "BEAT_S", 0.02)
    with run_lock(paths):
        first = paths.lock_beat.read_text()
        deadline = time.monotonic() + 5
        while paths.lock_beat.read_text() in (first, ""):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        paths.lock_owner.write_text(json.dumps({"host": ELSEWHERE, "pid": 7, "since": moment()}))
        time.sleep(0.1)
        other = paths.lock_beat.read_text()
        time.sleep(0.2)
        assert paths.lock_beat.read_text() == other  # it is no longer ours to say
    assert paths.lock_owner.exists()


def test_waiting_for_a_sign_of_life_ends_when_asked_to_stop(paths):
    def stop():
        raise StoppedError("Stopped on Ctrl-C.")

    left_by(paths)
    with pytest.raises(StoppedError), run_lock(paths, stop):
        pass
    assert json.loads(paths.lock_owner.read_text())["pid"] == 7
    with only_one(paths.lock):  # the lock itself was given back
        pass


@pytest.mark.parametrize("torn", [b"", b'{"host": "a', b'{"host": "a", "pid": 7, "since": "then"}', b"[]"])
def test_a_name_that_was_cut_short_holds_nothing(paths, torn):
    paths.lock_owner.write_bytes(torn)
    assert seconds_to_hold(paths) < 0.5


def test_a_name_that_cannot_be_read_is_told_and_not_waited_for(paths):
    paths.lock_owner.mkdir()
    with pytest.raises(StoreError, match=re.escape(f"{paths.lock_owner} cannot be")), run_lock(paths):
        pass


def test_a_file_system_without_links_does_as_well(paths, monkeypatch):
    def no_links(self, target):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    left_by(paths, seconds_ago=3600)
    seconds_to_hold(paths)
    assert [path.name for path in paths.directory.glob(".*")] == []


def test_a_name_that_somebody_was_quicker_to_write_is_put_back(paths):
    left_by(paths)
    judged = paths.lock_owner.read_bytes()
    paths.lock_owner.write_text("another")
    lease._take_away(paths.lock_owner, judged)
    assert paths.lock_owner.read_text() == "another"
    lease._take_away(paths.lock_owner, b"another")
    assert not paths.lock_owner.exists()


TAKER = """
import os, sys, time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from srbench.errors import RunLockedError
from srbench.store import lease, lock
from srbench.store.layout import RunPaths

lock.only_one = lambda *_: nullcontext()  # as where a lock is given to every host
lease._HOST = f"host-{os.getpid()}"
lease.STALE_S, lease._LOOK_EVERY_S, lease.BEAT_S = 0.5, 0.001, 0.1
print("ready", flush=True)
sys.stdin.readline()
try:
    with lock.run_lock(RunPaths(Path(sys.argv[1]))):
        print("held", flush=True)
        sys.stdin.readline()
except RunLockedError:
    print("told", flush=True)
"""


def test_of_several_hosts_that_take_over_at_one_moment_exactly_one_does(paths):
    left_by(paths)
    takers = [
        subprocess.Popen(
            [sys.executable, "-c", TAKER, str(paths.directory)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(5)
    ]  # fmt: skip
    for taker in takers:
        assert taker.stdout.readline() == "ready\n"
    for taker in takers:
        taker.stdin.write("\n")
        taker.stdin.flush()
    said = sorted(taker.stdout.readline() for taker in takers)
    for taker in takers:
        taker.communicate("\n")
    assert said == ["held\n"] + ["told\n"] * 4


def test_a_store_without_locks_is_shared_by_names_alone(paths, monkeypatch):
    monkeypatch.setattr("srbench.store.lock.only_one", lambda *_: nullcontext())
    with run_lock(paths):
        monkeypatch.setattr(lease, "_HOST", ELSEWHERE)
        monkeypatch.setattr(lease, "STALE_S", 60)
        assert is_locked(paths)


def test_a_dead_process_that_nobody_has_waited_for_holds_nothing():
    """In a container without init, it stays in the table of processes for good."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    owner = lease.Owner(lease._HOST, process.pid, moment())
    assert owner.is_alive is False
    process.wait()
