"""Everything of a store that resuming must not change, as hashes."""

from collections.abc import Iterator
from pathlib import Path

from srbench.checkpoint.format import HASHED, MANIFEST, folders
from srbench.files import sha256_file
from srbench.store.layout import RunPaths


def hashes(results: Path) -> dict[str, str]:
    """SHA-256 of the bytes of each file that is a pure function of spec and engine, by its path in the store.

    Of every run: all files of its newest checkpoint, history, scores and summary. `run.json` and
    `timings.jsonl` hold times and are left out; older checkpoints depend on when it was saved.

    Raises:
        FileNotFoundError: a run has not been scored, or a file of its newest checkpoint is missing.
    """
    return {
        path.relative_to(results).as_posix(): sha256_file(path)
        for directory in sorted(results.glob("[!.]*"))
        for path in _deterministic(RunPaths(directory))
    }


def _deterministic(paths: RunPaths) -> Iterator[Path]:
    for _, folder in folders(paths.checkpoints)[-1:]:
        yield from (folder / name for name in (*HASHED, MANIFEST))
    if paths.history.exists():  # what is not trained has none
        yield paths.history
    yield paths.scores
    yield paths.summary
