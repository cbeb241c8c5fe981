"""What a page says → one HTML file that needs nothing else, and stays small enough to send."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from srbench import __version__
from srbench.report.charts import last_values
from srbench.report.content import MOST_RUNS, Content, Looking, content_of, views_of
from srbench.report.embed import asset, island, plotly, policy, script
from srbench.report.paths import without_home
from srbench.store.runs import StoredRun, now

LIMIT = 15_000_000
"""Bytes that a page never exceeds."""

_SPECTRA = 400_000
"""Bytes kept for spectra and notes, which come after the pictures have been fitted in."""

_SCRIPTS = (
    "state.js",
    "table.js",
    "plots.js",
    "key.js",
    "legend.js",
    "curves.js",
    "trade.js",
    "spectra.js",
    "pixels.js",
    "captions.js",
    "viewer.js",
)


@dataclass(frozen=True)
class Page:
    """All that goes into a page, pictures fitted in.

    Args:
        content: everything but pictures.
        pictures, spectra: what is drawn from pictures.
        notes: what of them is left out.
    """

    content: Content
    pictures: Sequence[Mapping[str, Any]]
    spectra: Sequence[Mapping[str, Any]]
    notes: Sequence[str]

    def html(self, reload_s: float | None = None) -> str:
        """The file's text.

        Args:
            reload_s: seconds after which an open page loads itself again; None: it does not.
        """
        from jinja2 import Environment, PackageLoader, StrictUndefined

        environment = Environment(
            loader=PackageLoader("srbench.report"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["without_home"] = without_home
        sources = _sources()
        text = environment.get_template("page.html").render(
            content=self.content,
            last_values=last_values(self.content.curves),
            pictures=self.pictures,
            spectra=self.spectra,
            picture_notes=list(dict.fromkeys(self.notes)),
            style=script(asset("page.css")),
            scripts=[script(text) for text in sources],
            policy=policy(sources),
            island=island,
            reload_s=reload_s,
            version=__version__,
            made=now(),
        )
        # Half of a character, as in a path that is no UTF-8, is written out: it cannot stand in a file.
        return text.encode(errors="backslashreplace").decode()


def page_of(runs: Sequence[StoredRun], looking: Looking, check: Callable[[], None] = lambda: None) -> Page:
    """The page of the runs, of at most `LIMIT` bytes.

    Args:
        runs: from the store, with the baselines they are compared with.
        looking: what makes pictures.
        check: called between parts; raises to stop.
    """
    most = MOST_RUNS
    while True:
        content = content_of(runs, check, most=most)
        looked, notes = looking.at([run for run in runs if run.id in content.colours])
        room = LIMIT - _size(Page(content, [], [], notes)) - _SPECTRA
        pictures, spectra, more = views_of(looked, content.colours, max(0, room))
        page = Page(content, pictures, spectra, [*notes, *more])
        if _size(page) <= LIMIT or most <= 1:
            return page
        most = min(most, len(content.runs)) // 2


def _size(page: Page) -> int:
    return len(page.html(1.0).encode())


@cache
def _sources() -> tuple[str, ...]:
    """plotly.js and the page's own scripts, as they stand in it."""
    return tuple(str(script(text)) for text in (plotly(), *(asset(name) for name in _SCRIPTS)))
