"""The suite quick.toml as it is, while three of its runs are ended in three ways."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PLUGIN = '''
"""Ends the process of the runs that SABOTAGE names, in the way it names, after their 20th step."""

import ctypes
import json
import os
import resource
import signal
from pathlib import Path

from srbench.api import hookimpl

HOW = json.loads(os.environ.get("SABOTAGE", "{}"))


@hookimpl
def step_finished(run, step):
    how = next((HOW[beginning] for beginning in HOW if run.id.startswith(beginning)), None)
    if step != 20 or how is None:
        return
    if how == "crash":
        ctypes.string_at(0)
    if how == "memory":
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped, mapped))
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
'''


def called(arguments, environment, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "srbench", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    return done


@pytest.mark.slow
def test_nine_of_twelve_go_on_and_the_same_line_does_the_others(tmp_path):
    (tmp_path / "sabotage.py").write_text(PLUGIN)
    store = ["--results", str(tmp_path / "results")]
    line = ["--plugin", str(tmp_path / "sabotage.py"), "run", "benchmarks/quick.toml", "--jobs", "2", *store]
    clean = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    hows = {
        "fsrcnn-charbonnier-sample-y-x4-s1": "crash",
        "espcn-l2-sample-y-x4-s1": "memory",
        "srcnn-charbonnier-sample-y-x4-s1": "kill",
    }
    done = called(line, {**clean, "SABOTAGE": json.dumps(hows)}, code=1)
    assert "10 of 13 runs are trained and scored" in " ".join(done.stderr.split())  # the baseline beside 9

    records = json.loads(called(["runs", "--json", *store], clean).stdout)
    reasons = {
        how: one["reason"]
        for one in records
        for beginning, how in hows.items()
        if one["run"].startswith(beginning) and one["status"] == "failed"
    }
    assert sum(one["status"] == "failed" for one in records) == len(reasons) == 3
    assert "crashed (SIGSEGV)" in reasons["crash"]
    assert "out of memory" in reasons["memory"]
    assert "was killed (SIGKILL)" in reasons["kill"]
    assert "out-of-memory killer" in reasons["kill"]
    assert len(trained(store, clean)) == 9

    called(line, clean)
    assert {one["status"] for one in json.loads(called(["runs", "--json", *store], clean).stdout)} == {"done"}
    assert len(trained(store, clean)) == 12


def trained(store, environment):
    rows = json.loads(called(["table", "--all", "--format", "json", *store], environment).stdout)
    return {row["run"] for row in rows if row["loss"]}
