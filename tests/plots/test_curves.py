"""Curves as a figure: the classic trio a channel, on real numbers, legible, and what cannot be drawn."""

import pytest
from legible import check, drawn_texts
from stored import bicubic, lapsrn, runs_in, store

from srbench.errors import UsageError
from srbench.plots.curves import draw
from srbench.plots.style import MOST_RUNS, paper
from srbench.store.history import append_line
from srbench.views.curves import curves_of
from srbench.views.names import in_order


def history(step, seed, planes="rgb", loss=None):
    psnr = {plane: 20 + seed + step / 100 + at / 7 for at, plane in enumerate(planes)}
    return {
        "step": step, "epoch": step / 40, "loss": loss or dict.fromkeys(planes, 30 / (step + seed)),
        "on": "val", "psnr": {"2": psnr, "4": psnr}, "detail": {"4": psnr},
    }  # fmt: skip


def drawn(root, **how):
    with paper():
        return draw(curves_of(in_order(runs_in(root))), **how)


def make(root, count, steps=(1000, 2000, 250000), long=""):
    for seed in range(count):
        name = {"name": f"{long} {seed}"} if long else {}
        paths = store(root, lapsrn(seed=seed), provenance=name)
        for step in steps:
            append_line(paths.history, history(step, seed))
            append_line(paths.timings, {"step": step, "elapsed_s": step * 1.5, "images_per_s": 3.0})


def test_the_trio_of_each_channel_stands_first(tmp_path):
    make(tmp_path, 2)
    figure, notes = drawn(tmp_path)
    assert not notes
    axes = figure.axes
    assert [one.get_title() for one in axes[:3]] == ["mean loss", "PSNR ×2, dB", "PSNR ×4, dB"]
    assert [one.get_ylabel() for one in axes[::3]] == ["r", "g", "b"]
    assert [list(line.get_ydata()) for line in axes[2].lines] == [[30, 40, 2520], [31, 41, 2521]]
    assert axes[0].lines[0].get_color() == axes[4].lines[0].get_color() != axes[0].lines[1].get_color()


@pytest.mark.parametrize("width", ["column", "page"])
@pytest.mark.parametrize(
    ("count", "long"), [(1, ""), (3, ""), (8, ""), (12, "a very long name of a run_" * 4)]
)
def test_its_text_is_legible(tmp_path, count, width, long):
    make(tmp_path, count, long=long)
    check(drawn(tmp_path, width=width)[0])


@pytest.mark.parametrize(("over", "last"), [("steps", 250000), ("epochs", 6250), ("hours", 250000 / 2400)])
def test_what_stands_across(tmp_path, over, last):
    make(tmp_path, 1)
    figure, _ = drawn(tmp_path, over=over)
    assert figure.axes[0].lines[0].get_xdata()[-1] == pytest.approx(last)
    assert figure.axes[-1].get_xlabel() == over


def test_other_measures_and_planes_are_drawn_where_they_are_asked_for(tmp_path):
    make(tmp_path, 1)
    figure, _ = drawn(tmp_path, measures=["detail", "loss"], planes=["g"])
    assert [one.get_title() for one in figure.axes] == ["detail ×4", "mean loss"]
    with pytest.raises(UsageError, match=r"No run has curves of 'pnsr'\. Did you mean 'psnr'\?"):
        drawn(tmp_path, measures=["pnsr"])
    with pytest.raises(UsageError, match="No run has curves of the plane 'y'. There are: r, g, b"):
        drawn(tmp_path, planes=["y"])


def test_the_loss_of_networks_that_see_rgb_stands_with_luma(tmp_path):
    paths = store(tmp_path, lapsrn("rgb"))
    append_line(paths.history, history(10, 0, "rgby", {"rgb": 0.2}))
    figure, _ = drawn(tmp_path)
    assert [one.get_ylabel() for one in figure.axes[::3]] == ["y"]
    assert list(figure.axes[0].lines[0].get_ydata()) == [0.2]
    assert any("networks that see RGB" in text.get_text().replace("\n", " ") for text in figure.texts)


def test_a_row_without_losses_has_its_name_and_a_column_its_numbers(tmp_path):
    """Networks of r, g and b have PSNR on luma, and no loss there."""
    paths = store(tmp_path, lapsrn())
    for step in (10, 20):
        append_line(paths.history, history(step, 0, "rgby", dict.fromkeys("rgb", 0.2)))
    figure, _ = drawn(tmp_path, planes=["r", "y"])
    shown = {text.get_text() for text, _ in drawn_texts(figure)}
    assert {"r", "y"} <= shown
    loss, *_, last = figure.axes
    assert loss.get_xlabel() == last.get_xlabel() == "steps"
    assert loss.xaxis.get_major_ticks()[0].label1.get_visible()
    check(figure)


def test_losses_of_very_different_size_have_a_logarithmic_axis(tmp_path):
    make(tmp_path, 1, steps=(1, 10, 100))
    figure, _ = drawn(tmp_path)
    assert figure.axes[0].get_yscale() == "log"
    check(figure)


def test_more_runs_than_can_be_told_apart_are_left_out_and_named(tmp_path):
    make(tmp_path, MOST_RUNS + 3, steps=(1000,))
    figure, notes = drawn(tmp_path)
    assert len(figure.axes[1].lines) == MOST_RUNS
    assert min(line.get_ydata()[-1] for line in figure.axes[1].lines) == 20 + 3 + 10
    assert notes == [
        "12 of 15 runs are drawn, as many as can be told apart: those with the best PSNR at the end. "
        "Name runs to see others."
    ]


def test_runs_without_history_are_told(tmp_path):
    store(tmp_path, bicubic())
    with pytest.raises(UsageError, match="curves to draw: bicubic has no curves: it is not trained"):
        drawn(tmp_path)
