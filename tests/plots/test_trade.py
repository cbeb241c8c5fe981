"""`srbench plot`: who stands in which panel, what is left out and why, and a file that is a picture."""

import json
import xml.etree.ElementTree as ET

import pytest
from PIL import Image
from small import srbench
from stored import bicubic, lapsrn, runs_in, scored, store

from srbench.errors import UsageError
from srbench.plots.trade import draw
from srbench.views.trade import chart_of

METRICS = ("psnr", "presence", "lpips:net=squeeze")


def steady(level):
    return {"presence": [level + 0.02 * (number % 3) for number in range(6)]}


@pytest.fixture
def root(tmp_path):
    """Bicubic and two losses at ×4 with the inner ×2, three metrics each."""
    for spec, level, presence in (
        (bicubic(), 27.6, 0.2),
        (lapsrn(), 28.4, 0.42),
        (lapsrn(eps=1e-6), 28.2, 0.75),
    ):
        part = scored(spec, level=level, metrics=METRICS, values=steady(presence), scales=(2, 4))
        store(tmp_path, spec, part)
    return tmp_path


def test_a_row_a_test_and_scale_a_column_a_metric_a_point_a_run(root):
    chart = chart_of(runs_in(root))
    assert [[panel.title.partition(" · ")[0] for panel in row] for row in chart.rows] == [
        ["sample ×4"] * 2,
        ["sample ×2 (of ×4)"] * 2,
    ]
    assert [panel.upwards for panel in chart.rows[0]] == ["presence (y)", "LPIPS (squeeze) (rgb)"]
    assert [panel.across for panel in chart.rows[0]] == ["PSNR dB (y)"] * 2
    assert [panel.better for panel in chart.rows[0]] == ["higher", "lower"]
    points = chart.rows[0][0].points
    assert [(one.label, one.is_baseline) for one in points] == [
        ("bicubic", True),
        ("lapsrn charbonnier:eps=0.001", False),
        ("lapsrn charbonnier:eps=1e-06", False),
    ]
    assert "channels r,g,b" in chart.shared
    summary = runs_in(root)[0].summary
    (score,) = [
        one
        for one in summary["scores"]
        if (one["metric"], one["plane"], one["scale"]) == ("presence", "y", 4)
    ]
    assert points[0].y == score["mean"]
    assert points[0].y_interval == (score["ci_low"], score["ci_high"])
    assert not chart.notes


def test_up_is_better_on_every_axis(root):
    figure = draw(chart_of(runs_in(root), tests=["sample"]))
    presence, lpips = figure.axes[:2]
    assert presence.get_ylim()[0] < presence.get_ylim()[1]
    assert lpips.get_ylim()[0] > lpips.get_ylim()[1]


def test_only_equal_protocols_share_a_panel(root):
    other = lapsrn(seed=1)
    store(root, other, scored(other, level=28, metrics=METRICS, values=steady(0.5), test_sha256="0" * 64))
    third = lapsrn(seed=2)
    store(root, third, scored(third, level=28, metrics=METRICS, values=steady(0.5), rounded="false"))
    chart = chart_of(runs_in(root))
    counts = [len(row[0].points) for row in chart.rows]
    assert sorted(counts) == [1, 1, 3, 3]
    assert len({row[0].title for row in chart.rows}) == 4


def test_a_metric_that_no_run_has_gets_no_panel_and_a_note(tmp_path):
    for spec in (bicubic(), lapsrn()):
        store(tmp_path, spec, scored(spec, level=28, metrics=METRICS[:2]))
    chart = chart_of(runs_in(tmp_path))
    assert [len(row) for row in chart.rows] == [1]
    assert chart.notes == [
        "No run has scores of lpips, so there is no panel of it. srbench eval RUN --metric lpips makes them."
    ]


def test_a_run_that_does_not_fit_is_left_out_with_a_note(root):
    red = lapsrn("r")
    store(root, red, scored(red, level=28, metrics=METRICS[:2]))
    fewer = lapsrn(seed=3)
    values = {**steady(0.4), "psnr": [28, 29, float("inf"), 28, 27, 28]}
    store(root, fewer, scored(fewer, level=28, metrics=METRICS, values=values))
    chart = chart_of(runs_in(root))
    assert len(chart.rows[0][0].points) == 3
    assert any("is not drawn in sample ×4: it has no psnr on y" in note for note in chart.notes)
    assert any("its mean psnr on y is over fewer pictures than others'" in note for note in chart.notes)


def test_a_store_of_single_planes_is_drawn_on_the_plane_it_has(tmp_path):
    red = lapsrn("r")
    store(tmp_path, red, scored(red, level=28, metrics=METRICS[:2]))
    ((panel,),) = chart_of(runs_in(tmp_path)).rows
    assert (panel.across, panel.upwards) == ("PSNR dB (r)", "presence (r)")


def test_nothing_to_draw_says_what_makes_it(tmp_path):
    spec = lapsrn()
    store(tmp_path, spec, scored(spec, level=28, metrics=("psnr", "ssim")))
    with pytest.raises(UsageError, match=r"No run has scores of presence or lpips.*--metric presence,lpips"):
        chart_of(runs_in(tmp_path))
    with pytest.raises(UsageError, match="No run has scores of detail"):
        chart_of(runs_in(tmp_path), ["detail"])
    with pytest.raises(UsageError, match="No run has scores of the test 'set5'"):
        chart_of(runs_in(tmp_path), ["ssim"], ["set5"])
    (panel,) = chart_of(runs_in(tmp_path), ["ssim"]).rows[0]
    assert panel.upwards == "SSIM (y)"


def test_the_command_writes_a_picture_and_the_same_bytes_again(root, tmp_path, monkeypatch, capsys):
    file = tmp_path / "charts" / "trade.png"
    line = ["plot", str(file), "--results", str(root)]
    assert srbench(line, monkeypatch) == 0
    captured = capsys.readouterr()
    assert f"The chart is in {file}." in captured.err.replace("\n", "")
    assert not captured.out
    first = file.read_bytes()
    with Image.open(file) as image:
        image.load()
        assert image.format == "PNG"
        assert image.width > image.height > 500
    assert srbench(line, monkeypatch) == 0
    assert file.read_bytes() == first
    assert [one.name for one in file.parent.iterdir()] == ["trade.png"]
    for name in ("trade.svg", "trade.pdf"):
        line[1] = str(tmp_path / name)
        assert srbench(line, monkeypatch) == 0
    ET.parse(tmp_path / "trade.svg")
    assert (tmp_path / "trade.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("file", "results", "words"),
    [
        ("trade.jpg", None, "trade.jpg does not say what kind of picture it is to be. End its name in .png"),
        ("trade", None, "End its name in .png or .svg or .pdf"),
        ("trade.png", "nowhere", "There is no store at"),
        ("trade.png", "empty", "There are no scores to draw yet"),
    ],
)
def test_wrong_usage_says_what_to_do(root, tmp_path, monkeypatch, capsys, file, results, words):
    (tmp_path / "empty").mkdir()
    line = ["plot", str(tmp_path / file), "--results", str(tmp_path / results if results else root)]
    assert srbench(line, monkeypatch) == UsageError.exit_code
    assert words in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / file).exists()


def test_a_place_that_cannot_be_written_is_named(root, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text(json.dumps({}))
    assert srbench(["plot", str(tmp_path / "file" / "x.png"), "--results", str(root)], monkeypatch) == 1
    assert "x.png cannot be written" in " ".join(capsys.readouterr().err.split())
