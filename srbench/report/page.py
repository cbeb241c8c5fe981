"""What a page says → one HTML file that needs nothing else, and stays small enough to send."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from srbench import __version__
from srbench.report.content import MOST_RUNS, Content, Looking, content_of, views_of
from srbench.report.embed import asset, island, plotly, policy, script
from srbench.store.runs import StoredRun, now

LIMIT = 15_000_000
"""Bytes that a page never exceeds."""

_SPECTRA = 400_000
"""Bytes kept for spectra and notes, which come after the pictures have been fitted in."""

_SCRIPTS = ("state.js", "table.js", "plots.js", "curves.js", "trade.js", "spectra.js", "pixels.js", "viewer.js")


def page_of(
    runs: Sequence[StoredRun],
    looking: Looking | None,
    check: Callable[[], None] = lambda: None,
    *,
    reload_s: float | None = None,
) -> str:
    """The page of the runs.

    Args:
        runs: from the store, with the baselines they are compared with.
        looking: what makes pictures; None: a page without.
        check: called between parts; raises to stop.
        reload_s: seconds after which an open page loads itself again; None: it does not.
    """
    most = MOST_RUNS
    while True:
        content = content_of(runs, check, most=most)
        looked, notes = looking.at([run for run in runs if run.id in content.colours]) if looking else ([], [])
        empty = len(_render(content, [], [], notes, reload_s).encode())
        room = LIMIT - empty - _SPECTRA
        pictures, spectra, more = views_of(looked, content.colours, max(0, room))
        page = _render(content, pictures, spectra, [*notes, *more], reload_s)
        if len(page.encode()) <= LIMIT or most <= 1:
            return page
        most = min(most, len(content.runs)) // 2


@cache
def _sources() -> tuple[str, ...]:
    """plotly.js and the page's own scripts, as they stand in it."""
    return tuple(str(script(text)) for text in (plotly(), *(asset(name) for name in _SCRIPTS)))


def _render(
    content: Content,
    pictures: Sequence[Mapping[str, Any]],
    spectra: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
    reload_s: float | None,
) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("srbench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sources = _sources()
    return environment.get_template("page.html").render(
        content=content,
        pictures=pictures,
        spectra=spectra,
        picture_notes=list(dict.fromkeys(notes)),
        style=script(asset("page.css")),
        scripts=[script(text) for text in sources],
        policy=policy(sources),
        island=island,
        reload_s=reload_s,
        version=__version__,
        made=now(),
    )
