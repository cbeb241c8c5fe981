"""Start the processes that train a run together with this one, and end them."""

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.distributed import Store, TCPStore  # type: ignore[attr-defined]

from srbench.errors import SrbenchError
from srbench.metrics.backbones import set_weights_dir, weights_dir
from srbench.plan import Job
from srbench.store.layout import RunPaths
from srbench.store.runs import RunRecord
from srbench.train.device import Engine, apply_engine
from srbench.train.loop import Cadence, train
from srbench.train.stop import SIGNALS, Stop
from srbench.train.world import ALONE, GONE, World

_PATIENCE = timedelta(hours=2)
"""How long a process waits for the others: longer than any picture, evaluation or write takes."""
_LOOK_EVERY_S = 0.05
_GRACE_S = 20.0
"""How long the first process has to notice by itself that another has gone."""


@dataclass(frozen=True)
class _Task:
    """What a process needs to train along with the first one."""

    job: Job
    paths: RunPaths
    record: RunRecord
    engine: Engine
    cadence: Cadence
    device_type: str
    size: int
    port: int
    lpips_weights: Path | None


@contextmanager
def together(
    processes: int,
    job: Job,
    paths: RunPaths,
    record: RunRecord,
    engine: Engine,
    device: torch.device,
    cadence: Cadence,
    check: Callable[[], None],
) -> Iterator[World]:
    """The world of a run, of which this process is the first; the others train along while the block runs.

    They hold nothing that is not in this process too, and write nothing, so they are simply killed at its
    end. On GPUs, each has its own.

    Args:
        processes: how many in all.
        job, paths, record, engine, device, cadence: as `train` has them.
        check: called while the others start; raises to stop.

    Raises:
        SrbenchError: one of them has gone.
    """
    if processes == 1:
        yield ALONE
        return
    store = TCPStore("127.0.0.1", 0, processes, is_master=True, wait_for_workers=False)
    task = _Task(
        replace(job, start=None), paths, record, engine, cadence, device.type, processes, store.port,
        weights_dir(),
    )  # fmt: skip
    context = mp.get_context("spawn")
    others = [context.Process(target=_follow, args=(rank, task), daemon=True) for rank in range(1, processes)]
    resource_tracker.ensure_running()  # starting it later would let the signals through again
    try:
        # Processes inherit what is blocked: Ctrl-C and a scheduler's signals reach the whole group.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            with without_main():
                for other in others:
                    other.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        while not store.check([_here(rank) for rank in range(1, processes)]):
            check()
            if not all(other.is_alive() for other in others):
                raise SrbenchError(GONE)
            time.sleep(_LOOK_EVERY_S)
        with _joined(0, processes, store, device) as world, _watched(others):
            try:
                yield world
            except BaseException:
                _end(others)  # first: leaving a group of GPUs may wait for them
                raise
    finally:
        _end(others)


def _follow(rank: int, task: _Task) -> None:
    """Train along. An error is the first process's to tell: it meets the same one, or sees this one go."""
    logging.getLogger("srbench").setLevel(logging.CRITICAL)
    set_weights_dir(task.lpips_weights)
    apply_engine(task.engine)
    device = torch.device("cuda", rank) if task.device_type == "cuda" else torch.device(task.device_type)
    threading.Thread(target=end_with_parent, daemon=True).start()
    store = TCPStore("127.0.0.1", task.port, task.size)
    store.set(_here(rank), "")
    with suppress(SrbenchError), _joined(rank, task.size, store, device) as world:
        train(task.job, task.paths, task.record, task.engine, device, task.cadence, Stop(), world, quiet=True)


@contextmanager
def without_main() -> Iterator[None]:
    """Processes that the block starts do not run the caller's script again, as Python has them do.

    Nothing of ours is in it, and a script that calls `srbench.run` at its top need not know of processes.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def end_with_parent() -> None:
    """Wait for the process that started this one to end, however it does, and end too; for a thread."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _end(others: Sequence[BaseProcess]) -> None:
    for other in others:
        if other.pid is not None:
            other.kill()
            other.join()


@contextmanager
def _watched(others: Sequence[BaseProcess]) -> Iterator[None]:
    """End this process too, where one has gone and it waits for it for ever: on GPUs nothing else tells."""
    left = threading.Event()

    def watch() -> None:
        while not left.wait(_LOOK_EVERY_S):
            if any(other.exitcode for other in others) and not left.wait(_GRACE_S):
                print(GONE, file=sys.stderr, flush=True)  # noqa: T201 - nothing else may still work
                _end(others)
                os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        left.set()


def _here(rank: int) -> str:
    """What a process leaves in the store when it has started."""
    return f"here/{rank}"


@contextmanager
def _joined(rank: int, size: int, store: Store, device: torch.device) -> Iterator[World]:
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_PATIENCE)
    try:
        # On the CPU: a decision need not wait for the GPU, and is told at once where a process has gone.
        decisions = dist.new_group(backend="gloo", timeout=_PATIENCE)
        assert isinstance(decisions, dist.ProcessGroup)
        yield World(rank, size, decisions)
    finally:
        dist.destroy_process_group()
