"""Write checkpoints beside training: a copy is taken at once, and a thread brings it to the disk."""

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import torch
from torch import Tensor

_GRACE_S = 1.0
"""How long a program that is ended at once waits for a write; what is cut off is no checkpoint."""


class Writer:
    """One write at a time, in a thread; the next waits for it, and none is dropped.

    As a context manager it leaves no write behind. One that failed raises its error in `start`, `is_done`
    or `wait`, whichever comes first, and at the end of the block where nothing else was raised.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self.longest_s = 0.0

    def start(self, write: Callable[[], None]) -> None:
        """Have `write` done; waits for the one before it."""
        self.wait()
        # A daemon: a second Ctrl-C does not wait for a disk that hangs.
        thread = threading.Thread(target=self._run, args=(write,), name="checkpoint", daemon=True)
        thread.start()  # where memory is short this may fail, and then there is nothing to wait for
        self._thread = thread

    def is_done(self) -> bool:
        """Whether nothing is being written."""
        if self._thread is not None and self._thread.is_alive():
            return False
        self.wait()
        return True

    def wait(self) -> None:
        """Come back when nothing is being written."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _run(self, write: Callable[[], None]) -> None:
        began = time.monotonic()
        try:
            write()
        except BaseException as error:
            self._error = error
        self.longest_s = max(self.longest_s, time.monotonic() - began)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.wait()
        elif self._thread is not None:
            self._thread.join(None if isinstance(error, Exception) else _GRACE_S)


def copied(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Callable[[], None]]:
    """A copy of tensors on the CPU that no later step changes, and what to call before it is read.

    From a GPU, copies go into pinned memory in the order of its stream: the next step starts behind them,
    and the training thread waits for neither.
    """
    copies, devices = {}, set()
    for name, tensor in tensors.items():
        on_gpu = tensor.device.type == "cuda"
        copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=on_gpu)
        copies[name] = copy.copy_(tensor.detach(), non_blocking=on_gpu)
        if on_gpu:
            devices.add(tensor.device)
    events = [torch.cuda.current_stream(device).record_event() for device in devices]

    def ready() -> None:
        for event in events:
            event.synchronize()

    return copies, ready
