"""A proof as sentences, and as a record for scripts."""

import json
from pathlib import Path

from srbench.prove import KILLED, WHOLE, Proof

PHASES = ("start-up", "training", "validation", "scoring")


def to_text(proof: Proof, kept: Path | None) -> str:
    """The verdict, then every file, then where the kills fell."""
    count = sum(proof.kills.values())
    kills = f"{count} kill" + ("" if count == 1 else "s")
    different = [name for name, is_same in proof.files.items() if not is_same]
    if proof.failure is not None:
        lines = [f"FAILED: after {kills}, the run could not be brought to its end. {proof.failure}"]
    elif different:
        lines = [
            f"UNEQUAL: {len(different)} of {len(proof.files)} files differ between the run with {kills} and "
            "the one left alone."
        ]
    else:
        lines = [f"EQUAL: all {len(proof.files)} files have the same SHA-256 with {kills} and without."]
    lines += [f"  {'equal    ' if is_same else 'DIFFERENT'}  {name}" for name, is_same in proof.files.items()]
    where = ", ".join(f"{proof.kills[phase]} in {phase}" for phase in PHASES)
    lines.append(f"Kills: {where}; {proof.while_saving} of them while a checkpoint was being written.")
    lines.append(
        f"{proof.steps:,} steps: {proof.whole_s:.0f} s left alone, {proof.killed_s:.0f} s in "
        f"{count + 1 + proof.too_late} sittings."
    )
    lines += proof.warnings
    if different and count:
        lines.append(
            "Whether it is resuming or the run itself that does not repeat, --kills 0 tells: there both runs "
            "are left alone."
        )
    elif different:
        lines.append(
            "Nothing was killed, so the run itself does not repeat: a component draws from something else "
            "than torch's generator, or an operation is not deterministic."
        )
    if kept is not None:
        lines.append(f"Both stores are in {kept}: {WHOLE} was left alone, {KILLED} was killed.")
    return "\n".join(lines) + "\n"


def to_json(proof: Proof, kept: Path | None) -> str:
    """One record."""
    record = {
        "equal": proof.is_equal,
        "steps": proof.steps,
        "files": [{"name": name, "equal": is_same} for name, is_same in proof.files.items()],
        "kills": sum(proof.kills.values()),
        "phases": {phase: proof.kills[phase] for phase in PHASES},
        "while_saving": proof.while_saving,
        "too_late": proof.too_late,
        "warnings": proof.warnings,
        "failure": proof.failure,
        "whole_s": round(proof.whole_s, 1),
        "killed_s": round(proof.killed_s, 1),
        "kept": str(kept) if kept else None,
    }
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"
