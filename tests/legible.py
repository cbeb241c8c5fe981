"""Whether the text of a figure can be read where it will be printed: looked at as it is drawn."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from srbench.plots.style import paper

LEAST_POINTS = 7
_SLACK = 0.5
"""Pixels that boxes of text may share at each side: they are taller than what is drawn."""


def drawn_texts(figure: Figure, dpi: int = 300) -> list[tuple[Text, Bbox]]:
    """Every text that is drawn, with its place in pixels."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    found = []
    for text in figure.findobj(Text):
        shown = text.get_visible() and text.get_text().strip()
        axis_off = text.axes is not None and not (text.axes.axison or text is text.axes.title)
        if shown and not axis_off:
            found.append((text, text.get_window_extent(renderer)))
    return [(text, box) for text, box in found if _is_drawn(text, figure)]


def _is_drawn(text: Text, figure: Figure) -> bool:
    """Numbers of ticks outside the view are objects that are never drawn."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            ticks = [*axis.majorTicks, *axis.minorTicks]
            if any(text in (one.label1, one.label2) for one in ticks):
                return any(text in (one.label1, one.label2) for one in axis._update_ticks())
    return True


def check(figure: Figure) -> None:
    """That no two texts overlap, and none leaves the figure, lies in a panel, or is small."""
    for dpi in (300, 100):
        with paper():
            _check(figure, drawn_texts(figure, dpi))


def _check(figure: Figure, texts: list[tuple[Text, Bbox]]) -> None:
    assert texts
    whole = figure.bbox
    for text, box in texts:
        assert text.get_fontsize() >= LEAST_POINTS, text
        sides = [box.x0, box.y0, whole.x1 - box.x1, whole.y1 - box.y1]
        assert min(sides) >= -1, f"{text} leaves the figure: {box}"
        for axes in figure.axes:
            assert _shared(box, axes.get_window_extent()) == 0, f"{text} lies in a panel"
    for at, (text, box) in enumerate(texts):
        for other, other_box in texts[:at]:
            assert _shared(box, other_box) == 0, f"{text} and {other} overlap: {box} {other_box}"


def _shared(one: Bbox, other: Bbox) -> float:
    """The area two boxes share, but for a little at their rims."""
    across = min(one.x1, other.x1) - max(one.x0, other.x0) - 2 * _SLACK
    up = min(one.y1, other.y1) - max(one.y0, other.y0) - 2 * _SLACK
    return max(0.0, across) * max(0.0, up)
