"""What code of plugins does to the process while it loads or builds does not stay."""

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path

import pytest
import torch

from srbench.containment import contained


def moves(tmp_path):
    os.chdir(tmp_path)


def ignores(tmp_path):
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def doubles(tmp_path):
    torch.set_default_dtype(torch.float64)


def elsewhere(tmp_path):
    torch.set_default_device("meta")


def scores_alone(tmp_path):
    torch.set_grad_enabled(False)


def state():
    return (
        Path.cwd(), signal.getsignal(signal.SIGINT), torch.get_default_dtype(),
        str(torch.get_default_device()), torch.is_grad_enabled(),
    )  # fmt: skip


@pytest.mark.parametrize("what", [moves, ignores, doubles, elsewhere, scores_alone])
def test_it_is_undone_also_where_that_code_fails(what, tmp_path):
    before = state()
    with contained():
        what(tmp_path)
    assert state() == before
    with contextlib.suppress(KeyError), contained():
        what(tmp_path)
        raise KeyError
    assert state() == before


def test_what_the_user_chose_stays(tmp_path):
    torch.set_default_dtype(torch.float64)
    try:
        with contained():
            torch.set_default_dtype(torch.float32)
        assert torch.get_default_dtype() is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_what_is_printed_is_no_result(capsys):
    with contained():
        sys.stdout.write("loading\n")
    assert capsys.readouterr() == ("", "loading\n")


def test_a_folder_that_is_gone_and_another_thread_are_no_trouble(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    seen = []

    def load():
        with contained():
            seen.append(True)

    thread = threading.Thread(target=load)
    thread.start()
    thread.join()
    with contained():
        os.chdir(tmp_path)
    assert seen == [True]
