"""A plugin whose loss ends its process in the way that is asked for."""

import os
import sys
from pathlib import Path

import noting
from installed import install

SOURCE = '''
"""Losses that end their process, where SABOTAGE is set."""

import ctypes
import os
import resource
import signal
from pathlib import Path

from srbench.api import hookimpl


def sabotaged(how: str):
    """l1, until the fourth step."""

    def loss(sr, hr, step):
        if os.environ.get("SABOTAGE") and step == 3:
            if how == "exit":
                print("going out", flush=True)
                os._exit(3)
            if how == "crash":
                ctypes.string_at(0)
            if how == "memory":
                pages = int(Path("/proc/self/statm").read_text().split()[0])
                limit = pages * resource.getpagesize() + (64 << 20)
                resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
                sr.new_empty(1 << 28).fill_(1)
            if how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if how == "raise":
                raise ZeroDivisionError("sabotage")
        return (sr - hr).abs().mean()

    return loss


@hookimpl
def register_losses(register):
    register("sabotaged", sabotaged)
'''


def installed(folder: Path) -> dict[str, str]:
    """The environment of a process that finds it, and the plugin that notes what runs do."""
    modules = {"sabotage_plugin": SOURCE, "noting": noting.SOURCE.read_text()}
    install(folder, "sabotage", modules, "sabotage = sabotage_plugin", "noting = noting")
    path = os.pathsep.join([str(folder), *filter(None, sys.path)])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
