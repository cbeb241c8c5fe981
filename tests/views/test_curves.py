"""Curves: what history and timings hold, and why some runs have none."""

import numpy as np
from stored import bicubic, lapsrn, runs_in, store

from srbench.store.history import append_line
from srbench.views.curves import curves_of
from srbench.views.names import in_order


def line(step, **more):
    planes = {"r": 20.0 + step, "g": 21.0, "b": 22.0, "y": None}
    return {
        "step": step, "epoch": step / 4, "loss": {"r": 0.3, "g": 0.2, "b": 0.1}, "on": "val",
        "psnr": {"2": planes, "4": planes}, "detail": {"4": planes}, **more,
    }  # fmt: skip


def curves_in(root):
    return curves_of(in_order(runs_in(root)))


def by_key(found):
    return {(one.measure, one.scale, one.plane): one for one in found.curves}


def test_every_measure_scale_and_plane_is_a_curve(tmp_path):
    paths = store(tmp_path, lapsrn())
    for step in (2, 4):
        append_line(paths.history, line(step))
    append_line(paths.timings, {"step": 2, "elapsed_s": 1800.0, "images_per_s": 1.0})
    found = curves_in(tmp_path)
    keys = [(one.measure, one.scale, one.plane) for one in found.curves]
    assert keys[:5] == [
        ("loss", None, "r"), ("loss", None, "g"), ("loss", None, "b"), ("psnr", 2, "r"), ("psnr", 2, "g"),
    ]  # fmt: skip
    assert len(keys) == 3 + 3 * 4
    red = by_key(found)["psnr", 4, "r"]
    np.testing.assert_array_equal(red.steps, [2, 4])
    np.testing.assert_array_equal(red.epochs, [0.5, 1])
    np.testing.assert_array_equal(red.hours, [0.5, np.nan])
    np.testing.assert_array_equal(red.values, [22, 24])
    assert (red.on, by_key(found)["loss", None, "r"].on) == ("val", "train")
    assert np.isnan(by_key(found)["psnr", 4, "y"].values).all()
    assert not found.notes


def test_terms_of_a_loss_are_curves_of_their_own(tmp_path):
    paths = store(tmp_path, lapsrn())
    append_line(paths.history, line(2, terms={"r/l1": 0.2, "rgb/gan critic": 0.7}))
    found = by_key(curves_in(tmp_path))
    assert found["loss l1", None, "r"].values == [0.2]
    assert found["loss gan critic", None, "rgb"].values == [0.7]


def test_a_run_without_a_validation_has_its_loss_alone(tmp_path):
    paths = store(tmp_path, lapsrn())
    append_line(paths.history, line(2, psnr={}, detail={}, on=None))
    assert {one.measure for one in curves_in(tmp_path).curves} == {"loss"}


def test_why_there_is_no_curve_is_said(tmp_path):
    for spec in (bicubic(), lapsrn()):
        store(tmp_path, spec)
    odd = store(tmp_path, lapsrn(seed=1))
    odd.history.mkdir()
    found = curves_in(tmp_path)
    assert not found.curves
    assert found.notes[0] == "bicubic has no curves: it is not trained."
    assert found.notes[1].startswith("lapsrn seed 0 has no curves: it has not been evaluated in training yet")
    assert "history.jsonl cannot be read" in found.notes[2]
