"""What all figures share: names as they are written, wrapped and told apart; the same bytes; real sizes."""

import itertools

import pytest
from legible import check, drawn_texts

from srbench.plots.style import (
    MOST_RUNS,
    SMALL,
    WIDTHS,
    framed,
    literal,
    looks,
    paper,
    save,
    width_of,
    wrapped,
)

ODD = (
    "a_b^2 $\\frac{1}{0}$ \\textbf{x} $",
    "<b>&amp;</b> \"quotes\" 'more' {0} %s",
    "two\nlines\tand a tab",
    "\u202eright to left\u202c \u05d0\u05d1\u05d2 \u0627\u0644",
    "\u4e2d\u6587 \ud800 \x00 \U0001f600",
    "../../etc/passwd",
    "x" * 200,
    "lapsrn:features=64,depth=10 charbonnier:eps=0.001+0.1*edges:power=2 r,g,b seed 12345 lr=0.0001",
    "lapsrn:features=64,depth=10 charbonnier:eps=0.001+0.1*edges:power=2 r,g,b seed 12345 lr=0.0002",
)


def test_names_are_drawn_as_they_are_written():
    assert literal("a_b^2 $x$ <b>") == "a_b^2 $x$ <b>"
    assert literal(" two\nlines\t") == "two lines"
    assert literal("\u202e\u4e2d\ud800\x00") == "\N{REPLACEMENT CHARACTER}" * 4
    with paper():
        figure = framed("column", 1, [(name, looks(["one"])["one"].handle()) for name in ODD])
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown[0] == ODD[0]
    assert not any(text.get_parse_math() for text in figure.legends[0].get_texts())
    assert len(set(shown)) == len(ODD)
    check(figure)


@pytest.mark.parametrize("width", list(WIDTHS))
@pytest.mark.parametrize("text", ODD)
def test_wrapped_text_fits(text, width):
    room = WIDTHS[width] - 0.12
    lines = wrapped(text, room, lines=2).split("\n")
    assert len(lines) <= 2
    assert all(width_of(line) <= room for line in lines)
    narrow = wrapped(text, 0.6).split("\n")
    assert len(narrow) <= 3
    assert all(width_of(line) <= 0.6 for line in narrow)


@pytest.mark.parametrize("dpi", [72, 110, 300])
def test_text_is_drawn_as_wide_as_it_was_measured(dpi):
    line = "Crops of 128×128 HR pixels, chosen by scores and pixels, not by hand. Beneath: PSNR in dB"
    with paper():
        figure = framed("page", 1)
        figure.text(0, 0, line)
        ((_, box),) = drawn_texts(figure, dpi)
    assert box.width / dpi == pytest.approx(width_of(line), rel=0.01, abs=1 / dpi)


def test_what_is_cut_keeps_both_its_ends():
    text = wrapped("begin" + "-middle" * 40 + "-end", 1).replace("\n", "")
    assert text.startswith("begin")
    assert text.endswith("-end")
    assert "…" in text


def test_as_many_runs_as_may_be_drawn_are_told_apart_without_colour_and_without_markers():
    found = list(looks([str(number) for number in range(MOST_RUNS)]).values())
    assert len({(one.marker) for one in found}) == MOST_RUNS
    for one, other in itertools.combinations(found, 2):
        assert (one.colour, one.line) != (other.colour, other.line)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_equal_figures_are_equal_bytes_of_the_width_asked_for(tmp_path, kind, monkeypatch):
    content = []
    for _ in range(2):
        with paper():
            figure = framed("column", 1, [("name $x$", looks(["one"])["one"].handle())], "title", "caption")
            figure.subplots().plot([0, 1], [1e-9, 2])
        file = tmp_path / f"figure.{kind}"
        save(file, figure, dpi=100)
        content.append(file.read_bytes())
    assert content[0] == content[1]
    if kind == "pdf":
        assert b"/FontFile2" in content[0]  # TrueType, embedded
        assert b"/Type3" not in content[0]
    if kind == "svg":
        assert b"<text" not in content[0]
        assert b"font-family" not in content[0]
        assert b'width="252pt"' in content[0]  # 3.5 inches
    if kind == "png":
        from PIL import Image

        with Image.open(file) as image:
            assert image.width == 350


def test_a_user_s_matplotlibrc_changes_nothing(tmp_path):
    import matplotlib

    def drawn(name):
        with paper():
            figure = framed("column", 1, title="title")
            figure.subplots().plot([0, 1])
        save(tmp_path / name, figure)
        return (tmp_path / name).read_bytes()

    plain = drawn("a.png")
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.bbox": "tight"}):
        assert drawn("b.png") == plain


def test_no_type_is_smaller_than_seven_points():
    assert SMALL >= 7
