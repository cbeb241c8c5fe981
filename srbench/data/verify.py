"""A set, compared with what is published of it: side by side, with the likely causes of what differs."""

import math
from collections.abc import Callable, Sequence
from typing import get_args

from srbench.data.causes import causes
from srbench.data.figures import means
from srbench.data.lookup import Seen
from srbench.data.verdict import Line, Verdict, all_fit, fits
from srbench.facts import DatasetFacts, Half
from srbench.progress import steps
from srbench.types import Dataset, Picture

HALVES: tuple[Half, ...] = get_args(Half)


def verify(
    name: str,
    facts: DatasetFacts,
    dataset: Dataset,
    halves: Sequence[Half] = HALVES,
    check: Callable[[], None] = lambda: None,
    *,
    quiet: bool = False,
) -> Verdict:
    """Compare a set with its facts.

    Args:
        name: the set's.
        facts: what is published.
        dataset: what is here.
        halves: which to look at.
        check: called once a picture; raises to stop.
        quiet: no progress bar.

    Raises:
        PictureError: a picture cannot be decoded.
    """
    lines: list[Line] = []
    pictures: dict[Half, Sequence[Picture]] = {
        half: getattr(dataset, half) for half in halves if half in facts.counts
    }
    for half, found in pictures.items():
        lines.append(_counted(f"{half} pictures", facts.counts[half], len(found)))
    seen = Seen(facts)
    total = sum(map(len, pictures.values()))
    with steps(f"comparing {name} with what is published", total, check, quiet=quiet) as tick:
        for half, found in pictures.items():
            for picture in found:
                seen.look(picture, scored=half == "test")
                tick()
    findings = list(seen.findings(complete=set(pictures) >= set(facts.counts)))
    if seen.sized:
        lines.append(_counted("pictures of a published size", seen.sized, seen.fitting))
    if "test" in pictures and facts.figures:
        here = means(seen.values) if seen.values else [math.nan] * len(facts.figures)
        for figure, value in zip(facts.figures, here, strict=True):
            lines.append(
                Line(f"{figure.rules}, luma dB", f"{figure.psnr:.2f}", f"{value:.2f}",
                     f"{value - figure.psnr:+.2f}", fits(value, figure))
            )  # fmt: skip
        if not all_fit(here, facts.figures) and not any(finding.is_fault for finding in findings):
            suspects = [one for one in pictures["test"] if one.name not in seen.recognised]
            with steps(f"looking for causes in {name}", len(suspects), check, quiet=quiet) as tick:
                findings += causes(facts, suspects, seen.values, here, tick)
    return Verdict(name, tuple(lines), tuple(findings), seen.described)


def _counted(what: str, published: int, here: int) -> Line:
    difference = f"{here - published:+d}" if here != published else "0"
    return Line(what, f"{published:,}", f"{here:,}", difference, here == published)
