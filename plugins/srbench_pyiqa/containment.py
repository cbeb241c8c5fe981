"""What a foreign package may not do here: print on stdout, unpickle, move random generators, go online."""

import os
import random
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, NoReturn

import numpy as np
import torch

from srbench.api import is_offline

_TENSORS_ONLY = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


@contextmanager
def contained(device: torch.device) -> Iterator[None]:
    """Run pyiqa so that nothing else notices.

    What it prints goes to stderr: stdout is for results. Files are read as tensors alone, though it asks for
    pickles. Generators start at one seed, so that a score is the same each time, and are put back. Where
    SRBENCH_OFFLINE=1 is set no server is asked.
    """
    tensors_only, states = os.environ.get(_TENSORS_ONLY), (random.getstate(), np.random.get_state())
    ask = socket.getaddrinfo
    devices = [device] if device.type == "cuda" else []
    try:
        os.environ[_TENSORS_ONLY] = "1"
        if is_offline():
            socket.getaddrinfo = _refuse
        with redirect_stdout(sys.stderr), torch.random.fork_rng(devices):
            random.seed(0)
            np.random.seed(0)
            torch.manual_seed(0)
            yield
    finally:
        socket.getaddrinfo = ask
        random.setstate(states[0])
        np.random.set_state(states[1])
        if tensors_only is None:
            del os.environ[_TENSORS_ONLY]
        else:
            os.environ[_TENSORS_ONLY] = tensors_only


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise OSError("SRBENCH_OFFLINE=1 is set")
