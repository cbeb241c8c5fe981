"""A plugin whose loss ends its process in the way that is asked for, and that notes what runs do."""

import os
import sys
from pathlib import Path

SOURCE = '''
"""Losses that end their process, where SABOTAGE is set; and a note of every run and step, where NOTES is."""

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


def note(*words):
    if "NOTES" in os.environ:
        with open(os.environ["NOTES"], "a") as file:
            file.write(" ".join(map(str, words)) + "\\n")


@hookimpl
def run_started(run, step):
    note("started", run.id, os.getpid())


@hookimpl
def step_finished(run, step):
    note("step", run.id, os.getpid())


@hookimpl
def run_finished(run):
    note("finished", run.id, os.getpid())


@hookimpl
def run_failed(run):
    note("failed", run.id, os.getpid())
'''


def installed(folder: Path) -> dict[str, str]:
    """The environment of a process that finds the plugin, which is written to `folder`."""
    info = folder / "sabotage-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "sabotage_plugin.py").write_text(SOURCE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sabotage\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[srbench]\nsabotage = sabotage_plugin\n")
    path = os.pathsep.join([str(folder), *filter(None, sys.path)])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
