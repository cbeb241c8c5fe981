"""Exact resume, proved: a run left alone, the same run killed again and again, and their hashes.

__init__.py   both runs → a proof
hashes.py     what must be equal
aims.py       where kills are to fall
sitting.py    one process, from its start to its end or its kill
show.py       a proof as sentences and as a record
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from srbench.errors import SrbenchError, UsageError
from srbench.progress import bar
from srbench.prove.aims import Aim, Pace, aims_of, pace_of
from srbench.prove.hashes import hashes
from srbench.prove.sitting import Sitting, sit

WHOLE, KILLED = "whole", "killed"
"""The two stores, in the folder of a proof."""

_SHORTEST_SILENCE_S = 120.0
_EVALUATIONS = 6
_MOST_IN_VAIN = 3
"""Runs in a row that end before any kill comes; on a busy machine one may."""


@dataclass
class Proof:
    """What came of a comparison.

    Args:
        steps: of the run.
        files: path in the store → whether both runs have it with the same bytes.
        kills: phase → how many kills fell there.
        while_saving: how many of them fell while a checkpoint was being written.
        too_late: how many came when the process had already ended; they are not counted and were made up for.
        warnings: of the killed run, beyond those of the one left alone.
        failure: why the killed run did not come to its end; None: it did.
        whole_s: seconds that the run left alone took.
        killed_s: seconds that all sittings of the killed one took.
    """

    steps: int
    files: dict[str, bool] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)
    while_saving: int = 0
    too_late: int = 0
    warnings: list[str] = field(default_factory=list)
    failure: str | None = None
    whole_s: float = 0.0
    killed_s: float = 0.0

    @property
    def is_equal(self) -> bool:
        """Whether the killed run came to its end, and every file is the same."""
        return self.failure is None and bool(self.files) and all(self.files.values())


def prove(
    arguments: Sequence[str],
    steps: int,
    kills: int,
    folder: Path,
    check: Callable[[], None],
    *,
    seed: int = 0,
    quiet: bool = False,
) -> Proof:
    """Train a run twice, the second time with kills, and compare what both end with.

    The run left alone saves as `srbench run` does, and the killed one after every step: that is no part of
    what must be equal.

    Args:
        arguments: of `srbench run`, without budget, cadence and store: what the run is.
        steps: how far to train.
        kills: how many times to kill the second run; 0: both are left alone.
        folder: for the stores `whole` and `killed`.
        check: called while waiting; raises to stop.
        seed: of the moments to aim at.
        quiet: no progress bar.

    Raises:
        UsageError: there is no such run, or none to resume.
        SrbenchError: the run fails even without kills.
    """
    grid = max(steps // _EVALUATIONS, 1)
    line = ["run", *arguments, "--steps", str(steps), "--eval-every", str(grid), "--metric", "psnr"]
    proof = Proof(steps)
    with bar("prove-resume", kills + 2, quiet=quiet) as shown:
        whole = sit([*line, "--results", str(folder / WHOLE)], check)
        if whole.code:
            kind = UsageError if whole.code == UsageError.exit_code else SrbenchError
            raise kind(whole.last_words or f"The run ended with exit code {whole.code}.")
        proof.whole_s = whole.seconds
        pace = pace_of(whole.moments, steps)
        shown.advance()
        shown.say(f"prove-resume: left alone, the run took {whole.seconds:.0f} s; now with kills.")

        def one(store: Path, aim: Aim | None, pace: Pace) -> Sitting:
            silence_s = max(_SHORTEST_SILENCE_S, 10 * whole.seconds)
            killed_line = [*line, "--save-every", "0", "--results", str(store)]
            sitting = sit(killed_line, check, aim, pace, silence_s)
            proof.killed_s += sitting.seconds
            _note(proof, sitting, whole)
            if sitting.killed:
                where = sitting.phase(steps) + (", saving" if sitting.was_saving else "")
                shown.say(f"prove-resume: kill {sum(proof.kills.values())} of {kills}: {where}")
            shown.advance()
            return sitting

        left = aims_of(kills, pace, random.Random(seed))
        stores: list[Path] = []
        in_vain = 0
        while proof.failure is None and (left or not stores):
            stores.append(folder / (KILLED if not stores else f"{KILLED}-{len(stores) + 1}"))
            before = len(left)
            while one(stores[-1], left[0] if left else None, pace).killed:
                left = left[1:]
            if left and proof.failure is None:
                proof.too_late += 1
                in_vain = in_vain + 1 if len(left) == before else 0
                if in_vain == _MOST_IN_VAIN:
                    raise UsageError("The run is over before a kill can reach it. Give it more --steps.")
    if proof.failure is None:
        theirs = hashes(folder / WHOLE)
        for store in stores:
            mine = hashes(store)
            for name in sorted(theirs.keys() | mine.keys()):
                is_same = mine.get(name) == theirs.get(name)
                proof.files[name] = proof.files.get(name, True) and is_same
    return proof


def _note(proof: Proof, sitting: Sitting, whole: Sitting) -> None:
    """Count a kill, and keep what a sitting said that the run left alone did not."""
    for text in sitting.said:
        if text.startswith("WARNING:") and text not in whole.said and text not in proof.warnings:
            proof.warnings.append(text)
    if sitting.killed:
        proof.kills[sitting.phase(proof.steps)] += 1
        proof.while_saving += sitting.was_saving
    elif sitting.code is None:
        proof.failure = f"It said nothing for too long and was ended. {sitting.last_words}".rstrip()
    elif sitting.code:
        proof.failure = f"It ended with exit code {sitting.code}. {sitting.last_words}".rstrip()
