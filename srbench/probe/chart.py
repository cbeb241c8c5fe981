"""What losses ask for, as a chart: pull over frequency, and below it where the error lies."""

from typing import TYPE_CHECKING

from srbench.probe import Probe
from srbench.probe.show import nyquist, title
from srbench.probe.spectrum import pull, share, single_rings, total

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def chart(found: Probe) -> "Figure":
    """A figure for `srbench.figures.write_figure`."""
    from matplotlib.figure import Figure

    rings = single_rings(found.window)
    frequencies = [ring.start / found.window for ring in rings]
    figure = Figure(figsize=(8, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.axhline(1, color="0.6", linewidth=1, linestyle=":")
    for label, planes in found.rings.items():
        upper.plot(frequencies, pull(total(planes.values()), rings), marker=".", label=label)
    together = total(next(iter(found.rings.values())).values())
    lower.bar(frequencies, share(together, rings), width=0.8 / found.window, color="0.6")
    for axes in (upper, lower):
        axes.axvline(nyquist(found), color="0.3", linewidth=1, linestyle="--")
    upper.annotate(
        "LR Nyquist", (nyquist(found), 1), xycoords=("data", "axes fraction"),
        xytext=(4, -12), textcoords="offset points", color="0.3",
    )  # fmt: skip
    upper.set_ylabel("pull towards HR (l2 = 1)")
    lower.set_ylabel("share of error")
    lower.set_xlabel("cycles per pixel")
    upper.set_title(title(found).replace(" · ", "\n", 1), fontsize="medium")
    upper.legend()
    return figure
