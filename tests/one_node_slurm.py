"""A real Slurm of one node on this machine, all that it writes in one folder, while a test lasts."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "munged")
_PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
_READY_WITHIN_S = 30.0


def needs_slurm() -> None:
    """Skip, with the reason, where Slurm neither is nor can be installed."""
    if os.geteuid() != 0:
        pytest.skip("Slurm's daemons are started by root alone, and this is not root")
    if all(shutil.which(name) for name in _PROGRAMS):
        return
    if shutil.which("apt-get") is None:
        pytest.skip("Slurm is not installed, and there is no apt-get to install it with")
    done = subprocess.run(
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", *_PACKAGES],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"Slurm cannot be installed: {done.stderr.strip().splitlines()[-1]}")


@contextmanager
def one_node_slurm(folder: Path, cpus: int) -> Iterator[dict[str, str]]:
    """The environment in which Slurm's commands reach it.

    Args:
        folder: with a short path: that of a socket in it has at most 107 characters.
        cpus: of the node, whatever the machine has.
    """
    host = socket.gethostname().partition(".")[0]
    key, munge = folder / "munge.key", folder / "munge.socket"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    (folder / "state").mkdir()
    (folder / "spool").mkdir()
    conf = folder / "slurm.conf"
    conf.write_text(
        f"""ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={_free_port()}
SlurmdPort={_free_port()}
AuthType=auth/munge
AuthInfo=socket={munge},cred_expire=5
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=5,batch_sched_delay=1
OverTimeLimit=0
KillWait=10
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=work Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
    )
    environment = {**os.environ, "SLURM_CONF": str(conf)}
    daemons = [
        ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={munge}",
         f"--pid-file={folder}/munged.pid", f"--seed-file={folder}/munged.seed",
         f"--log-file={folder}/munged.log"],
        ["slurmctld", "-D", "-i"],
        ["slurmd", "-D", "-N", host],
    ]  # fmt: skip
    running: list[subprocess.Popen[bytes]] = []
    try:
        for daemon in daemons:
            running.append(
                subprocess.Popen(
                    daemon, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            )
            if daemon[0] == "munged":
                _wait(munge.exists, folder)
        _wait(lambda: _said("sinfo", "-h", "-o", "%t", environment=environment) == "idle", folder)
        yield environment
    finally:
        if len(running) == len(daemons):
            subprocess.run(["scancel", "--me"], env=environment, capture_output=True)
            _wait(lambda: not _said("squeue", "-h", environment=environment), folder)
        for one in reversed(running):
            one.terminate()
            try:
                one.wait(timeout=20)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()


def _said(*command: str, environment: dict[str, str]) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True).stdout.strip()


def _wait(is_so, folder: Path) -> None:
    until = time.monotonic() + _READY_WITHIN_S
    while not is_so():
        if time.monotonic() > until:
            logs = "\n".join(f"{log}:\n{log.read_text()[-2000:]}" for log in folder.glob("*.log"))
            raise AssertionError(f"Slurm did not come up in {_READY_WITHIN_S:.0f} s.\n{logs}")
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
