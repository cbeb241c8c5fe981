"""The processes that train one run together, each on its share of every batch."""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn

from srbench.errors import SrbenchError, UsageError

GONE = (
    "One of the processes that trained this run together has gone; perhaps it was killed, or memory ran out. "
    "What was saved is sound: run the same command to go on from there."
)


class World:
    """What the processes of a run say to each other; one process is a world of its own.

    All of them compute the same but for their share of the batch: their gradients are averaged, so their
    weights stay equal. The first one (rank 0) leads: it alone writes, hears signals, and decides.

    Args:
        rank: of this process, from 0.
        size: how many there are.
        decisions: what those on the CPU are exchanged by; None: alone.

    Every exchange raises SrbenchError where a process has gone.
    """

    def __init__(self, rank: int = 0, size: int = 1, decisions: dist.ProcessGroup | None = None) -> None:
        self.rank, self.size = rank, size
        self._decisions = decisions

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def share(self, batch: int) -> slice:
        """Which samples of a batch are this process's; together they are the batch of one process."""
        each = batch // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of one dtype by their mean over the processes, in place and in one exchange."""
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        self._sum(flat)
        flat /= self.size
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view(tensor.shape))

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """The same of gradients; one that is missing in some processes, by chance, counts as 0 there."""
        if self.size == 1:
            return
        has = torch.tensor([one.grad is not None for one in parameters], dtype=torch.int32)
        self._sum(has, self._decisions)
        for parameter, count in zip(parameters, has.tolist(), strict=True):
            if count and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        self.average([one.grad for one in parameters if one.grad is not None])

    def decide(self, *numbers: int) -> tuple[int, ...]:
        """What the leading process says; the others' own numbers do not count."""
        if self.size == 1:
            return numbers
        said = torch.tensor([int(number) if self.leads else 0 for number in numbers])
        self._sum(said, self._decisions)
        return tuple(said.tolist())

    def wait(self) -> None:
        """Come back when all processes are here."""
        self.decide(0)

    def _sum(self, tensor: Tensor, group: dist.ProcessGroup | None = None) -> None:
        try:
            dist.all_reduce(tensor, group=group)
        except RuntimeError as error:
            raise SrbenchError(GONE) from error


ALONE = World()
"""One process, which exchanges nothing."""


def check_shares(batch: int, processes: int) -> None:
    """That a batch can be shared out evenly.

    Raises:
        UsageError: it cannot.
    """
    if batch % processes:
        raise UsageError(
            f"--processes {processes} cannot share out a batch of {batch} patches evenly. Take a multiple of "
            "it as --batch, or another number of processes."
        )
