"""What runs are called side by side: what tells them apart, and nothing else."""

from stored import bicubic, lapsrn, runs_in, scored, store

from srbench.views.names import in_order, is_baseline, names_of


def test_names_hold_what_differs_and_the_rest_is_shared(tmp_path):
    for spec in (bicubic(), lapsrn(), lapsrn(eps=1e-6), lapsrn(seed=1)):
        store(tmp_path, spec)
    runs = in_order(runs_in(tmp_path))
    found = names_of(runs)
    assert [found.of[run.id] for run in runs] == [
        "bicubic",
        "lapsrn charbonnier:eps=0.001 seed 0",
        "lapsrn charbonnier:eps=0.001 seed 1",
        "lapsrn charbonnier:eps=1e-06 seed 0",
    ]
    assert found.shared == "channels r,g,b · dataset sample · scale ×4 · LR bicubic:round=true"
    assert is_baseline(runs[0])


def test_scales_and_degradations_tell_runs_apart(tmp_path):
    for spec in (lapsrn(), lapsrn(scale=2), bicubic(4, "false")):
        store(tmp_path, spec)
    names = set(names_of(runs_in(tmp_path)).of.values())
    assert names == {
        "bicubic ×4 bicubic:round=false",
        "lapsrn ×2 bicubic:round=true",
        "lapsrn ×4 bicubic:round=true",
    }


def test_a_run_that_is_called_something_goes_by_that(tmp_path):
    store(tmp_path, lapsrn(), scored(lapsrn(), level=28), provenance={"name": "mine"})
    (run,) = runs_in(tmp_path)
    assert names_of([run]).of == {run.id: "mine"}
