"""What this plugin registers: a network, and a trainer for it."""

from srbench.api import RegisterModel, RegisterTrainer, hookimpl

SRBENCH_API = 1
"""The version of `srbench.api` that this package is written for."""


@hookimpl
def register_models(register: RegisterModel) -> None:
    """The network; unless told otherwise it is trained by the trainer below."""
    recipe = {"loss": "flow", "lr": 1e-3, "batch": 8, "patch": 48, "steps": 1000}
    register("velocity", "srbench_example_flow.network:Velocity", recipes={"default": recipe})


@hookimpl
def register_trainers(register: RegisterTrainer) -> None:
    """The trainer."""
    register("flow", "srbench_example_flow.trainer:Flow")
