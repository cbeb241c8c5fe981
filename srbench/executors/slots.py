"""Where runs compute that are done at once on one machine: its GPUs, or a share of its CPU's threads each."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from srbench.errors import UsageError
from srbench.executors.contract import Settings
from srbench.train.device import THREADS, check_processes, pick_device

_ROOM = 1.2
"""A further run is begun on a GPU where this many times the memory of the largest one so far is free."""


@dataclass(frozen=True)
class Slot:
    """Room for one run at a time.

    Args:
        device: as it is typed.
        threads: of the CPU.
        gpu: its number, as torch counts in this process; None: the device needs none of its own.
    """

    device: str
    threads: int
    gpu: int | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What the process of the run is told: of all GPUs, it sees its own."""
        if self.gpu is None:
            return {}
        seen = os.environ.get("CUDA_VISIBLE_DEVICES")
        return {"CUDA_VISIBLE_DEVICES": seen.split(",")[self.gpu].strip() if seen else str(self.gpu)}


def slots_of(jobs: int | None, settings: Settings) -> list[Slot]:
    """Room for `jobs` runs at once; None: one on a CPU, and one a GPU.

    Threads of the CPU are shared out evenly. On GPUs, neighbours in the list are on different ones.

    Raises:
        UsageError: the device is not there, or `--processes` and `jobs` want the same GPUs.
    """
    asked = str(settings.device)
    device = pick_device(asked)
    check_processes(settings.processes, asked, device)
    every = THREADS if settings.threads is None else settings.threads
    if device.type == "cpu":
        count = jobs or 1
        return [Slot(asked, max(every // count, 1))] * count
    if settings.processes > 1:
        if (jobs or 1) > 1:
            raise UsageError(
                f"--processes {settings.processes} takes GPUs for one run, and --jobs {jobs} would share "
                "them out to several. Leave one of the two out."
            )
        return [Slot(asked, every)]
    named = device.index if ":" in asked else None
    gpus = list(range(torch.cuda.device_count())) if named is None else [named or 0]
    count = jobs or len(gpus)
    return [Slot("cuda", max(every // count, 1), gpus[number % len(gpus)]) for number in range(count)]


def is_there_room(slot: Slot, taken: Sequence[int], largest_bytes: int) -> bool:
    """Whether the GPU of a slot has memory for one more run, by what runs of this command have taken so far.

    Args:
        slot: that is free.
        taken: bytes that each run on that GPU has taken so far; 0: it has not trained a step yet.
        largest_bytes: the most that any run has taken.
    """
    if slot.gpu is None or not taken:
        return True
    free_bytes, _ = torch.cuda.mem_get_info(slot.gpu)
    return all(taken) and largest_bytes * _ROOM <= free_bytes
