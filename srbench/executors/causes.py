"""How a process ended that did not say why → the likely cause, and the end of what it had said."""

import signal
from pathlib import Path

_LAST_LINES = 12
_LAST_BYTES = 1 << 15
_WIDEST = 200
_CRASHES = {
    signal.SIGSEGV: "it read or wrote memory that is not its own",
    signal.SIGBUS: "memory behind a file could not be had; perhaps a disk or /dev/shm is full",
    signal.SIGILL: "it used an instruction that this CPU does not have",
    signal.SIGFPE: "an impossible calculation",
    signal.SIGABRT: "a library gave up",
}


def cause_of(code: int | None, log: Path) -> str:
    """What ended a process, as a clause and what may be behind it, with the end of its log.

    Args:
        code: of its exit; negative: the signal that ended it; None: not known.
        log: what it said; may be missing.
    """
    return _told(code) + last_words(log, log.name)


def last_words(log: Path, name: str) -> str:
    """The end of a log, as a sentence that names it and lines below; empty where nothing was said.

    Of a crash that Python saw, its beginning is told, which says what was at work.

    Args:
        log: of a process that is gone; may be missing.
        name: what people are to find it by.
    """
    try:
        with log.open("rb") as file:
            file.seek(max(file.seek(0, 2) - _LAST_BYTES, 0))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    # Python's word on a crash begins with what was at work; what follows is of less and less use.
    crash = [number for number, line in enumerate(lines) if line.startswith("Fatal Python error")]
    end = lines[crash[-1] :][:_LAST_LINES] if crash else lines[-_LAST_LINES:]
    said = "\n".join(f"  {line.rstrip()[:_WIDEST]}" for line in end if line.strip())
    return said and f" Its last words, from {name}:\n{said}"


def _told(code: int | None) -> str:
    if code is None:
        return "was lost, and how is not known."
    if code == 1:  # as Python ends on an error, whose trace is in the log then
        return (
            "ended its process with exit code 1: on an error that nothing caught, or because a plugin or a "
            "library called for it (os._exit)."
        )
    if code >= 0:
        return (
            f"ended its process with exit code {code} and without a word. A plugin or a library called for "
            "that (os._exit)."
        )
    number = -code
    if number == signal.SIGKILL:
        return (
            "was killed (SIGKILL): by somebody, or perhaps by the kernel's out-of-memory killer; the "
            "kernel's log (dmesg) knows. Fewer runs at once (--jobs) or a smaller --batch take less memory."
        )
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    if number in _CRASHES:
        what = _CRASHES[signal.Signals(number)]
        return f"crashed ({name}): {what}. That is a fault in native code, of a library or a plugin."
    return f"was ended by {name}."
