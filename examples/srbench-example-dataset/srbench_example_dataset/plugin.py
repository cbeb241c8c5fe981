"""What this package gives to srbench. It loads no numpy, so that listing plugins stays fast."""

from srbench.api import RegisterDataset, hookimpl

SRBENCH_API = 1
"""The version of `srbench.api` that this package is written for."""


@hookimpl
def register_datasets(register: RegisterDataset) -> None:
    """Name the data set."""
    register("snapshots", "srbench_example_dataset.dataset:build")
