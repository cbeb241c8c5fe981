"""Fidelity against perception: who stands in which panel, on the front, and what is left out and why."""

import pytest
from stored import bicubic, lapsrn, runs_in, scored, store

from srbench.errors import UsageError
from srbench.views.trade import chart_of, pareto_front

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


def test_only_equal_protocols_share_a_panel(root):
    other = lapsrn(seed=1)
    store(root, other, scored(other, level=28, metrics=METRICS, values=steady(0.5), test_sha256="0" * 64))
    third = lapsrn(seed=2)
    store(root, third, scored(third, level=28, metrics=METRICS, values=steady(0.5), rounded="false"))
    chart = chart_of(runs_in(root))
    counts = [len(row[0].points) for row in chart.rows]
    assert sorted(counts) == [1, 1, 3, 3]
    assert len({row[0].title for row in chart.rows}) == 4


def test_a_scale_that_bicubic_alone_has_gets_no_row_beside_others(tmp_path):
    for spec, scales in ((bicubic(), (2, 4)), (lapsrn(), (4,))):
        store(tmp_path, spec, scored(spec, level=28, metrics=METRICS, values=steady(0.5), scales=scales))
    found = runs_in(tmp_path)
    (row,) = chart_of(found).rows
    assert row[0].title.startswith("sample ×4")
    baseline = [run for run in found if run.id == bicubic().id]
    assert len(chart_of(baseline).rows) == 2


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


def test_the_front_holds_those_that_no_other_beats():
    points = [(30, 0.2), (29, 0.5), (28, 0.4), (31, 0.1), (29, 0.5), (27, 0.5), (31, 0.05)]
    assert pareto_front(points, "higher") == [1, 4, 0, 3]
    assert pareto_front(points, "lower") == [6]
    assert pareto_front([(1, 2), (2, 3)], "lower") == [0, 1]
    assert pareto_front([], "higher") == []


def test_the_front_of_a_panel_is_among_its_points(root):
    presence, lpips = chart_of(runs_in(root)).rows[0]
    assert [presence.points[at].label for at in presence.front] == [
        "lapsrn charbonnier:eps=1e-06",
        "lapsrn charbonnier:eps=0.001",
    ]
    assert [lpips.points[at].label for at in lpips.front] == ["lapsrn charbonnier:eps=0.001"]
    assert {point.run_id for point in presence.points} == {run.id for run in runs_in(root)}
