"""Scoring: what is stored is what the metric says of a picture; only what is missing is made."""

import json

import pytest
import torch
from small import MODEL, picture_folder, small_job, small_request

from srbench.evaluate.scoring import Scoring, resolve_metrics
from srbench.executors.local import Settings, execute, score_stored
from srbench.images.png import read_picture
from srbench.images.resize import bicubic, resize_bicubic
from srbench.images.tiles import read_rgb
from srbench.metrics.protocol import prepare
from srbench.metrics.psnr import psnr
from srbench.plan import plan
from srbench.store.layout import RunPaths
from srbench.store.runs import find_run
from srbench.store.scores import read_scores
from srbench.train.loop import Cadence
from srbench.train.stop import Stop
from srbench.types import Picture

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def scoring(*metrics, **rules):
    return Scoring(*resolve_metrics(metrics), **rules)


def do(jobs, results, rules):
    return execute(jobs, results, Settings(CPU, "exact", Cadence(), rules, quiet=True), Stop())


def scores_of(results, prefix):
    return read_scores(find_run(results, prefix).paths)[0]


def test_bicubic_scores_are_those_made_by_hand(pictures, tmp_path):
    do(plan(small_request(pictures, models=("bicubic",))), tmp_path, scoring("psnr"))
    hr = read_rgb(Picture("face", pictures / "test" / "face.png"), 4)
    lr = bicubic()(hr, 4)
    inner = bicubic()(hr, 2)
    by_hand = {
        (4, plane): psnr(*prepare(resize_bicubic(lr, 64, 56), hr, (plane,), 4)).item() for plane in "rgby"
    } | {
        (2, plane): psnr(*prepare(resize_bicubic(lr, 32, 28), inner, (plane,), 2)).item() for plane in "rgby"
    }
    stored = {(s.scale, s.plane): s.value for s in scores_of(tmp_path, "bicubic") if s.image == "face"}
    assert stored == pytest.approx(by_hand, abs=1e-9)
    assert {score.run_scale for score in scores_of(tmp_path, "bicubic")} == {4}


def test_only_what_is_missing_is_scored(pictures, tmp_path):
    jobs = plan(small_request(pictures))
    do(jobs, tmp_path, scoring("psnr"))
    first = scores_of(tmp_path, "lapsrn")
    assert [one.did_anything for one in do(jobs, tmp_path, scoring("psnr", "ssim"))] == [True, True]
    both = scores_of(tmp_path, "lapsrn")
    assert [score for score in both if score.metric == "psnr"] == first
    assert {score.metric for score in both} == {"psnr", "ssim"}
    assert [one.did_anything for one in do(jobs, tmp_path, scoring("ssim"))] == [False, False]


def test_settings_of_a_metric_and_rules_are_scored_beside_each_other(pictures, tmp_path):
    jobs = plan(small_request(pictures, models=("bicubic",)))
    do(jobs, tmp_path, scoring("ssim", "ssim:edge=replicate"))
    do(jobs, tmp_path, scoring("ssim", grey="keep"))
    scores, protocols = read_scores(find_run(tmp_path, "bicubic").paths)
    assert {score.metric for score in scores} == {"ssim", "ssim:edge=replicate"}
    assert {protocols[score.protocol]["grey"] for score in scores if score.metric == "ssim"} == {
        "rgb",
        "keep",
    }
    assert all(protocols[score.protocol]["border"] == score.scale for score in scores)
    assert all(protocols[score.protocol]["degradation"] == "bicubic:round=true" for score in scores)


def test_a_grey_file_scored_as_it_is_needs_no_luma_transform(tmp_path):
    grey = picture_folder(tmp_path / "grey", colour=False)
    jobs = plan(small_request(grey, models=("bicubic",)))
    do(jobs, tmp_path / "results", scoring("psnr"))
    do(jobs, tmp_path / "results", scoring("psnr", grey="keep"))
    scores, protocols = read_scores(find_run(tmp_path / "results", "bicubic").paths)
    by_rule = {
        (protocols[s.protocol]["grey"], s.plane): s.value
        for s in scores
        if s.image == "face" and s.scale == 4
    }
    assert read_picture(Picture("face", grey / "test" / "face.png")).ndim == 2
    assert by_rule["keep", "y"] == by_rule["keep", "r"] == by_rule["rgb", "r"]
    # Studio range squeezes 255 levels into 219: luma as RGB reads 20·log10(255/219) = 1.32 dB higher.
    assert by_rule["rgb", "y"] - by_rule["keep", "y"] == pytest.approx(1.32, abs=0.05)


@pytest.mark.parametrize(
    ("channels", "planes"), [("r", "r"), ("y", "rgby"), ("rgb", "rgby"), ("r,g,b", "rgby")]
)
def test_a_run_is_scored_on_the_planes_its_pictures_have(pictures, tmp_path, channels, planes):
    do([small_job(pictures, channels=(channels,))], tmp_path, scoring("psnr"))
    scores = scores_of(tmp_path, "lapsrn")
    assert {score.plane for score in scores} == set(planes)
    assert {(score.scale, score.image) for score in scores} == {
        (s, i) for s in (2, 4) for i in ("face", "tissue")
    }


def test_an_untrained_network_scores_its_upsampling(pictures, tmp_path):
    """r, g and b networks are equal before training, so planes of a grey picture are."""
    from srbench.plan.settings import Budget

    grey = picture_folder(tmp_path / "grey", colour=False)
    do([small_job(grey, budget=Budget(steps=0))], tmp_path / "results", scoring("psnr"))
    values = {(s.image, s.scale): set() for s in scores_of(tmp_path / "results", "lapsrn")}
    for score in scores_of(tmp_path / "results", "lapsrn"):
        if score.plane != "y":
            values[score.image, score.scale].add(score.value)
    assert all(len(planes) == 1 for planes in values.values())


def test_lpips_without_weights_says_why_and_everything_else_is_scored(pictures, tmp_path):
    rules = scoring("psnr", "lpips")
    assert list(rules.unavailable) == ["lpips:net=alex"]
    do(plan(small_request(pictures, channels=("r",))), tmp_path, rules)
    assert find_run(tmp_path, "bicubic").summary["unavailable"] == dict(rules.unavailable)
    # For a single plane it is not missing: it does not apply.
    assert find_run(tmp_path, "lapsrn").summary["unavailable"] == {}
    assert scores_of(tmp_path, "lapsrn")


def test_lpips_is_filled_in_once_weights_are_there(pictures, tmp_path, assets):
    from srbench.metrics.backbones import set_weights_dir

    jobs = plan(small_request(pictures, models=("bicubic",)))
    do(jobs, tmp_path, scoring("lpips:net=squeeze"))
    assert scores_of(tmp_path, "bicubic") == []
    set_weights_dir(assets / "weights")
    try:
        do(jobs, tmp_path, scoring("lpips:net=squeeze"))
    finally:
        set_weights_dir(None)
    run = find_run(tmp_path, "bicubic")
    assert run.summary["unavailable"] == {}
    assert {(row["plane"], row["metric"]) for row in run.summary["scores"]} == {("rgb", "lpips:net=squeeze")}
    assert all(0 < row["mean"] < 1 for row in run.summary["scores"])


def test_stored_runs_are_scored_on_any_test_set_without_training(pictures, tmp_path):
    from srbench.datasets import build_dataset

    do(plan(small_request(pictures)), tmp_path, scoring("psnr"))
    run = find_run(tmp_path, "lapsrn")
    other = build_dataset(f"folder:test={pictures / 'val'}").test
    (outcome,) = score_stored([run], [other.typed], scoring("psnr"), CPU, Stop(), quiet=True)
    assert outcome.error is None
    assert {score.test for score in scores_of(tmp_path, "lapsrn")} == {"test", "val"}
    (again,) = score_stored([run], [], scoring("psnr"), CPU, Stop(), quiet=True)
    assert not again.did_anything


def test_a_larger_budget_replaces_the_scores_of_the_test_sets_asked_for(pictures, tmp_path):
    from srbench.plan.settings import Budget

    do(plan(small_request(pictures)), tmp_path, scoring("psnr"))
    do(plan(small_request(pictures, budget=Budget(steps=8))), tmp_path, scoring("psnr"))
    assert {score.step for score in scores_of(tmp_path, "lapsrn")} == {8}


def test_pictures_are_kept_where_asked_and_equal_what_was_scored(pictures, tmp_path):
    do(plan(small_request(pictures, models=("bicubic",))), tmp_path, scoring("psnr", save_images=1))
    folder = find_run(tmp_path, "bicubic").paths.images
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png")) == [
        "test/x2/face.png",
        "test/x4/face.png",
    ]
    hr = read_rgb(Picture("face", pictures / "test" / "face.png"), 4)
    kept = read_rgb(Picture("kept", folder / "test/x4/face.png"), 1)
    value = psnr(*prepare(kept, hr, ("g",), 4)).item()
    stored = [s for s in scores_of(tmp_path, "bicubic") if (s.image, s.scale, s.plane) == ("face", 4, "g")]
    assert value == pytest.approx(stored[0].value, abs=1e-9)


def test_summary_names_direction_and_unit(pictures, tmp_path):
    do(plan(small_request(pictures, models=("bicubic",))), tmp_path, scoring("psnr"))
    summary = json.loads(RunPaths(find_run(tmp_path, "bicubic").paths.directory).summary.read_text())
    assert {(row["better"], row["unit"], row["n"]) for row in summary["scores"]} == {("higher", "dB", 2)}
    assert MODEL.startswith("lapsrn")


@pytest.mark.parametrize(
    ("data_set", "scale", "grey", "expected"),
    [
        ("set5", 2, "rgb", 33.69), ("set5", 4, "rgb", 28.43),
        ("set14", 2, "rgb", 30.35), ("set14", 4, "rgb", 26.10),
        ("set14", 2, "keep", 30.25), ("set14", 4, "keep", 26.01),
    ],
)  # fmt: skip
def test_published_bicubic_figures(assets, tmp_path, data_set, scale, grey, expected):
    """Luma PSNR with LR unrounded, border of `scale`: Lai et al. 2017 (Set5 33.69 and 28.43 with rounding of
    MATLAB's), Set14 in both grey rules."""
    request = small_request(
        assets,
        models=("bicubic",),
        datasets=("sample",),
        tests=(f"{data_set}:root={assets / 'data' / data_set}",),
        scales=(scale,),
        degradation="bicubic:round=false",
    )
    do(plan(request), tmp_path, scoring("psnr", grey=grey))
    means = {
        (row["scale"], row["plane"]): row["mean"] for row in find_run(tmp_path, "bicubic").summary["scores"]
    }
    assert means[scale, "y"] == pytest.approx(expected, abs=0.01)
    if (data_set, scale) == ("set5", 4):
        assert means[2, "y"] == pytest.approx(30.90, abs=0.01)
