"""Likely causes of figures that are off, where no single picture is known to be wrong: each is tried."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from srbench.data.figures import PER_PICTURE, bicubic_psnr, means
from srbench.data.traces import has_one_channel, is_grey, rgb_pixels, was_jpeg
from srbench.data.verdict import Finding, all_fit, direction
from srbench.facts import DatasetFacts
from srbench.types import Picture

_ENLARGED_DB = 42.0  # bicubic ×2 gives photographs back at 25 to 37 dB, copies enlarged ×2 at 43 or more


def causes(
    facts: DatasetFacts,
    suspects: Sequence[Picture],
    values: Mapping[str, Sequence[float]],
    here: Sequence[float],
    tick: Callable[[], None],
) -> Iterator[Finding]:
    """Why figures may be off: would they fit without it?

    Args:
        facts: what is published.
        suspects: pictures that are not known to be the published ones.
        values: picture → its value of each figure, of all pictures.
        here: their means.
        tick: called once a suspect; raises to stop.
    """
    swapped: dict[str, list[float]] = {}
    rgb: dict[str, list[float]] = {}
    traced, enlarged, grey = [], [], []
    for picture in suspects:
        pixels, one_channel = rgb_pixels(picture), has_one_channel(picture)
        swapped[picture.name] = bicubic_psnr(pixels[..., ::-1].copy(), facts.figures, grey=one_channel)
        rgb[picture.name] = bicubic_psnr(pixels, facts.figures, grey=one_channel, planes=("r", "g", "b"))
        (own,) = bicubic_psnr(pixels, [PER_PICTURE], grey=one_channel)
        if own > _ENLARGED_DB:
            enlarged.append(picture.name)
        if not facts.from_jpeg and was_jpeg(pixels):
            traced.append(picture.name)
        if is_grey(pixels):
            grey.append(picture.name)
        tick()
    if len(grey) <= len(values) / 2:
        grey = []  # a few may well be
    findings = [
        *(
            Finding(name, "enlarged copy, by another resampler: bicubic ×2 gives it back")
            for name in enlarged
        ),
        *(Finding(name, "JPEG copy: its pixels are rounded as JPEG does") for name in traced),
        *(Finding(name, "grey copy: its colours are gone") for name in grey),
    ]
    if all_fit(means({**values, **rgb}), facts.figures):
        findings.append(Finding("", "RGB against luma: the published figures are what RGB gives here"))
    findings += _swapped(facts, values, swapped)
    if not findings:
        off = [value - figure.psnr for value, figure in zip(here, facts.figures, strict=True)]
        findings.append(Finding("", f"the pictures are {direction(max(off, key=abs))}"))
    yield from findings


def _swapped(
    facts: DatasetFacts, values: Mapping[str, Sequence[float]], swapped: Mapping[str, Sequence[float]]
) -> list[Finding]:
    """Red and blue exchanged in all pictures, or in one: whichever brings the figures nearest."""
    guesses = {"": means({**values, **swapped})}
    guesses |= {name: means({**values, name: one}) for name, one in swapped.items()}
    fitting = {name: guess for name, guess in guesses.items() if all_fit(guess, facts.figures)}
    if not fitting:
        return []

    def distance(name: str) -> float:
        pairs = zip(fitting[name], facts.figures, strict=True)
        return sum(abs(value - figure.psnr) for value, figure in pairs)

    name = min(fitting, key=distance)
    how = ", perhaps" if name else " throughout"
    return [Finding(name, f"swapped channels{how}: the figures fit with red and blue exchanged")]
