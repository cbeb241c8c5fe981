"""Weights alone, in one file that other programs read: what is scored, with what it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch

from srbench.checkpoint.format import Checkpoint
from srbench.files import canonical_json, write_atomic

METADATA_KEY = "srbench"
"""The one key of the metadata: with two, their order in the file would vary from time to time."""


def write_export(path: Path, checkpoint: Checkpoint, run_id: str, spec: Mapping[str, Any]) -> None:
    """Store the weights of `checkpoint` as a safetensors file; equal weights give equal bytes.

    Its metadata is canonical JSON with `run`, `step` and `spec`, the whole specification.

    Raises:
        StoreError: it cannot be written; a file of that name is untouched.
    """
    described = canonical_json({"run": run_id, "step": checkpoint.step, "spec": spec})
    tensors = {name: tensor.contiguous() for name, tensor in checkpoint.model.items()}
    write_atomic(path, safetensors.torch.save(tensors, {METADATA_KEY: described}))
