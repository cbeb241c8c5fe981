"""The page in a real browser, driven as a person would."""

import os
from pathlib import Path

import pytest
from browsed import opened
from hostile import HOSTILE, hostile_page
from stored import realistic

from srbench.report.content import Looking
from srbench.report.page import page_of
from srbench.store.runs import list_runs

pytestmark = pytest.mark.slow

BICUBIC = 2
"""Number of its pane."""


GIVEN = os.environ.get("SRBENCH_TEST_REPORT")
"""A page of runs with r, g and b of their own to drive in place of that of three tiny runs."""


@pytest.fixture(scope="module")
def file(request, tmp_path_factory) -> Path:
    """The page."""
    if GIVEN:
        return Path(GIVEN)
    pictured_store = request.getfixturevalue("pictured_store")
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page_of(list_runs(pictured_store)[0], Looking("cpu")).html(), encoding="utf-8")
    return path


@pytest.fixture
def browsed(file):
    """It, open; nothing on its console and nothing asked for when the test ends."""
    with opened(file) as one:
        yield one
        assert one.complaints == []
        assert one.requests == []


def column(page, heading: str) -> list[str]:
    """What stands below a heading of the first table, rows in sight alone."""
    return page.evaluate(
        """(heading) => {
          const table = document.querySelector("#summary table");
          const heads = [...table.tHead.rows[0].cells];
          const at = heads.findIndex((cell) => cell.textContent.includes(heading));
          const cells = [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.cells[at]);
          return cells.map((cell) => cell.dataset.v ?? cell.textContent);
        }""",
        heading,
    )


def test_a_heading_sorts_its_table(browsed):
    head = browsed.page.locator("#summary thead th", has_text="PSNR dB ↑ y").first
    head.get_by_role("button").click()
    values = [float(one) for one in column(browsed.page, "PSNR dB ↑ y")]
    assert values == sorted(values, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    head.get_by_role("button").press("Enter")
    assert [float(one) for one in column(browsed.page, "PSNR dB ↑ y")] == sorted(values)
    assert head.get_attribute("aria-sort") == "ascending"
    browsed.shot("sorted")


def test_filters_hide_rows_and_columns_and_a_reload_keeps_them(browsed):
    page = browsed.page
    everything = column(page, "model")
    page.locator("[data-filter='model']").select_option(index=1)
    chosen = page.locator("[data-filter='model']").input_value()
    assert set(column(page, "model")) == {chosen} != set(everything)
    page.locator("[data-filter='metric']").select_option("psnr")
    assert page.locator("#summary thead th[data-metric='ssim']:visible").count() == 0
    browsed.shot("filtered")
    page.reload()
    assert set(column(page, "model")) == {chosen}
    page.get_by_role("button", name="Show all").click()
    page.wait_for_timeout(50)
    assert column(page, "model") == everything
    page.get_by_label("Search").fill("no run is called this")
    assert page.locator("#count").inner_text().startswith("0 of")


def test_a_curve_tells_its_run_and_value(browsed):
    browsed.go("curves")
    page = browsed.page
    chart = page.locator("#trio .plot").first
    chart.locator(".scatterlayer .trace").first.wait_for()
    at = chart.locator(".scatterlayer .trace .point").first.bounding_box()
    page.mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
    words = chart.locator(".hoverlayer .hovertext")
    words.first.wait_for()
    said = words.first.text_content()
    labels = page.evaluate("page.runs.map((run) => run.label)")
    assert any(label in said for label in labels)
    browsed.shot("hovered")


def test_the_legend_and_the_axes_change_all_curves(browsed):
    browsed.go("curves")
    page = browsed.page
    chart = page.locator("#trio .plot").first
    chart.locator(".trace").first.wait_for()
    before = chart.locator(".scatterlayer .trace").count()
    drawn = page.evaluate("page.data('curves').charts[0].curves[0][0]")
    page.locator(f"#legend input[value='{drawn}']").uncheck()
    assert chart.locator(".scatterlayer .trace").count() == before - 1
    page.get_by_label("epochs").check()
    assert chart.locator(".xtitle").text_content() == "epochs"
    page.get_by_label("Logarithmic across").check()
    assert page.evaluate("document.querySelector('#trio .plot')._fullLayout.xaxis.type") == "log"
    page.reload()
    browsed.go("curves")
    chart.locator(".xtitle").wait_for()
    assert chart.locator(".scatterlayer .trace").count() == before - 1
    assert chart.locator(".xtitle").text_content() == "epochs"


def pixels(page, number: int = 0) -> str:
    """What a pane shows."""
    page.wait_for_function(f"document.querySelectorAll('#panes canvas')[{number}]?.dataset.ready === '1'")
    page.wait_for_timeout(100)
    return page.evaluate(f"document.querySelectorAll('#panes canvas')[{number}].toDataURL()")


def test_all_panes_show_one_place(browsed):
    browsed.go("pictures")
    page = browsed.page
    page.get_by_role("button", name="All", exact=True).last.click()
    before = [pixels(page, number) for number in range(3)]
    page.locator("#panes canvas").first.hover()
    page.mouse.wheel(0, -600)
    page.wait_for_timeout(200)
    places = page.evaluate("[...document.querySelectorAll('#panes canvas')].map((one) => one.dataset.place)")
    assert len(places) > 3
    assert len(set(places)) == 1
    assert float(places[0].split(",")[2]) > 2
    assert all(pixels(page, number) != one for number, one in enumerate(before))
    browsed.shot("zoomed")
    second = page.locator("#panes canvas").nth(1)
    second.focus()
    second.press("ArrowRight")
    page.wait_for_timeout(100)
    moved = page.evaluate("[...document.querySelectorAll('#panes canvas')].map((one) => one.dataset.place)")
    assert len(set(moved)) == 1
    assert moved != places
    second.press("0")
    page.wait_for_timeout(100)
    assert page.locator("#panes canvas").last.get_attribute("data-place").endswith(",1.00")


def test_planes_and_overlays_change_what_is_shown(browsed):
    browsed.go("pictures")
    page = browsed.page
    seen = {"colour": pixels(page, BICUBIC)}
    for plane in ("r", "g", "b", "y"):
        page.locator(f"input[name='plane'][value='{plane}']").check()
        seen[plane] = pixels(page, BICUBIC)
    browsed.shot("plane-y")
    for overlay in ("difference", "detail"):
        page.get_by_label("Over it").select_option(overlay)
        seen[overlay] = pixels(page, BICUBIC)
        browsed.shot(f"overlay-{overlay}")
    assert len(set(seen.values())) == len(seen)


def test_the_red_plane_is_the_red_of_hr(browsed):
    """Numbers on the page are those of the picture: nothing is packed with a loss."""
    browsed.go("pictures")
    found = browsed.page.evaluate(
        """async () => {
          const view = page.data("pictures")[0];
          const read = async (plane) => {
            const canvas = await page.painted(view, view.layers[0], plane, "none");
            return canvas.getContext("2d").getImageData(0, 0, 16, 16).data;
          };
          const [colour, red] = [await read("colour"), await read("r")];
          let off = 0;
          for (let at = 0; at < colour.length; at += 4) off += Math.abs(colour[at] - red[at + 1]);
          return off;
        }"""
    )
    assert found == 0


def test_a_run_on_red_alone_differs_from_hrs_red_alone(browsed):
    """Its SR is three equal planes: against HR's colours it would differ all over."""
    browsed.go("pictures")
    found = browsed.page.evaluate(
        """async () => {
          const view = page.data("pictures")[0];
          const red = await page.painted(view, view.layers[0], "r", "none");
          const layer = { label: "red", run: 0, planes: ["r"], src: red.toDataURL() };
          const canvas = await page.painted(view, layer, "colour", "difference");
          const { data } = canvas.getContext("2d").getImageData(0, 0, 16, 16);
          return [...new Set(data.filter((_, at) => at % 4 < 3))];
        }"""
    )
    assert len(found) == 1  # the grey of no difference


def test_the_slider_moves_the_border_between_two(browsed):
    browsed.go("pictures")
    page = browsed.page
    page.get_by_label("wipe", exact=True).check()
    half = pixels(page)
    slider = page.get_by_label("Boundary")
    slider.focus()
    for _ in range(20):
        slider.press("ArrowRight")
    page.wait_for_timeout(100)
    assert slider.input_value() == "70"
    assert pixels(page) != half
    browsed.shot("wiped")
    page.get_by_label("blink", exact=True).check()
    before = pixels(page)
    page.get_by_role("button", name="Other one").click()
    page.wait_for_timeout(100)
    other = pixels(page)
    assert other != before
    page.locator("#panes canvas").press("b")
    page.wait_for_timeout(100)
    assert pixels(page) == before


def test_the_legend_is_there_without_curves_and_bicubic_is_always_drawn(tmp_path):
    """Foreign weights have scores and no history: they are switched too."""
    realistic(tmp_path)
    path = tmp_path / "report.html"
    path.write_text(page_of(list_runs(tmp_path)[0], Looking()).html(), encoding="utf-8")
    with opened(path) as one:
        page = one.page
        assert page.locator("#trio").count() == 0
        one.go("trade")
        points = page.locator("#trade-charts .plot").first.locator(".scatterlayer .trace .point")
        points.first.wait_for()
        before = points.count()
        names = page.locator("#legend bdi").all_inner_texts()
        assert len(names) == 4
        assert "bicubic" not in names
        page.get_by_role("button", name="None").click()
        one.go("trade")
        page.wait_for_timeout(300)
        assert before > points.count() == 1
        assert one.complaints == []


def captions(page) -> list[str]:
    """What stands beneath the panes, when it has been said."""
    page.wait_for_timeout(400)
    return page.locator("#panes figcaption small").all_inner_texts()


def test_scores_beneath_are_of_the_crop_or_of_what_is_in_sight(browsed):
    """Away from a crop its scores would be of another place than the one that is seen."""
    browsed.go("pictures")
    page = browsed.page
    page.locator("#crops button").first.click()
    of_crop = captions(page)
    assert all("PSNR" in one for one in of_crop[BICUBIC:])
    assert "Crop 1" in page.locator("#why").inner_text()
    canvas = page.locator("#panes canvas").first
    canvas.press("-")
    canvas.press("ArrowLeft")
    in_sight = captions(page)
    assert in_sight[BICUBIC] != of_crop[BICUBIC]
    assert "what is in sight" in page.locator("#why").inner_text()
    assert page.locator("#crops [aria-pressed='true']").count() == 0
    page.reload()
    browsed.go("pictures")
    assert captions(page) == in_sight  # and the place is kept
    page.locator("#crops button").first.click()
    assert captions(page) == of_crop


def test_psnr_in_the_page_is_that_of_srbench(browsed):
    """The page's own PSNR, of the very crops whose PSNR srbench computed."""
    pairs = browsed.page.evaluate(
        """async () => {
          const found = [];
          for (const view of page.data("pictures")) {
            for (const layer of view.layers.filter((one) => one.crops)) {
              const plane = layer.planes.includes("y") ? "y" : layer.planes[0];
              for (const [at, { box: [top, left, height, width] }] of view.crops.entries()) {
                const value = await page.psnr(view, layer, plane, { top, left, height, width });
                found.push([layer.crops[at], value]);
              }
            }
          }
          return found;
        }"""
    )
    assert len(pairs) > 3
    for said, value in pairs:
        assert f" {value:.2f} dB" in said or said.startswith("equal to HR")


def test_a_blink_says_which_of_two_is_seen(browsed):
    browsed.go("pictures")
    page = browsed.page
    page.get_by_label("blink", exact=True).check()
    page.wait_for_timeout(200)
    names = page.locator("#panes figcaption strong")
    seen = [names.nth(at).is_visible() for at in range(2)]
    assert sorted(seen) == [False, True]
    page.locator("#panes canvas").press("b")
    page.wait_for_timeout(200)
    assert [names.nth(at).is_visible() for at in range(2)] == seen[::-1]
    name = names.nth(0).inner_text() if seen[1] else names.nth(1).inner_text()
    assert page.locator("#panes canvas").get_attribute("aria-label").startswith(f"{name} of ")


def test_dragging_for_long_does_not_flood_the_address(browsed):
    """Browsers refuse replaceState() after 100 to 200 calls in a few seconds, Safari by an exception."""
    browsed.go("pictures")
    page = browsed.page
    page.evaluate("""() => {
      const replace = history.replaceState.bind(history);
      window.written = 0;
      history.replaceState = (...given) => { window.written += 1; replace(...given); };
    }""")
    box = page.locator("#panes canvas").first.bounding_box()
    page.mouse.move(box["x"] + 10, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 150, box["y"] + 100, steps=300)
    page.mouse.up()
    page.wait_for_timeout(4500)
    assert 0 < page.evaluate("window.written") < 40
    assert "place=" in page.url


def test_the_spectra_say_which_line_is_whose(browsed):
    browsed.go("spectra")
    names = browsed.page.locator("#spectra-key li:visible").all_inner_texts()
    assert [one.strip() for one in names[:2]] == ["HR", "bicubic"]
    assert len(names) > 2


def test_a_zoom_outlives_the_switching_of_runs(browsed):
    browsed.go("curves")
    page = browsed.page
    plot = "document.querySelector('#trio .plot')"
    page.locator("#trio .trace").first.wait_for()
    box = page.locator("#trio .plot").first.locator(".nsewdrag").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 1.5, box["y"] + 25, steps=5)
    page.mouse.up()
    page.wait_for_timeout(300)
    zoomed = page.evaluate(f"{plot}._fullLayout.xaxis.range")
    page.locator("#legend input").last.click()
    page.wait_for_timeout(200)
    assert page.evaluate(f"{plot}._fullLayout.xaxis.range") == zoomed


def test_dark_mode_by_system_and_by_hand(file):
    with opened(file, scheme="dark") as one:
        background = "getComputedStyle(document.body).backgroundColor"
        dark = one.page.evaluate(background)
        for section in ("summary", "curves", "pictures", "trade", "spectra"):
            one.go(section)
            one.page.wait_for_timeout(500)
            one.shot(f"dark-{section}")
        assert one.faults() == []
        one.go("summary")
        one.page.get_by_label("light", exact=True).check()
        light = one.page.evaluate(background)
        assert sum(map(int, dark[4:-1].split(","))) < 200 < 600 < sum(map(int, light[4:-1].split(",")))
        one.page.get_by_label("dark", exact=True).check()
        assert one.page.evaluate(background) == dark
        assert one.complaints == []


def test_400_pixels_are_wide_enough(file):
    with opened(file, width=400, height=800) as one:
        for section in ("summary", "curves", "pictures", "trade", "spectra", "worst", "provenance"):
            one.go(section)
            one.page.wait_for_timeout(500)
            one.shot(f"narrow-{section}")
            assert one.page.evaluate("document.documentElement.scrollWidth") <= 400
        assert one.faults() == []
        assert one.complaints == []


def swipe(page, *fingers: tuple[float, float], by: tuple[float, float]) -> None:
    """Fingers that are put down, all moved by so much, and lifted."""
    session = page.context.new_cdp_session(page)
    for number in range(12):
        kind = "touchStart" if number == 0 else "touchMove" if number < 11 else "touchEnd"
        along = min(number, 10) / 10
        points = [{"x": x + by[0] * along, "y": y + by[1] * along} for x, y in fingers]
        session.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [] if kind == "touchEnd" else points}
        )
        page.wait_for_timeout(20)
    page.wait_for_timeout(400)


@pytest.mark.parametrize("where", ["#trio .plot", "#panes canvas"])
def test_one_finger_scrolls_the_page_wherever_it_is_put(file, where):
    """A phone's screen is full of charts and panes: nothing else is there to scroll by."""
    with opened(file, width=400, height=800, by_touch=True) as one:
        page = one.page
        one.go("curves" if "trio" in where else "pictures")
        page.wait_for_timeout(500)
        page.locator(where).first.evaluate(
            "(one) => one.scrollIntoView({block: 'center', behavior: 'instant'})"
        )
        page.wait_for_timeout(500)
        box = page.locator(where).first.bounding_box()
        before = page.evaluate("scrollY")
        swipe(page, (box["x"] + 150, box["y"] + 100), by=(0, -150))
        assert page.evaluate("scrollY") > before + 50
        assert one.complaints == []


def test_two_fingers_move_a_picture(file):
    with opened(file, width=400, height=800, by_touch=True) as one:
        page = one.page
        one.go("pictures")
        canvas = page.locator("#panes canvas").first
        page.get_by_role("button", name="Closer").click(click_count=12)
        canvas.evaluate("(one) => one.scrollIntoView({block: 'center', behavior: 'instant'})")
        page.wait_for_timeout(500)
        before = canvas.get_attribute("data-place").split(",")
        box = canvas.bounding_box()
        swipe(page, (box["x"] + 60, box["y"] + 100), (box["x"] + 200, box["y"] + 100), by=(-60, 0))
        after = canvas.get_attribute("data-place").split(",")
        assert float(after[0]) > float(before[0]) + 1
        assert float(after[2]) == pytest.approx(float(before[2]), rel=0.1)


def test_axe_finds_no_serious_fault(browsed):
    page = browsed.page
    for section in ("summary", "curves", "pictures", "trade", "spectra", "worst", "provenance"):
        browsed.go(section)
        page.wait_for_timeout(500)
        browsed.shot(section)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.wait_for_timeout(500)
    assert browsed.faults() == []


def test_it_prints(browsed, tmp_path):
    browsed.page.emulate_media(media="print")
    browsed.page.wait_for_timeout(300)
    browsed.shot("print")
    assert not browsed.page.locator("nav").is_visible()
    browsed.page.set_viewport_size({"width": 1032, "height": 700})  # A4 across, less its margins
    assert browsed.page.evaluate("document.documentElement.scrollWidth") <= 1032
    assert len(browsed.page.pdf()) > 10_000


def test_a_dark_page_prints_dark_on_white_and_as_wide_as_paper(file):
    with opened(file, scheme="dark") as one:
        one.go("curves")
        one.page.locator("#trio .trace").first.wait_for()
        title = "getComputedStyle(document.querySelector('#trio .plot .xtitle')).fill"
        screen = one.page.evaluate(title)
        one.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        one.page.emulate_media(media="print")
        assert screen != one.page.evaluate(title) == "rgb(0, 0, 0)"
        widths = one.page.evaluate(
            """[...document.querySelectorAll('#trio .plot')].map(
              (one) => [one.clientWidth, one._fullLayout.width])"""
        )
        assert all(drawn <= wide < 500 for wide, drawn in widths)
        assert one.page.locator("#curves-key li").first.is_visible()  # the legend is not printed
        one.shot("print-dark")
        one.page.emulate_media(media="screen")
        one.page.evaluate("dispatchEvent(new Event('afterprint'))")
        one.page.wait_for_timeout(300)
        assert one.page.evaluate(title) == screen
        assert not one.page.locator("#curves-key li").first.is_visible()
        assert one.page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # as wide as before
        assert one.complaints == []


def test_pictures_that_nobody_came_near_are_there_for_paper(file):
    with opened(file) as one:
        one.page.locator("#panes canvas[data-ready]").first.wait_for()
        assert one.page.evaluate("scrollY") == 0
        assert one.page.evaluate(
            """[...document.querySelectorAll('#panes canvas')].every((canvas) => {
              const { width, height } = canvas;
              return canvas.getContext('2d').getImageData(width / 2, height / 2, 1, 1).data[3] === 255;
            })"""
        )


def test_tables_and_words_read_without_scripts(file):
    with opened(file) as one:
        page = one.page.context.browser.new_context(java_script_enabled=False).new_page()
        page.goto(file.absolute().as_uri())
        assert page.locator("#summary tbody tr").first.is_visible()
        assert not page.get_by_label("Search").is_visible()
        assert "need scripts" in page.locator("noscript").inner_text()


def test_a_watched_page_loads_itself_again_and_keeps_its_state(pictured_store, tmp_path):
    path = tmp_path / "report.html"
    page = page_of(list_runs(pictured_store)[0], Looking("cpu"))
    path.write_text(page.html(1.0), encoding="utf-8")
    with opened(path) as one:
        one.page.get_by_label("Search").fill("bicubic")
        last = "#provenance > details:last-of-type"
        one.page.locator(last).evaluate("(one) => { one.open = true; }")
        text = page.html(1.0).replace("<h1>srbench report</h1>", "<h1>srbench report, again</h1>")
        path.write_text(text, encoding="utf-8")
        one.page.get_by_text("srbench report, again").wait_for(timeout=15_000)
        one.page.wait_for_function("document.getElementById('search')?.value === 'bicubic'")
        assert one.page.locator(last).evaluate("(one) => one.open")
        assert one.complaints == []
        assert one.requests == []


def test_hostile_names_do_nothing_in_a_browser(tmp_path):
    path = tmp_path / "report.html"
    path.write_text(hostile_page(tmp_path / "store").html(), encoding="utf-8")
    with opened(path) as one:
        page = one.page
        for section in ("summary", "curves", "pictures", "trade", "spectra", "worst", "provenance"):
            one.go(section)
            page.wait_for_timeout(400)
            one.shot(f"hostile-{section}")
            assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        one.go("curves")
        point = page.locator("#trio .scatterlayer .point").first
        point.hover(force=True)
        assert page.evaluate("window.hacked") is None
        assert page.locator("a[href^='javascript'], img, svg a").count() == 0
        shown = page.evaluate("[...document.querySelectorAll('#legend bdi')].map((one) => one.textContent)")
        assert all(any(name in label for label in shown) for name in HOSTILE)
        page.get_by_label("Search").fill(HOSTILE[0])
        page.reload()
        assert page.get_by_label("Search").input_value() == HOSTILE[0]
        assert page.evaluate("window.hacked") is None
        assert one.complaints == []
        assert one.requests == []
