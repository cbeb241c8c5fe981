"""What plugins leave of the process as it was, whatever their code does while it loads or builds."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """Run a plugin's code in the block: what it prints goes to stderr, since stdout carries results alone.

    Afterwards the working folder, the handlers of signals, and torch's default dtype, default device and
    gradient mode are those of before.
    """
    folder, handlers, defaults = _folder(), _handlers(), _defaults()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        if folder is not None and _folder() != folder:
            with contextlib.suppress(OSError):  # it is gone
                os.chdir(folder)
        for number, now in _handlers().items():
            if now != handlers.get(number) and handlers.get(number) is not None:
                signal.signal(number, handlers[number])
        _restore(defaults)


def _folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:
        return None


def _handlers() -> dict[int, Any]:
    """Those that can be set again: all of them in the main thread, none in others."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.getsignal(number) for number in signal.valid_signals()}


def _defaults() -> tuple[Any, str, bool] | None:
    """Torch's; None where it is not loaded, so that they will be its own."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "get_default_device"):
        return None
    return torch.get_default_dtype(), str(torch.get_default_device()), torch.is_grad_enabled()


def _restore(before: tuple[Any, str, bool] | None) -> None:
    now = _defaults()
    if now is None or now == before:
        return
    torch = sys.modules["torch"]
    dtype, device, gradients = before or (torch.float32, "cpu", True)
    torch.set_default_dtype(dtype)
    if now[1] != device:
        torch.set_default_device(None if device == "cpu" else device)
    torch.set_grad_enabled(gradients)
