"""How a job ended that gave nothing back, in words."""

from collections.abc import Mapping
from pathlib import Path

from srbench.api import last_words

_SHELL = 128
"""What a shell adds to the number of the signal that ended its command."""
_STATES = {
    "TIMEOUT": "reached Slurm's time limit before the run had saved. Give it more time (time=…), or an "
    "earlier warning (warning_s=…).",
    "OUT_OF_MEMORY": "ran out of the memory that Slurm gave it. Ask for more (mem=…), or take a smaller "
    "--batch.",
    "NODE_FAIL": "lost its node.",
    "BOOT_FAIL": "lost its node, which did not boot.",
    "DEADLINE": "was ended at its deadline.",
}


def told(ended: Mapping[str, str], log: Path) -> str:
    """A clause that goes on after the job's name, with the end of its log.

    Args:
        ended: some of `JobState`, `Reason`, `ExitCode` (`code:signal`), as Slurm has them.
        log: what the job wrote; may be missing.
    """
    return _cause(ended) + last_words(log, str(log))


def _cause(ended: Mapping[str, str]) -> str:
    state = ended.get("JobState")
    if state in _STATES:
        return _STATES[state]
    if state is None:
        return "ended, and how is not known: Slurm has forgotten it, and keeps no accounts."
    code, _, signal = ended.get("ExitCode", "").partition(":")
    if signal in ("", "0") and code.isdecimal() and int(code) > _SHELL:
        signal = str(int(code) - _SHELL)
    if signal not in ("", "0"):
        return (
            f"was ended by signal {signal} ({state}): by somebody, or because it took more memory than there "
            "was. Ask for more (mem=…) if that is so."
        )
    reason = ended.get("Reason", "None")
    more = "" if reason in ("None", "NonZeroExitCode") else f", {reason}"
    return f"ended with exit code {code or 'unknown'} ({state}{more})."
