"""A matrix: what is spanned, left out, added and overridden, and which settings each run gets."""

import pytest
from small import MODEL, dataset_text, picture_folder

from srbench.errors import UsageError
from srbench.plan import plan, together
from srbench.plan.matrix import Matrix, When, matches, parse_only
from srbench.plan.terms import parse_seed
from srbench.spec import Seeds

AXES = {"model": ("lapsrn", "espcn"), "loss": ("charbonnier", "l2"), "seed": (0, 1)}


def named(matrix):
    """`lapsrn l2 1` of each run."""
    return [" ".join(str(one[axis]) for axis in ("model", "loss", "seed")) for one in matrix.combinations()]


def test_every_combination_is_one_run_seeds_changing_fastest():
    assert named(Matrix(AXES)) == [
        "lapsrn charbonnier 0", "lapsrn charbonnier 1", "lapsrn l2 0", "lapsrn l2 1",
        "espcn charbonnier 0", "espcn charbonnier 1", "espcn l2 0", "espcn l2 1",
    ]  # fmt: skip


def test_exclude_leaves_out_what_fits_all_of_it_and_include_adds_on_the_axes_it_leaves_out():
    matrix = Matrix(
        AXES,
        exclude=({"model": ("lapsrn",)}, {"loss": ("l2",), "seed": (1,)}),
        include=({"model": ("srcnn",), "loss": ("l1",)},),
    )
    assert named(matrix) == [
        "espcn charbonnier 0", "espcn charbonnier 1", "espcn l2 0", "srcnn l1 0", "srcnn l1 1",
    ]  # fmt: skip


def test_what_was_typed_goes_before_axes_settings_and_added_runs():
    matrix = Matrix(
        AXES,
        include=({"model": ("srcnn",), "loss": ("l1",)},),
        settings={"lr": 1e-3, "epochs": 3},
        when=(When({"model": ("lapsrn",)}, {"lr": 1e-4, "batch": 4}),),
    ).overridden({"loss": ("l2",), "seed": (0,)}, {"lr": 1.0, "steps": 9})
    assert named(matrix) == ["lapsrn l2 0", "espcn l2 0", "srcnn l2 0"]
    settings = [matrix.settings_for(one) for one in matrix.combinations()]
    assert settings == [{"lr": 1.0, "steps": 9, "batch": 4}, *[{"lr": 1.0, "steps": 9}] * 2]


def test_a_budget_of_either_kind_takes_the_place_of_the_other():
    matrix = Matrix(
        {"model": ("lapsrn",)}, settings={"steps": 5}, when=(When({"seed": (0,)}, {"epochs": 2}),)
    )
    (run,) = matrix.combinations()
    assert matrix.settings_for(run) == {"epochs": 2}


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ({"model": ("lapsrn",)}, True),
        ({"model": ("lapsrn:depth=3",)}, True),
        ({"model": ("lapsrn:depth=3,features=64",)}, True),
        ({"model": ("lapsrn:depth=10",)}, False),
        ({"model": ("espcn", "lapsrn")}, True),
        ({"loss": ("charbonnier",)}, True),
        ({"loss": ("charbonnier:eps=0.001",)}, True),
        ({"loss": ("charbonnier+0.1*l1",)}, False),
        ({"channels": ("r,g,b",)}, True),
        ({"channels": ("y",)}, False),
        ({"dataset": ("sample",), "degradation": ("bicubic:round=true",), "scale": (4,), "seed": (0,)}, True),
        ({"seed": (1,)}, False),
    ],
)
def test_a_run_fits_by_name_or_by_parameters_and_what_is_not_given_counts_with_its_default(pattern, fits):
    assert matches(pattern, {"model": "lapsrn:depth=3"}, {}) == fits


@pytest.mark.parametrize(
    ("typed", "pattern"),
    [
        ("model=lapsrn,seed=1", {"model": ("lapsrn",), "seed": (1,)}),
        ("model=lapsrn:depth=3,features=8,scale=2", {"model": ("lapsrn:depth=3,features=8",), "scale": (2,)}),
        ("channels=r,g,b,loss=l1+0.1*l2", {"channels": ("r,g,b",), "loss": ("l1+0.1*l2",)}),
        ("seed=init=1,order=2", {"seed": (Seeds(init=1, order=2),)}),
    ],
)
def test_only_is_read_as_axes_and_values(typed, pattern):
    assert parse_only(typed) == pattern


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("lapsrn", "'lapsrn' is not axis=value"),
        ("modle=lapsrn", "Did you mean 'model'?"),
        ("scale=two", "--scale 'two' is no whole number"),
        ("seed=1,seed=2", "names seed twice. Repeat the option"),
    ],
)
def test_what_only_cannot_be_is_refused(typed, words):
    with pytest.raises(UsageError) as caught:
        parse_only(typed)
    assert words in str(caught.value)


def test_only_keeps_what_fits_one_of_its_patterns_and_says_so_where_nothing_does():
    matrix = Matrix(AXES)
    kept = matrix.overridden({}, {}, (parse_only("model=espcn,seed=1"), parse_only("loss=l2,seed=0")))
    assert named(kept) == ["lapsrn l2 0", "espcn charbonnier 1", "espcn l2 0", "espcn l2 1"]
    with pytest.raises(UsageError) as caught:
        matrix.overridden({}, {}, (parse_only("model=srcnn"),)).requests()
    assert str(caught.value) == "None of the runs fits --only model=srcnn. There is model lapsrn, espcn."


def test_the_requests_of_a_matrix_are_the_plan_that_one_request_gives(tmp_path):
    """The one path: what a command line spans has the ids that a suite of the same axes has."""
    from small import small_request

    data = dataset_text(picture_folder(tmp_path))
    typed = small_request(tmp_path, losses=("l1", "l2"), seeds=(0, parse_seed("init=1")))
    settings = {**typed.settings, "precision": typed.precision, "steps": 6}
    seeds = (0, parse_seed("init=1"))
    matrix = Matrix(
        {"model": (MODEL,), "loss": ("l1", "l2"), "dataset": (data,), "seed": seeds}, settings=settings
    )
    ours = together(plan(one) for one in matrix.requests())
    assert [(one.spec.id, one.budget) for one in ours if one.spec.trained] == [
        (one.spec.id, one.budget) for one in plan(typed) if one.spec.trained
    ]
    assert [one.spec.id for one in ours] == [one.spec.id for one in plan(typed)]
