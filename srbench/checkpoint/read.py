"""Read a checkpoint after verifying every byte; fall back to the previous sound one, and say so."""

import hashlib
import logging
import stat
from pathlib import Path

import safetensors
import safetensors.torch

from srbench.checkpoint.format import (
    HASHED,
    MANIFEST,
    MODEL,
    SCHEMA,
    STATE,
    STATE_JSON,
    UPGRADES,
    Checkpoint,
    folders,
)
from srbench.errors import CheckpointError, NewerError
from srbench.files import parse_json

_LARGEST_JSON = 16 << 20
_LARGEST_HEADER = 100_000_000
"""Of a safetensors file, in bytes; the limit is its format's own."""

_log = logging.getLogger(__name__)

_UNPARSABLE = (
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    safetensors.SafetensorError,
)
"""What parsing raises on bytes that are something else, beside LookupError."""


def read_checkpoint(folder: Path, spec_sha256: str) -> Checkpoint:
    """The checkpoint in `folder`; what is returned is parsed from the very bytes that were hashed.

    Raises:
        NewerError: a newer srbench wrote it.
        CheckpointError: a file is missing or damaged, or it belongs to another run.
    """
    try:
        manifest_bytes = _read(folder / MANIFEST)
        manifest = parse_json(manifest_bytes)
        schema = manifest["schema"]
        if type(schema) is int and schema > SCHEMA:
            raise NewerError(
                f"it was written by a newer srbench: its format is {schema}, and this one reads {SCHEMA}"
            )
        if schema != SCHEMA and schema not in UPGRADES:
            raise CheckpointError(f"its format is {schema}, and this srbench reads {SCHEMA}")
        if manifest["spec_sha256"] != spec_sha256:
            raise CheckpointError("it belongs to a run with other settings")
        content = {name: _read(folder / name) for name in HASHED}
        for name, bytes_ in content.items():
            if hashlib.sha256(bytes_).hexdigest() != manifest["sha256"][name]:
                raise CheckpointError(f"SHA-256 of {name} differs")
        scalars = parse_json(content[STATE_JSON])
        step = scalars.pop("step")
        if step != manifest["step"] or folder.name != f"step-{step:08d}":
            raise CheckpointError("its step differs from its name")
        model = safetensors.torch.load(content[MODEL])
        state = safetensors.torch.load(content[STATE])
    except OSError as error:
        name = Path(error.filename).name if error.filename else "a file"
        raise CheckpointError(f"{name} cannot be read: {error.strerror}") from error
    except MemoryError as error:
        raise CheckpointError("it does not fit into memory") from error
    except (LookupError, *_UNPARSABLE) as error:
        raise CheckpointError(f"it cannot be parsed: {type(error).__name__} {str(error)[:200]}") from error
    checkpoint = Checkpoint(step, model, state, scalars, hashlib.sha256(manifest_bytes).hexdigest())
    while schema < SCHEMA:
        checkpoint, schema = UPGRADES[schema](checkpoint), schema + 1
    return checkpoint


def _read(path: Path) -> bytes:
    """The bytes of a regular file; nothing else is opened, and no more is read than it can rightly hold.

    A pipe in a file's place would block for ever, and a file that grew to terabytes would fill the memory
    before its hash is known.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise CheckpointError(f"{path.name} is no file")
    if status.st_size > _largest(path):
        raise CheckpointError(f"{path.name} is longer than its content")
    return path.read_bytes()


def _largest(path: Path) -> int:
    """How long a file may be: as its own header says, if it is safetensors."""
    if path.name not in (MODEL, STATE):
        return _LARGEST_JSON
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _LARGEST_HEADER:
            raise CheckpointError(f"the header of {path.name} is damaged")
        header = parse_json(file.read(length))
    ends = [one["data_offsets"][1] for name, one in header.items() if name != "__metadata__"]
    return 8 + length + max(ends, default=0)


def read_latest(root: Path, spec_sha256: str, run_id: str) -> Checkpoint | None:
    """The newest sound checkpoint under `root`; None where there never was one.

    Each damaged one on the way is named in a warning, with what going back costs.

    Raises:
        NewerError: one that a newer srbench wrote is newer than all sound ones: it is not passed over.
        CheckpointError: there are checkpoints and none is sound.
    """
    damaged: list[tuple[int, str, str]] = []
    for step, folder in reversed(folders(root)):
        try:
            checkpoint = read_checkpoint(folder, spec_sha256)
        except NewerError as error:
            raise NewerError(
                f"Checkpoint {folder.name} of {run_id} is not read: {error}. Update srbench and give the "
                "same command; going on from an older one would lose what it holds. If you want that, remove "
                f"{folder}."
            ) from error
        except CheckpointError as error:
            damaged.append((step, folder.name, str(error)))
            continue
        for lost, name, reason in damaged:
            _log.warning(
                "Checkpoint %s of %s is damaged (%s). Resuming from %s; %s steps are trained again.",
                name, run_id, reason, folder.name, f"{lost - step:,}",
            )  # fmt: skip
        return checkpoint
    if damaged:
        reasons = "; ".join(f"{name}: {reason}" for _, name, reason in damaged)
        raise CheckpointError(
            f"No checkpoint of {run_id} is sound ({reasons}). Restore {root} from a copy, or remove the run "
            f"(srbench runs rm {run_id}) to train it again from the start."
        )
    return None
