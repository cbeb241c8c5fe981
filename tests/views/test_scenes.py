"""Which runs stand side by side, and the test set they are of, found by its content."""

import shutil

import pytest
from stored import bicubic, lapsrn, runs_in, scored, store

from srbench.errors import DatasetError
from srbench.views.scenes import asked_for, best, scenes_of, set_of


def test_runs_of_one_test_scale_and_degradation_are_a_scene(tmp_path):
    rounded = lapsrn(degradation=bicubic(4, "false").degradation)
    for spec in (bicubic(), lapsrn(), lapsrn(seed=1), rounded):
        store(tmp_path, spec, scored(spec, level=28, scales=(2, 4)))
    found = scenes_of(runs_in(tmp_path))
    assert [(scene.title, len(scene.runs)) for scene in found] == [
        ("sample ×4 · LR bicubic:round=true", 2),
        ("sample ×4 · LR bicubic:round=false", 1),
    ]


def test_the_best_runs_are_kept_in_their_order(tmp_path):
    for seed, level in enumerate((27, 29, 26, 28)):
        store(tmp_path, lapsrn(seed=seed), scored(lapsrn(seed=seed), level=level))
    (scene,) = scenes_of(runs_in(tmp_path))
    kept, notes = best(scene, 2)
    assert sorted(run.record.spec["seed"] for run in kept.runs) == [1, 3]
    assert [run for run in scene.runs if run in kept.runs] == list(kept.runs)
    assert notes == ["sample ×4: 2 of 4 runs are shown, the best by PSNR. Name runs to see others."]
    assert best(scene, 4) == (scene, [])


def test_a_set_is_found_where_the_runs_were_trained_and_not_where_it_changed(pictured_store, tmp_path):
    root = shutil.copytree(pictured_store.parent, tmp_path / "copy")
    (scene,) = scenes_of(runs_in(root / "results"))
    assert set_of(scene).name == "test"
    moved = root / "pictures" / "test"
    typed = f"folder:test={moved}"
    assert [asked_for([scene], [one]) for one in (typed, "test", "sample")] == [[scene], [scene], []]
    assert {one.name for one in set_of(scene, [typed]).pictures} == {"face", "tissue"}


def test_a_set_that_is_gone_is_told_with_what_was_looked_at(tmp_path):
    store(tmp_path, lapsrn(), scored(lapsrn(), level=28))
    (scene,) = scenes_of(runs_in(tmp_path))
    with pytest.raises(
        DatasetError, match=r"not found \(sample: has other pictures\).*--test sample:root=DIR"
    ):
        set_of(scene)
    with pytest.raises(DatasetError, match=r"folder:test=/nowhere: "):
        set_of(scene, ["folder:test=/nowhere"])
