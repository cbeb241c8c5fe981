"""A Ray cluster: joined or started, and whether it can ever give a run what it takes."""

import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import ray
from ray.exceptions import RayError

from srbench.api import UsageError

_REACH_S = 10.0
_STORE_BYTES = 256 << 20
"""For what goes between processes: jobs, which are small. Ray would take a third of the memory."""

_log = logging.getLogger(__name__)


@contextmanager
def joined(address: str | None) -> Iterator[None]:
    """Be a driver of the cluster while the block runs; where this process is one already, of that cluster.

    Args:
        address: as Ray has it; None: a cluster of this machine alone, which ends with the block.

    Raises:
        UsageError: nothing answers there, or it is of another version.
    """
    if ray.is_initialized():
        yield
        return
    _check_reachable(address)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    options = {"include_dashboard": False, "object_store_memory": _STORE_BYTES} if address is None else {}
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **options)
    except (RayError, OSError, RuntimeError, ValueError, AssertionError) as error:
        what = (
            "Ray cannot be started here" if address is None else f"No Ray cluster at {address} can be joined"
        )
        raise UsageError(f"{what} ({first_line(error)}).{_hint(address)}") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    try:
        yield
    finally:
        ray.shutdown()


def resources_of(address: str | None, cpus: int, gpus: float | None, device: str) -> float:
    """GPUs that each run takes.

    Args:
        address: of the cluster; None: this machine.
        cpus: that a run takes.
        gpus: as asked; None: one where the device may be a GPU and the cluster has any.
        device: as typed.

    Raises:
        UsageError: it contradicts the device, or this machine has less.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    kind = device.partition(":")[0]
    if device.startswith("cuda:"):
        raise UsageError(
            f"--device {device} names one GPU, and Ray says which a run takes. Take --device cuda."
        )
    if gpus is None:
        gpus = float(kind == "cuda" or (kind == "auto" and any(node.get("GPU") for node in nodes)))
    if (kind == "cpu" and gpus) or (kind == "cuda" and not gpus):
        raise UsageError(f"--device {device} and gpus_per_run={gpus:g} contradict each other. Leave one out.")
    if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
        wanted = f"{cpus} CPU cores and {gpus:g} GPUs" if gpus else f"{cpus} CPU cores"
        most: dict[str, float] = max(
            nodes, key=lambda node: (node.get("GPU", 0), node.get("CPU", 0)), default={}
        )
        has = f"{most.get('CPU', 0):g} CPU cores and {most.get('GPU', 0):g} GPUs"
        if address is None:
            raise UsageError(
                f"A run is to take {wanted}, and this machine has {has}. Lower cpus_per_run or gpus_per_run."
            )
        _log.warning(
            "A run is to take %s, and no node of the cluster has as much now: the largest has %s. Runs wait "
            "until one joins that has; where nothing starts such a node, they wait for ever: press Ctrl-C, "
            "and lower cpus_per_run or gpus_per_run.", wanted, has,
        )  # fmt: skip
    return gpus


def _check_reachable(address: str | None) -> None:
    """Ask for a connection first: Ray itself would try for minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if not colon:
        return  # `auto`, or a name that Ray knows
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACH_S).close()
    except (OSError, ValueError, OverflowError) as error:
        raise UsageError(f"No Ray cluster answers at {address} ({error}).{_hint(address)}") from error


def _hint(address: str | None) -> str:
    if address is None:
        return ""
    return (
        " `ray start --head` starts one there and prints its address; `ray status` on its head shows whether "
        "it lives. It must have this version of Ray and of Python."
    )


def first_line(error: BaseException) -> str:
    """What an error says, or what it is."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
