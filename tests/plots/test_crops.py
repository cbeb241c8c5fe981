"""Crops as a figure: a strip a crop, scores beneath, how they were chosen in the caption; legible."""

from dataclasses import replace

import numpy as np
import pytest
from legible import check, drawn_texts
from stored import lapsrn, runs_in, scored, store

from srbench.errors import UsageError
from srbench.plots.crops import draw
from srbench.plots.style import paper
from srbench.views.crops import Crop
from srbench.views.pictures import Gallery, Original, Shown
from srbench.views.scenes import scenes_of


@pytest.fixture
def made(tmp_path):
    """Eight runs on one wide picture; the last has none."""
    for seed in range(8):
        store(tmp_path, lapsrn(seed=seed), scored(lapsrn(seed=seed), level=28))
    (scene,) = scenes_of(runs_in(tmp_path))
    rng = np.random.default_rng(0)
    hr = rng.integers(0, 255, (96, 160, 3)).astype(np.uint8)
    shown = [
        Shown(run.id, f"run {at}", 1, ("r", "g", "b", "y"), {"one": hr ^ np.uint8(at + 1)}, {})
        for at, run in enumerate(scene.runs)
    ]
    shown[-1] = replace(shown[-1], pictures={}, missing={"one": "gone"})
    shown[0] = replace(shown[0], planes=("r",))
    return Gallery(scene, {"one": Original(hr, hr[::4, ::4], hr)}, shown, "seed 0", [])


CROPS = [
    Crop("sample", "one", 4, (0, 0, 64, 64), "asked for; here the runs differ most"),
    Crop("sample", "one", 4, (32, 96, 64, 64), "asked for; here most is lost"),
]


def drawn(gallery, crops=CROPS, **how):
    with paper():
        return draw(gallery, crops, **how)


def test_a_strip_holds_the_picture_hr_bicubic_and_each_run(made):
    figure = drawn(made, width="page")
    assert len(figure.axes) == 2 * (3 + 8)
    where, hr, bicubic, first = figure.axes[:4]
    assert where.patches[0].get_bbox().bounds == (-0.5, -0.5, 64, 64)
    np.testing.assert_array_equal(hr.images[0].get_array(), made.originals["one"].hr[:64, :64])
    assert len(bicubic.images) == len(first.images) == 1
    assert not figure.axes[10].images
    words = [text.get_text() for text, _ in drawn_texts(figure)]
    assert "inf / 1.00" in words
    assert any(word.replace("\n", " ").endswith("(r)") for word in words)
    assert "no picture" in words
    caption = " ".join(words[-1].split())
    assert "chosen by scores and pixels, not by hand" in caption
    assert "(b) asked for; here most is lost." in caption


@pytest.mark.parametrize("width", ["column", "page"])
@pytest.mark.parametrize(
    ("count", "long"), [(1, ""), (3, ""), (6, ""), (6, "lapsrn:features=64,depth=10_" * 5)]
)
def test_its_text_is_legible(made, count, width, long):
    shown = [replace(one, label=one.label + long) for one in made.shown[:count]]
    check(drawn(replace(made, shown=shown), width=width))


def test_whole_pictures_of_any_shape_are_legible(made):
    tall = Crop("sample", "one", 4, (0, 0, 96, 32), "small")
    check(drawn(made, [tall], width="page"))
    check(drawn(made, [Crop("sample", "one", 4, (0, 0, 96, 160), "whole")], width="column"))


def test_nothing_to_draw_says_why(made):
    with pytest.raises(UsageError, match=r"There is no crop to draw\. gone\."):
        drawn(replace(made, notes=["gone."]), [])
