"""What an HTML page holds, for tests of pages: its elements, their attributes, its text and data."""

import json
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "link", "input", "br", "img", "hr"}


class Paged(HTMLParser):
    """A page, read.

    `elements` has tag and attributes of each; `texts` the text of each `bdi`; `cells` the words of the first
    table, a list a row; `data` the page's data by name.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.cells: list[list[str]] = []
        self.data: dict[str, Any] = {}
        self.scripts: list[str] = []
        self._open: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._tables = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "table":
            self._tables += 1
        if tag == "tr" and self._tables == 1:
            self.cells.append([])
        if tag not in VOID:
            self._open.append((tag, dict(attrs), []))

    def handle_data(self, data: str) -> None:
        for _, _, words in self._open:
            words.append(data)

    def handle_endtag(self, tag: str) -> None:
        name, attributes, words = self._open.pop()
        assert name == tag, f"</{tag}> ends <{name}>"
        text = "".join(words)
        if tag == "bdi":
            self.texts.append(text)
        if tag in ("td", "th") and self._tables == 1:
            self.cells[-1].append(" ".join(text.split()))
        if tag == "script" and (attributes.get("id") or "").startswith("data-"):
            self.data[str(attributes["id"])[5:]] = json.loads(text)
        elif tag == "script":
            self.scripts.append(text)
