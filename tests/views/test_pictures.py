"""SR pictures of runs: what scoring saw, from where it was kept or made again; what cannot be had is told."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from stored import runs_in

from srbench.images.png import read_picture, to_tensor
from srbench.metrics.protocol import prepare
from srbench.metrics.psnr import psnr
from srbench.store.scores import read_scores
from srbench.types import Picture
from srbench.views.names import in_order
from srbench.views.pictures import gallery, shown_of
from srbench.views.scenes import scenes_of, set_of

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def scene(pictured_store):
    (found,) = scenes_of(in_order(runs_in(pictured_store)))
    return found


@pytest.fixture(scope="module")
def test_set(scene):
    return set_of(scene)


def test_psnr_of_every_picture_is_the_stored_score(scene, test_set):
    found = gallery(scene, test_set, ["face", "tissue"], CPU)
    assert not found.notes
    assert [one.label for one in found.shown] == [
        "fsrcnn charbonnier y", "lapsrn charbonnier r,g,b", "lapsrn l2 r,g,b",
    ]  # fmt: skip
    assert "scale" not in found.shared
    for run, one in zip(scene.runs, found.shown, strict=True):
        scores, _ = read_scores(run.paths)
        assert one.step == 6
        assert one.planes == ("r", "g", "b", "y")
        for score in scores:
            if (score.metric, score.scale, score.plane) == ("psnr", 4, "y"):
                hr = found.originals[score.image].hr
                pair = prepare(to_tensor(one.pictures[score.image]), to_tensor(hr), ["y"], 4)
                assert psnr(*pair).item() == pytest.approx(score.value, abs=1e-9)


def test_originals_are_those_of_the_test(scene, test_set, pictured_store):
    original = gallery(scene, test_set, ["face"], CPU).originals["face"]
    assert original.hr.shape == (64, 56, 3)
    assert original.lr.shape == (16, 14, 3)
    baseline = next(run for run in runs_in(pictured_store) if run.id.startswith("bicubic"))
    kept = read_picture(Picture("face", baseline.paths.images / "test" / "x4" / "face.png"))
    np.testing.assert_array_equal(original.bicubic, kept)


def test_kept_pictures_need_no_checkpoint_and_changed_ones_are_not_taken(scene, test_set, tmp_path):
    root = shutil.copytree(scene.runs[1].paths.directory.parent, tmp_path / "results")
    (copied,) = [run for run in runs_in(root) if run.id == scene.runs[1].id]
    made = shown_of(copied, test_set, ["face", "tissue"], CPU)
    shutil.rmtree(copied.paths.checkpoints)
    kept = shown_of(copied, test_set, ["face"], CPU)
    np.testing.assert_array_equal(kept.pictures["face"], made.pictures["face"])
    both = shown_of(copied, test_set, ["face", "tissue"], CPU)
    assert (list(both.pictures), list(both.missing), both.step) == (["face"], ["tissue"], 6)
    file = copied.paths.images / "test" / "x4" / "face.png"
    Image.fromarray(255 - kept.pictures["face"]).save(file)
    missing = shown_of(copied, test_set, ["face"], CPU)
    assert not missing.pictures
    assert "has no checkpoint yet" in missing.missing["face"]
    file.write_bytes(b"no picture")
    assert shown_of(copied, test_set, ["face"], CPU).missing


def test_what_cannot_be_had_is_a_note_and_the_rest_is_there(scene, test_set, tmp_path):
    root = shutil.copytree(scene.runs[0].paths.directory.parent, tmp_path / "results")
    runs = in_order(runs_in(root))
    (copied,) = scenes_of(runs)
    shutil.rmtree(copied.runs[0].paths.checkpoints)
    found = gallery(copied, test_set, ["tissue", "nothing"], CPU)
    assert [list(one.pictures) for one in found.shown] == [[], ["tissue"], ["tissue"]]
    assert len(found.notes) == 2
    assert "nothing of test ×4 is not shown: test has no picture of that name" in found.notes
    assert found.notes[1].startswith("fsrcnn charbonnier y has no picture of tissue: ")


def test_a_network_that_breaks_leaves_the_others_their_place(scene, test_set, monkeypatch, caplog):
    from srbench.predict import NetworkUpscaler

    def breaks(self, *_):
        if "y" in self.networks:
            raise ZeroDivisionError("inside")
        return original(self, *_)

    original = NetworkUpscaler.__call__
    monkeypatch.setattr(NetworkUpscaler, "__call__", breaks)
    found = gallery(scene, test_set, ["tissue"], CPU)
    assert [bool(one.pictures) for one in found.shown] == [False, True, True]
    assert "an unexpected ZeroDivisionError: inside" in found.notes[0]
    assert "met an unexpected error" in caplog.text
