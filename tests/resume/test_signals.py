"""The installed command under real signals: Ctrl-C, SIGTERM, kill -9, a lost terminal, a full disk."""

import fcntl
import json
import os
import pty
import resource
import signal
import subprocess
import sys
import termios
import threading
import time
from contextlib import suppress

import pytest
from small import picture_folder, small_arguments

from srbench.prove.hashes import hashes

RUN = [sys.executable, "-m", "srbench"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def arguments(pictures, results):
    """Long enough to be met in the middle: every step is saved."""
    return [
        *RUN,
        *small_arguments(pictures, results, "--steps", "60", "--eval-every", "10", "--save-every", "0"),
    ]


@pytest.fixture(scope="module")
def whole(pictures, tmp_path_factory):
    results = tmp_path_factory.mktemp("whole")
    subprocess.run(arguments(pictures, results), check=True, capture_output=True)
    return hashes(results)


def start(command, results, steps):
    """The command, once it has saved a checkpoint past `steps`."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for_step(results, steps, process)
    return process


def wait_for_step(results, steps, process=None):
    deadline = time.monotonic() + 90
    while not any(int(path.name[5:]) >= steps for path in results.glob("lapsrn*/checkpoints/step-*")):
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None, process.stderr.read()
        time.sleep(0.01)


def read_all(terminal):
    """What nobody reads would stop who writes it."""
    with suppress(OSError):
        while os.read(terminal, 4096):
            pass


@pytest.mark.parametrize(
    ("number", "at"),
    [(signal.SIGINT, (8, 30)), (signal.SIGTERM, (20,)), (signal.SIGUSR1, (12,)), (signal.SIGHUP, (20,))],
)
def test_a_signal_saves_exits_75_and_the_same_line_ends_with_the_same_bits(
    pictures, tmp_path, whole, number, at
):
    command = arguments(pictures, tmp_path)
    for steps in at:
        process = start(command, tmp_path, steps)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 75, err
        assert "everything is saved. Run the same command to go on." in " ".join(err.split())
    subprocess.run(command, check=True, capture_output=True)
    assert hashes(tmp_path) == whole


def test_a_terminal_that_is_lost_saves_and_the_same_line_goes_on(pictures, tmp_path, whole):
    """As when a connection ends: the terminal is gone, and whoever writes to it meets an error."""
    command = arguments(pictures, tmp_path)
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(theirs)
    threading.Thread(target=read_all, args=(terminal,), daemon=True).start()
    wait_for_step(tmp_path, 20)
    os.close(terminal)
    assert process.wait(timeout=60) == 75
    (run,) = tmp_path.glob("lapsrn*/run.json")
    assert json.loads(run.read_text())["status"] == "interrupted"
    subprocess.run(command, check=True, capture_output=True)
    assert hashes(tmp_path) == whole


def test_a_lost_terminal_is_nothing_to_a_command_under_nohup(pictures, tmp_path, whole):
    command = ["nohup", *arguments(pictures, tmp_path)]
    process = start(command, tmp_path, 20)
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert hashes(tmp_path) == whole


def test_a_reader_that_goes_away_ends_nothing(pictures, tmp_path, whole):
    """`srbench run … 2>&1 | head`."""
    process = start(arguments(pictures, tmp_path), tmp_path, 5)
    process.stderr.close()
    assert process.wait(timeout=60) == 0
    assert hashes(tmp_path) == whole


def test_killed_at_once_several_times_ends_with_the_same_bits(pictures, tmp_path, whole):
    command = arguments(pictures, tmp_path)
    for steps in (5, 20, 40):
        process = start(command, tmp_path, steps)
        process.kill()
        process.communicate()
    subprocess.run(command, check=True, capture_output=True)
    assert hashes(tmp_path) == whole


def test_a_second_ctrl_c_ends_at_once_and_what_was_saved_is_sound(pictures, tmp_path, whole):
    process = start(arguments(pictures, tmp_path), tmp_path, 5)
    process.send_signal(signal.SIGSTOP)  # so that both signals are there before the step is done
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=60)
    assert process.returncode in (75, 130)  # 75 where the two were handled in the other order
    assert process.returncode == 75 or "Ended at once." in err
    subprocess.run(arguments(pictures, tmp_path), check=True, capture_output=True)
    assert hashes(tmp_path) == whole


def test_a_second_process_on_a_run_is_told_who_holds_it(pictures, tmp_path):
    command = arguments(pictures, tmp_path)
    process = start(command, tmp_path, 5)
    process.send_signal(signal.SIGSTOP)  # so that it still has the run, however slowly the second one starts
    second = subprocess.run(command, capture_output=True, text=True)
    process.kill()
    process.communicate()
    assert second.returncode == 1
    assert f"is being worked on by process {process.pid}" in " ".join(second.stderr.split())


def test_a_full_disk_is_named_and_what_was_saved_stays(pictures, tmp_path, whole):
    """A file size limit stands for the disk: writes past it fail as they do on a full one."""
    command = arguments(pictures, tmp_path)
    process = start(command, tmp_path, 20)
    process.kill()
    process.communicate()
    (run,) = tmp_path.glob("lapsrn*")
    saved = {path: path.read_bytes() for path in run.glob("checkpoints/step-*/manifest.json")}

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    full = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit)
    assert full.returncode == 1
    assert "cannot be written" in full.stderr
    assert "Traceback" not in full.stderr
    assert all(path.read_bytes() == content for path, content in saved.items())
    subprocess.run(command, check=True, capture_output=True)
    assert hashes(tmp_path) == whole


def test_a_folder_without_permission_is_named(pictures, tmp_path):
    """Root is stopped by no permission bit, so the process gives root up once it has been started."""
    if os.getuid() != 0:
        pytest.skip("needs root, to become a user without permission")
    code = (
        "import os, sys; from srbench.executors.local import execute; from srbench.cli.app import main\n"
        "import srbench.train.device, srbench.registry as r\n"
        "for row in r.registry().rows(): r.registry().find(row.kind, row.name).build\n"
        "os.setgid(65534); os.setuid(65534); main()"
    )
    for folder in (pictures, *pictures.parents):
        if folder != folder.parent:
            folder.chmod(folder.stat().st_mode | 0o055)
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o755)
    command = [sys.executable, "-c", code, *small_arguments(pictures, locked)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert f"{locked}" in done.stderr.replace("\n", "")
    assert "cannot be written (Permission denied)" in " ".join(done.stderr.split())
    assert list(locked.iterdir()) == []
