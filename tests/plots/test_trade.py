"""Fidelity against perception as a figure: up is better, fronts are joined, many runs stay legible."""

import pytest
from legible import check
from stored import bicubic, lapsrn, runs_in, scored, store

from srbench.plots.style import MOST_RUNS, paper
from srbench.plots.trade import draw
from srbench.views.trade import chart_of

METRICS = ("psnr", "presence", "lpips:net=squeeze")


def make(root, count, long=""):
    store(root, bicubic(), scored(bicubic(), level=27, metrics=METRICS))
    for seed in range(count):
        spec = lapsrn(seed=seed)
        values = {"presence": [0.9 - seed / 20 + 0.02 * (number % 3) for number in range(6)]}
        part = scored(spec, level=28 + seed / 10, metrics=METRICS, values=values, scales=(2, 4))
        store(root, spec, part, provenance={"name": f"{long} {seed}"} if long else {})


def drawn(root, **how):
    with paper():
        return draw(chart_of(runs_in(root)), **how)


def test_up_is_better_on_every_axis_and_the_front_is_joined(tmp_path):
    make(tmp_path, 3)
    presence, lpips = drawn(tmp_path, width="page").axes[:2]
    assert presence.get_ylim()[0] < presence.get_ylim()[1]
    assert lpips.get_ylim()[0] > lpips.get_ylim()[1]
    assert len(presence.lines[0].get_xdata()) == 3
    assert len(lpips.lines[0].get_xdata()) == 1


@pytest.mark.parametrize("width", ["column", "page"])
@pytest.mark.parametrize(
    ("count", "long"), [(1, ""), (3, ""), (8, ""), (12, "a very long name of a run_" * 4)]
)
def test_its_text_is_legible(tmp_path, count, long, width):
    make(tmp_path, count, long)
    check(drawn(tmp_path, width=width))


def test_runs_too_many_to_be_told_apart_are_grey_and_counted(tmp_path):
    make(tmp_path, MOST_RUNS + 8)
    figure = drawn(tmp_path, width="page")
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len([name for name in names if "seed" in name]) == MOST_RUNS
    assert "bicubic (baseline)" in names
    assert "8 other runs" in names
    check(figure)


def test_a_page_holds_two_panels_beside_each_other_and_a_column_one(tmp_path):
    make(tmp_path, 1)
    assert drawn(tmp_path, width="page").axes[0].get_subplotspec().get_gridspec().ncols == 2
    assert drawn(tmp_path, width="column").axes[0].get_subplotspec().get_gridspec().ncols == 1
