"""Crops: pictures by scores alone, windows by pixels, the same every time."""

from dataclasses import replace

import numpy as np
import pytest
from stored import bicubic, lapsrn, runs_in, scored, store

from srbench.views.crops import Chosen, choose_pictures, crop_scores, crops_of
from srbench.views.pictures import Gallery, Original, Shown
from srbench.views.scenes import scenes_of

LEVELS = {"presence": [0.5, 0.3, 0.4, 0.6, 0.5, 0.5]}


@pytest.fixture
def scene(tmp_path):
    other = {"presence": [0.5, 0.3, 0.4, 0.6, 0.9, 0.5]}
    store(tmp_path, bicubic(), scored(bicubic(), level=20, metrics=("psnr", "presence"), values=LEVELS))
    for seed, values in enumerate((LEVELS, other)):
        spec = lapsrn(seed=seed)
        store(tmp_path, spec, scored(spec, level=28, metrics=("psnr", "presence"), values=values))
    (found,) = scenes_of(runs_in(tmp_path))
    return found


def test_pictures_are_those_with_least_detail_and_those_on_which_runs_differ(scene):
    found = choose_pictures(scene, 3)
    assert [one.picture for one in found] == ["picture-1", "picture-4", "picture-2"]
    assert found[0].why == "the least detail is there (presence y 0.3)"
    assert found[1].why == "the runs differ most in presence y (by 0.4)"
    assert found[2].why.startswith("of the others, the least detail")
    assert choose_pictures(replace(scene, runs=scene.runs[:1]), 2)[1].picture == "picture-2"


def test_psnr_stands_in_for_presence(tmp_path):
    spec = lapsrn("r")
    values = {"psnr": [28, 27, float("inf"), 25, 29, 30]}
    store(tmp_path, spec, scored(spec, level=28, metrics=("psnr",), values=values))
    (scene,) = scenes_of(runs_in(tmp_path))
    assert choose_pictures(scene, 1) == [Chosen("picture-3", "PSNR is lowest (psnr r 25 dB)")]


def test_without_either_nothing_is_chosen(tmp_path):
    store(tmp_path, lapsrn(), scored(lapsrn(), level=28, metrics=("ssim",)))
    (scene,) = scenes_of(runs_in(tmp_path))
    assert choose_pictures(scene) == []


def noisy(shape, seed):
    return np.random.default_rng(seed).integers(0, 255, (*shape, 3)).astype(np.uint8)


@pytest.fixture
def made(scene):
    """HR with texture on the left; SR is flat there, and the second run differs at the bottom right."""
    hr = np.full((128, 192, 3), 120, dtype=np.uint8)
    hr[:, :96] = noisy((128, 96), 0)
    one, other = (np.full_like(hr, 120) for _ in range(2))
    other[96:, 160:] = 200
    shown = [
        Shown(run.id, f"run {at}", 1, ("r", "g", "b", "y"), {"picture-1": sr}, {})
        for at, (run, sr) in enumerate(zip(scene.runs, (one, other), strict=True))
    ]
    return Gallery(scene, {"picture-1": Original(hr, hr[::4, ::4], one)}, shown, "", [])


def test_windows_lie_where_runs_differ_and_where_detail_is_lost(made):
    chosen = [Chosen("picture-1", "asked for"), Chosen("gone", "asked for")]
    differing, lost = crops_of(made, chosen, size=32)
    assert differing.box == (96, 160, 32, 32)
    assert differing.why.startswith("asked for; here the runs differ most (by ")
    assert lost.box[1] + 32 <= 112
    assert "here most of HR's detail is lost (100% of it on y)" in lost.why
    assert crops_of(made, chosen, size=32) == [differing, lost]
    assert differing.of(made.shown[1].pictures["picture-1"]).shape == (32, 32, 3)


def test_windows_of_one_picture_do_not_overlap_and_end_when_there_is_no_room(made):
    boxes = [crop.box for crop in crops_of(made, [Chosen("picture-1", "asked for")], size=64, each=20)]
    assert 2 <= len(boxes) <= 6
    for at, (top, left, height, width) in enumerate(boxes):
        for other in boxes[:at]:
            assert abs(top - other[0]) >= height or abs(left - other[1]) >= width


def test_a_picture_smaller_than_a_window_is_shown_whole(made):
    (crop,) = crops_of(made, [Chosen("picture-1", "asked for")], size=500, each=1)
    assert crop.box == (0, 0, 128, 192)


def test_a_single_run_is_held_against_bicubic(made):
    alone = replace(made, shown=made.shown[1:])
    assert "here it differs most from bicubic" in crops_of(alone, [Chosen("picture-1", "")], size=32)[0].why


def test_scores_of_a_crop_are_of_its_pixels(made):
    crop = crops_of(made, [Chosen("picture-1", "asked for")], size=32)[1]
    hr = made.originals["picture-1"].hr
    same = crop_scores(crop, hr, hr, ("r",))
    assert (same.plane, same.psnr) == ("r", float("inf"))
    assert same.detail == pytest.approx(1)
    flat = crop_scores(crop, made.shown[0].pictures["picture-1"], hr, ("r", "g", "b", "y"))
    assert (flat.plane, flat.detail) == ("y", pytest.approx(0))
    nothing = crop_scores(replace(crop, box=(0, 128, 32, 32)), hr, hr, ("y",))
    assert nothing.detail is None
