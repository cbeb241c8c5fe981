"""How much memory tensors take: counted while a function runs, and whether there is that much."""

import re
import weakref
from collections.abc import Callable
from typing import Any

import psutil
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class MemoryShortError(Exception):
    """A picture would not fit into memory whole; the caller takes tiles."""


_SAID = (
    "DefaultCPUAllocator: can't allocate memory",
    "std::bad_alloc",
    "Cannot allocate memory",
    "can't start new thread",  # its stack could not be had
    # More than any machine has: sizes whose bytes, or which themselves, are no 64-bit numbers.
    "Storage size calculation overflowed",
    "Overflow when unpacking long",
)
"""What errors say that have no type of their own."""

_NO_ROOM_FOR_A_KERNEL = re.compile(r"could not create a primitive\b(?! descriptor)")
"""oneDNN's kernels take memory for their code; what it cannot do at all fails at the descriptor before."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory, of the machine or of a GPU, could not be had."""
    if isinstance(error, MemoryError | MemoryShortError | torch.OutOfMemoryError):
        return True
    if not isinstance(error, RuntimeError | OSError | TypeError):
        return False
    said = str(error)
    return any(text in said for text in _SAID) or _NO_ROOM_FOR_A_KERNEL.search(said) is not None


def peak_bytes(function: Callable[[], object]) -> int:
    """The most bytes that tensors made by `function` took at one time, on whatever device.

    Every storage counts from the operation that made it until its last tensor is gone; what kernels use
    inside themselves and what existed before does not. So the figure is the same on every run and machine,
    where the resident size of a process is neither.
    """
    with _LiveStorages() as live:
        result = function()
        del result
    return int(live.peak)


def available_bytes() -> int:
    """Memory of this machine that a process may take without swapping."""
    return int(psutil.virtual_memory().available)


class _LiveStorages(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the storages that operations return, and subtracts each when it is freed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = {
            self._key(one) for one in tree_leaves((args, kwargs or {})) if isinstance(one, torch.Tensor)
        }
        result = func(*args, **(kwargs or {}))
        for one in tree_leaves(result):
            if isinstance(one, torch.Tensor) and self._key(one) not in before | self._known:
                self._count(one.untyped_storage())
        return result

    @staticmethod
    def _key(tensor: torch.Tensor) -> int:
        return int(tensor.untyped_storage()._cdata)

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size_bytes = storage._cdata, storage.nbytes()
        self._known.add(key)
        self.now += size_bytes
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, key, size_bytes)

    def _forget(self, key: int, size_bytes: int) -> None:
        self._known.discard(key)
        self.now -= size_bytes
