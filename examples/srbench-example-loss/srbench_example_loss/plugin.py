"""What this package gives to srbench. It loads no torch, so that listing plugins stays fast."""

from srbench.api import RegisterLoss, hookimpl

SRBENCH_API = 1
"""The version of `srbench.api` that this package is written for."""


@hookimpl
def register_losses(register: RegisterLoss) -> None:
    """Name the loss. It declares no laws: it is zero nowhere, and what it remembers is of whole batches."""
    register("balanced", "srbench_example_loss.loss:Balanced")
