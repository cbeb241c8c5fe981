"""Names and version of the checkpoint format; docs/checkpoints.md is its description for other programs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA = 1
MODEL = "model.safetensors"
STATE = "state.safetensors"
STATE_JSON = "state.json"
MANIFEST = "manifest.json"
HASHED = (MODEL, STATE, STATE_JSON)
"""The files whose SHA-256 the manifest holds: all that makes a checkpoint what it is."""

ASIDE = ".old"
"""What ends the name of a checkpoint while another takes its place; the name begins with a dot then."""

_MOST_DIGITS = 18
"""Of a step in a name; `int` refuses thousands of them."""


@dataclass(frozen=True)
class Checkpoint:
    """Everything of a run at one step.

    Args:
        step: steps trained.
        model: what is scored, `network.parameter` → tensor (the moving average where that is on).
        state: raw weights, optimizers, loss parameters: what training goes on from.
        scalars: plain data that goes with `state`: loss sums, best, scalers.
        manifest_sha256: SHA-256 of its manifest, where it was read from one.
    """

    step: int
    model: "dict[str, Tensor]"
    state: "dict[str, Tensor]"
    scalars: dict[str, Any]
    manifest_sha256: str = ""


UPGRADES: Mapping[int, Callable[[Checkpoint], Checkpoint]] = {}
"""Schema → what makes of a verified checkpoint one of the next schema. There is one schema so far."""


def folder_name(step: int) -> str:
    """`step-00001200`: names sort as steps do."""
    return f"step-{step:08d}"


def folders(root: Path) -> list[tuple[int, Path]]:
    """The checkpoints under `root` as (step, folder), oldest first; temporary ones are not among them.

    What has a checkpoint's name and is no folder counts, as a damaged one: not as if there were none.
    """
    found = []
    for path in root.glob("step-*"):
        digits = path.name.removeprefix("step-")
        if digits.isascii() and digits.isdecimal() and len(digits) <= _MOST_DIGITS:
            found.append((int(digits), path))
    return sorted(found)
