"""RunSpec: an id that never moves, and what does and does not enter it."""

import pytest
import torch
from small import picture_folder, small_job

from srbench.errors import DatasetError, UsageError
from srbench.plan import plan, untrained_spec
from srbench.plan.settings import Budget
from srbench.plan.terms import parse_seed
from srbench.spec import ComponentSpec, DatasetSpec, LossSpec, RunSpec, Seeds
from srbench.train.state import build_networks

CPU = torch.device("cpu")

GOLDEN = RunSpec(
    model=ComponentSpec(name="lapsrn", params={"features": 64, "depth": 10}),
    loss=(LossSpec(name="charbonnier", params={"eps": 1e-3, "reduction": "mean"}),),
    dataset=DatasetSpec(name="sample", params={}, sha256="00" * 32),
    channels="r,g,b",
    scale=4,
    degradation=ComponentSpec(name="bicubic", params={"round": True}),
    seed=0,
    precision="auto",
    optimizer=ComponentSpec(
        name="adam", params={"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
    ),
    learning_rate=1e-3,
    schedule=ComponentSpec(name="constant", params={"warmup": 0}),
    clip=None,
    ema=0.995,
    batch=16,
    patch=64,
)


def test_golden_id():
    """Computed when the format was fixed. If this fails, everyone's results lose their names."""
    assert GOLDEN.id == "lapsrn-charbonnier-sample-r_g_b-x4-88c725c328"
    baseline = untrained_spec(ComponentSpec(name="bicubic"), 4, GOLDEN.degradation)
    assert baseline.id == "bicubic-x4-43eed71451"


def test_a_spec_comes_back_from_its_stored_form():
    data = GOLDEN.data()
    assert data["schema"] == 1
    assert RunSpec.from_stored(data) == GOLDEN


def test_a_seed_that_sets_all_alike_is_the_plain_one():
    """So it has the id that it always had."""
    assert (
        parse_seed("init=1,order=1,crops=1")
        == parse_seed("1")
        == parse_seed({"init": 1, "order": 1, "crops": 1})
        == 1
    )
    assert parse_seed("init=0") == 0


def test_seeds_set_apart_are_in_the_spec_and_in_the_id():
    spec = GOLDEN.model_copy(update={"seed": parse_seed("init=1,order=2")})
    assert spec.data()["seed"] == {"init": 1, "order": 2, "crops": 0}
    assert spec.id.startswith("lapsrn-charbonnier-sample-r_g_b-x4-sinit1_order2-")
    assert RunSpec.from_stored(spec.data()) == spec
    assert GOLDEN.model_copy(update={"seed": 3}).seeds == Seeds(init=3, order=3, crops=3)


def test_the_seed_of_initialisation_alone_sets_the_first_weights():
    def first(seed):
        return next(
            build_networks(GOLDEN.model_copy(update={"seed": parse_seed(seed)}), CPU)["r"].parameters()
        )

    assert first("init=1").equal(first("1"))
    assert first("order=1,crops=1").equal(first("0"))
    assert not first("init=1").equal(first("0"))


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("1,2", "--seed '1,2' is no whole number. Write --seed 1, and repeat"),
        ("init=one", "--seed 'init=one' is no whole number"),
        ("initial=1", "--seed sets no 'initial'. Did you mean 'init'."),
    ],
)
def test_what_is_no_seed_is_refused(typed, words):
    with pytest.raises(UsageError, match=words):
        parse_seed(typed)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def test_defaults_written_out_are_the_same_run(pictures):
    assert small_job(pictures).spec.id == small_job(pictures, losses=("charbonnier:eps=1e-3",)).spec.id


def test_budget_and_test_sets_are_no_part_of_a_run(pictures):
    more = small_job(pictures, budget=Budget(epochs=9), tests=("sample",))
    assert more.spec.id == small_job(pictures).spec.id
    assert [test.name for test in more.tests] == ["sample"]


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": (1,)},
        {"channels": ("y",)},
        {"losses": ("l1",)},
        {"losses": ("2*charbonnier",)},
        {"precision": "bf16"},
        {"degradation": "bicubic:round=false"},
        {"settings": {"lr": 1e-4}},
        {"settings": {"patch": 32}},
        {"settings": {"schedule": "cosine"}},
    ],
)
def test_what_changes_training_is_another_run(pictures, change):
    assert small_job(pictures, **change).spec.id != small_job(pictures).spec.id


def test_a_cosine_takes_its_horizon_from_the_budget_into_the_spec(pictures):
    cosine = {"settings": {"schedule": "cosine"}}
    short, long = (small_job(pictures, budget=Budget(steps=n), **cosine).spec for n in (10, 20))
    assert (short.schedule.params["steps"], long.schedule.params["steps"]) == (10, 20)
    assert short.id != long.id


def test_moved_pictures_are_the_same_run_and_changed_ones_are_not(pictures, tmp_path):
    moved = picture_folder(tmp_path / "elsewhere")
    assert small_job(moved).spec.id == small_job(pictures).spec.id
    (moved / "train" / "grass.png").rename(moved / "train" / "lawn.png")
    other = picture_folder(tmp_path / "third")
    (other / "train" / "grass.png").unlink()
    assert small_job(other).spec.id != small_job(pictures).spec.id


def test_a_matrix_has_its_baselines_first_and_no_run_twice(pictures):
    from small import small_request

    jobs = plan(small_request(pictures, losses=("l1", "l2", "l1"), scales=(2, 4), seeds=(0, 1)))
    names = [(job.spec.model.name, job.spec.scale) for job in jobs]
    assert names[:2] == [("bicubic", 2), ("bicubic", 4)]
    assert len(jobs) == len({job.spec.id for job in jobs}) == 2 + 2 * 2 * 2


def test_bicubic_asked_for_by_name_is_the_baseline_itself(pictures):
    from small import small_request

    jobs = plan(small_request(pictures, models=("bicubic",)))
    assert [job.spec.model.name for job in jobs] == ["bicubic"]
    assert jobs[0].spec.loss is jobs[0].spec.channels is jobs[0].spec.seed is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"models": ("lapsm",)}, "No model named 'lapsm'. Did you mean 'lapsrn'"),
        ({"models": ("lapsrn:depht=2",)}, "no parameter 'depht'. Did you mean 'depth'"),
        ({"losses": ("charbonier",)}, "No loss named 'charbonier'. Did you mean 'charbonnier'"),
        ({"losses": ("charbonnier:eps=small",)}, "cannot take eps=small"),
        ({"losses": ("0*l1",)}, "weight 0 of loss 'l1' must be a number above 0"),
        ({"datasets": ("smaple",)}, "No dataset named 'smaple'. Did you mean 'sample'"),
        ({"scales": (3,)}, "Model 'lapsrn' cannot do ×3; it does ×2, ×4, ×8"),
        ({"scales": (1,)}, "enlarges nothing"),
        ({"settings": {"patch": 18}}, "--patch 18 is not a multiple of --scale 4.* Take 16 or 20"),
        ({"settings": {"optimizer": "adem"}}, "'adem' is no optimizer. Did you mean 'adam'"),
        ({"settings": {"optimizer": "sgd:beta1=1"}}, "Optimizer 'sgd' has no parameter 'beta1'"),
        ({"settings": {"schedule": "cosin"}}, "'cosin' is no schedule. Did you mean 'cosine'"),
        ({"settings": {"ema": 1.5}}, "--ema 1.5"),
        ({"settings": {"lr": 0.0}}, "--lr 0.0 must be a number above 0"),
        ({"channels": ("rg",)}, "--channels 'rg' is none of"),
        ({"precision": "fp64"}, "'fp64' is no precision"),
        ({"recipe": "papr"}, "no recipe 'papr'. Did you mean 'paper'"),
        ({"degradation": "bicubik"}, "No degradation named 'bicubik'. Did you mean 'bicubic'"),
    ],
)
def test_what_cannot_be_is_refused_with_words(pictures, change, words):
    with pytest.raises(UsageError, match=words):
        small_job(pictures, **change)


def test_training_without_training_pictures_and_scoring_without_test_pictures(pictures):
    with pytest.raises(DatasetError, match="has no training pictures"):
        small_job(pictures, datasets=(f"folder:test={pictures / 'test'}",))
    with pytest.raises(DatasetError, match="has no test pictures"):
        small_job(pictures, datasets=(f"folder:train={pictures / 'train'}",))
