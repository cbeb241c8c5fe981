"""Write a checkpoint whole or not at all: temporary folder, fsync, manifest last, rename."""

import hashlib
import shutil
from pathlib import Path

import safetensors.torch
import torch

from srbench.checkpoint.format import (
    ASIDE,
    MANIFEST,
    MODEL,
    SCHEMA,
    STATE,
    STATE_JSON,
    Checkpoint,
    folder_name,
    folders,
)
from srbench.checkpoint.read import read_checkpoint
from srbench.errors import CheckpointError
from srbench.files import cannot_write, canonical_json, sync_directory, sync_file


def write_checkpoint(root: Path, checkpoint: Checkpoint, spec_sha256: str) -> Path:
    """Store `checkpoint` as `root/step-XXXXXXXX` and return that folder.

    Args:
        root: the run's `checkpoints` folder; made if need be, in a run's folder that is there.
        checkpoint: what to store. Tensors may be on any device and of any memory format.
        spec_sha256: hash of the run's canonical spec, so that no other run can take it for its own.

    Raises:
        StoreError: the disk is full or the folder cannot be written; older checkpoints are untouched.
    """
    final = root / folder_name(checkpoint.step)
    temporary = root / f".{final.name}.tmp"
    try:
        root.mkdir(exist_ok=True)  # no parents: a run that was removed is not begun again in its middle
        _remove(temporary)
        temporary.mkdir()
        scalars = {"step": checkpoint.step, **checkpoint.scalars}
        sha256 = {
            MODEL: _write(temporary / MODEL, _serialise(checkpoint.model)),
            STATE: _write(temporary / STATE, _serialise(checkpoint.state)),
            STATE_JSON: _write(temporary / STATE_JSON, canonical_json(scalars).encode()),
        }
        manifest = {
            "schema": SCHEMA,
            "spec_sha256": spec_sha256,
            "step": checkpoint.step,
            "sha256": sha256,
        }
        _write(temporary / MANIFEST, canonical_json(manifest).encode())
        sync_directory(temporary)
        # One of that name may be there: damaged, or of the same step before it was evaluated.
        aside = root / f".{final.name}{ASIDE}"
        if final.exists() or final.is_symlink():
            final.rename(aside)
        temporary.rename(final)
        sync_directory(root)
        _remove(aside)
        # So are later ones: left there, they would be counted as the newest and push out sound ones.
        for step, path in folders(root):
            if step > checkpoint.step:
                _remove(path)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise cannot_write(final, error) from error
    return final


def finish_replacing(root: Path, spec_sha256: str) -> None:
    """Where a process was killed while it replaced a checkpoint, keep the one of the two that is sound.

    The caller holds the run.
    """
    for aside in root.glob(f".step-*{ASIDE}"):
        final = root / aside.name[1:].removesuffix(ASIDE)
        try:
            read_checkpoint(final, spec_sha256)
        except CheckpointError:
            _remove(final)
            aside.rename(final)
        else:
            _remove(aside)


def prune(root: Path, keep: int, best: int | None) -> None:
    """Remove all checkpoints but the last `keep` and the one at step `best`, and stale temporaries."""
    found = folders(root)
    for step, path in found[: max(len(found) - keep, 0)]:
        if step != best:
            _remove(path)
    for stale in root.glob(".step-*.tmp"):
        _remove(stale)


def _remove(path: Path) -> None:
    """Away with a checkpoint, or with whatever bears its name."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _serialise(tensors: dict[str, torch.Tensor]) -> bytes:
    # safetensors knows one memory format. No metadata: with two keys or more its order would vary.
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # Two names for one storage (tied weights) are stored twice; loading ties them again.
    return bytes(safetensors.torch.save({name: tensor.clone() for name, tensor in plain.items()}))


def _write(path: Path, content: bytes) -> str:
    """Store `content`; returns its SHA-256: of what was meant, whatever the drive makes of it."""
    with path.open("wb") as file:
        file.write(content)
        sync_file(file)
    return hashlib.sha256(content).hexdigest()
