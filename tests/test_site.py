"""The site of docs/: no warning, no request to another machine, and what a code host shows of the pages."""

import collections
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

import srbench
from srbench import api

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").glob("*/README.md"),
        *(ROOT / one for one in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md")),
    ]
)
WRITTEN = [page for page in PAGES if page.parent.name != "reference"]
"""Pages that are not drawn from docstrings."""


def build(config, to):
    """Not `-q`: a warning that is not printed is not counted."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "-f", str(config), "-d", str(to)],
        capture_output=True, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT / "mkdocs.yml", folder)
    assert done.returncode == 0, done.stderr
    return folder


def page_of(site, source):
    name = source.relative_to(ROOT).with_suffix(".html")
    return site / (name.with_name("index.html") if name.stem == "README" else name)


def test_every_page_is_in_the_site(site):
    built = {path.relative_to(site) for path in site.rglob("*.html")} - {Path("404.html")}
    assert built == {page_of(site, page).relative_to(site) for page in PAGES}


# What ends a build


def small_site(folder, start, **others):
    """What comes of building these pages by srbench's own settings."""
    (folder / "pages").mkdir()
    for name, text in {"README": start, **others}.items():
        (folder / "pages" / f"{name}.md").write_text(text, encoding="utf-8")
    config = f"INHERIT: {ROOT / 'mkdocs.yml'}\ndocs_dir: pages\nnav: [README.md]\nextra_css: []\n"
    (folder / "mkdocs.yml").write_text(config, encoding="utf-8")
    return build(folder / "mkdocs.yml", folder / "site")


def test_mistakes_end_the_build_and_each_is_named(tmp_path):
    code = 'def call():\n    """Calls.\n\n    Args:\n        volume: much.\n    """\n'
    (tmp_path / "loud.py").write_text(code, encoding="utf-8")
    links = "[no page](none.md) [no anchor](#none) [absolute](/README.md) [no file](other)"
    done = small_site(tmp_path, f"# Start\n\n{links}\n\n::: loud.call\n")
    assert done.returncode == 1
    warnings = [line for line in done.stderr.splitlines() if line.startswith("WARNING")]
    for part in ("'none.md'", "'#none'", "'/README.md'", "'other'", "'volume'"):
        assert any(part in line for line in warnings), part


def test_a_name_that_is_not_there_ends_the_build(tmp_path):
    (tmp_path / "quiet.py").touch()
    done = small_site(tmp_path, "# Start\n\n::: quiet.nowhere\n")
    assert done.returncode == 1
    assert "quiet.nowhere" in done.stderr


def test_a_page_that_is_in_no_menu_ends_the_build(tmp_path):
    done = small_site(tmp_path, "# Start", lost="# In no menu")
    assert done.returncode == 1
    assert "lost.md" in done.stderr


# No other machine is asked

ASKS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "video": "src"}


class Requests(HTMLParser):
    """What a page loads without being clicked on."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.found += [given[ASKS[tag]]] if given.get(ASKS.get(tag)) else []
        self.found += (
            ["mermaid"] if "mermaid" in given.get("class", "").split() else []
        )  # drawn by a script from afar


def test_no_page_loads_anything_from_elsewhere(site):
    for path in site.rglob("*.html"):
        requests = Requests()
        requests.feed(path.read_text(encoding="utf-8"))
        assert len(requests.found) > 5
        assert not [one for one in requests.found if re.match(r"[a-z]+:|//|mermaid", one)], path


def test_no_style_loads_anything_from_elsewhere(site):
    styles = [*site.rglob("*.css"), *site.rglob("*.html")]
    assert len(styles) > len(PAGES)
    for path in styles:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"url\(\s*[\"']?(?:https?:)?//|@import", text), path


# Rendered as on a code host

COUNTED = (
    *("h1", "h2", "h3", "h4", "p", "ul", "ol", "li", "table", "tr", "th", "td"),
    *("pre", "code", "strong", "em", "a", "img", "blockquote", "hr"),
)


class Elements(HTMLParser):
    """How often each element stands in a text, and what is not in elements; all of a page, or its article."""

    def __init__(self, *, within=None):
        super().__init__()
        self.inside = within is None
        self.within = within
        self.counts = collections.Counter()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.inside = self.inside or tag == self.within
        if self.inside and given.get("class") != "headerlink":
            self.counts[tag] += 1

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != self.within


@pytest.mark.parametrize("source", WRITTEN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_page_has_the_lists_tables_and_headings_that_a_code_host_shows(site, source):
    """Python-Markdown wants blank lines and indents that CommonMark does not ask for."""
    hosted, built = Elements(), Elements(within="article")
    hosted.feed(MarkdownIt("commonmark").enable("table").render(source.read_text(encoding="utf-8")))
    built.feed(page_of(site, source).read_text(encoding="utf-8"))
    assert {tag: built.counts[tag] for tag in COUNTED} == {tag: hosted.counts[tag] for tag in COUNTED}


# What is drawn from docstrings


def headings(page):
    return set(re.findall(r'<h2 id="([^"]+)"', page.read_text(encoding="utf-8")))


def test_every_name_of_the_api_is_in_its_reference(site):
    found = headings(site / "docs/reference/api.html")
    assert found == {f"srbench.api.{name}" for name in api.__all__}


def test_every_function_of_srbench_is_in_its_reference(site):
    found = headings(site / "docs/reference/python.html")
    assert found >= {f"{module}.{name}" for name, module in srbench._LAZY.items()}


# In a browser


@pytest.mark.slow
def test_the_site_is_read_and_searched_from_disk_in_a_browser_and_nothing_leaves_it(site):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium")
    asked, said = [], []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 400, "height": 800})
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        for source in PAGES:
            page.goto(page_of(site, source).as_uri())
            page.wait_for_function("document.documentElement.classList.contains('js')")
            assert page.evaluate("document.documentElement.scrollWidth") == 400, source
        page.locator("label[for=__search]").first.click()
        page.get_by_role("textbox", name="Search").press_sequentially("over-smoothed")
        page.locator(".md-search-result__link").first.click()
        page.wait_for_url("**/*.html?h=*")
        browser.close()
    assert len(asked) > len(PAGES)
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
    assert not said
