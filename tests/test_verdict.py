"""From stored scores to what is said of over-smoothing: summary, table, compare, srbench verdict."""

import functools
import io
import json
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from small import picture_folder, small_arguments, small_request, srbench
from stored import DETAIL, bicubic, lapsrn, runs_in, scored, store

from srbench.compare import compare, find_side
from srbench.compare.show import render as render_comparison
from srbench.errors import UsageError
from srbench.evaluate.scoring import DEFAULT_METRICS, resolve_metrics
from srbench.metrics.detail import DetailMap, detail
from srbench.plan import plan
from srbench.store.runs import find_run
from srbench.store.scores import read_scores
from srbench.tables import records, render
from srbench.tables.rows import rows_of
from srbench.tables.said import said_of
from srbench.verdict import tell
from srbench.verdict.maps import overlay
from srbench.verdict.show import records as story_records

EVERYTHING = ("psnr", "lpips:net=squeeze", *DETAIL)
FACTS = {"net": "squeeze"}


def around(level, spread=0.02, n=6):
    return [level + spread * np.sin(3 * picture) for picture in range(n)]


def smooth(**changed):
    """Over-smoothed in all planes; the contents of r, g and b differ, as those of colour pictures do."""
    return {
        "detail": around(0.2), "presence": around(0.4), "invented": around(0.34), "slope": around(1.3),
        "contrast": around(1.0), "shift": around(0.02, 0.001),
        **{f"content {plane}": around(0.5 + 0.01 * number) for number, plane in enumerate("rgby")},
        **changed,
    }  # fmt: skip


def put(root, spec, level=28.0, values=None, **more):
    return store(
        root, spec, scored(spec, level=level, metrics=EVERYTHING, facts=FACTS, values=values, **more)
    )


def summary_of(root, prefix="lapsrn"):
    return find_run(root, prefix).summary


def test_summary_has_a_verdict_for_each_plane(tmp_path):
    put(tmp_path, lapsrn(), values=smooth())
    said = summary_of(tmp_path)["verdicts"]
    assert {one["plane"]: one["verdict"] for one in said} == dict.fromkeys("rgby", "over-smoothed")
    (red,) = [one for one in said if one["plane"] == "r"]
    mean, low, high = red["presence"]
    assert low < mean < high
    assert (red["n"], red["left_out"], red["flat"], red["cause"]) == (6, 0, 0, "undertrained")
    assert summary_of(tmp_path)["lags"] == []


def test_pictures_without_an_answer_are_counted_and_flat_ones_told_apart(tmp_path):
    nan = float("nan")
    values = smooth()
    for name in ("detail", "presence", "invented", "slope"):
        values[name] = [nan, nan, *around(0.3, n=6)]
    for plane in "rgby":
        values[f"content {plane}"] = [nan, 0.01, *around(0.5, n=6)]
    values = {key: (one if len(one) == 8 else around(1.0, n=8)) for key, one in values.items()}
    put(tmp_path, lapsrn(), values=values, pictures=8)
    red = summary_of(tmp_path)["verdicts"][0]
    assert (red["n"], red["left_out"], red["flat"]) == (6, 2, 1)


def test_the_lagging_channel_is_named_everywhere(tmp_path):
    put(tmp_path, lapsrn(), values=smooth(**{"detail r": around(0.1, 0.005)}))
    (lag,) = summary_of(tmp_path)["lags"]
    assert lag["plane"] == "r"
    assert lag["ratio"][0] == pytest.approx(0.5, abs=0.02)
    (row,) = rows_of(runs_in(tmp_path))
    assert said_of(row).text == "over-smoothed; red lags"
    (scene,) = tell(find_run(tmp_path, "lapsrn"), runs_in(tmp_path)).scenes
    (sentences,) = [one["sentences"] for one in story_records(tell_of(tmp_path))["scenes"]]
    assert scene.lags
    assert any(line.startswith("red lags: 0.5") for line in sentences)


def tell_of(root):
    return tell(find_run(root, "lapsrn"), runs_in(root))


def test_planes_that_differ_are_named_gravest_first(tmp_path):
    values = smooth(**{"presence b": around(0.9), "detail b": around(0.85), "detail y": around(0.2)})
    put(tmp_path, lapsrn(), values=values)
    (row,) = rows_of(runs_in(tmp_path))
    assert said_of(row).text.startswith("over-smoothed r,g,y; faithful b")


@pytest.mark.parametrize("format", ["md", "latex", "csv", "json"])
def test_every_format_shows_the_verdict(tmp_path, format):
    put(tmp_path, lapsrn(), values=smooth())
    text = render(runs_in(tmp_path), format)
    assert "over-smoothed" in text
    assert "verdict" in text


def test_the_terminal_shows_the_verdict_beside_its_run(tmp_path):
    from rich.console import Console

    put(tmp_path, lapsrn(), values=smooth())
    put(tmp_path, bicubic())
    console = Console(width=80, file=io.StringIO())
    console.print(render(runs_in(tmp_path), "rich", width=80))
    text = console.file.getvalue()
    assert any("lapsrn" in line and "over-smoothed" in line for line in text.splitlines())
    assert not [line for line in text.splitlines() if len(line) > 80]


def test_values_that_rank_nothing_are_shown_only_where_asked_for(tmp_path):
    put(tmp_path, lapsrn(), values=smooth())
    put(tmp_path, bicubic())
    assert "slope" not in render(runs_in(tmp_path), "md")
    asked = render(runs_in(tmp_path), "md", metrics=["slope"])
    assert "slope" in asked
    assert "**1." not in asked
    assert {"slope", "content"} <= {one["metric"] for one in records(runs_in(tmp_path))}


def test_scores_without_detail_have_no_verdict_and_no_column(tmp_path):
    store(tmp_path, lapsrn(), scored(lapsrn(), level=28))
    assert summary_of(tmp_path)["verdicts"] == []
    assert "verdict" not in render(runs_in(tmp_path), "md")
    with pytest.raises(UsageError, match="has not been scored for detail. srbench eval lapsrn"):
        tell_of(tmp_path)


def test_a_run_without_scores_says_what_to_do(tmp_path):
    store(tmp_path, lapsrn())
    with pytest.raises(UsageError, match="has no scores yet. srbench eval"):
        tell_of(tmp_path)


def test_psnr_up_and_lpips_not_is_said_of_pairs_alone(tmp_path):
    put(tmp_path, bicubic(), level=27, values={"lpips:net=squeeze": around(0.3)})
    put(tmp_path, lapsrn(), level=28, values=smooth(**{"lpips:net=squeeze": around(0.3)}))
    (scene,) = tell_of(tmp_path).scenes
    assert scene.psnr_alone
    sides = find_side(tmp_path, "lapsrn"), find_side(tmp_path, "bicubic")
    assert "PSNR up, LPIPS not improved" in render_comparison(compare(*sides), *sides, "md")
    better = lapsrn(seed=1)
    put(tmp_path, better, level=28, values=smooth(**{"lpips:net=squeeze": around(0.2)}))
    (scene,) = tell(find_run(tmp_path, better.id), runs_in(tmp_path)).scenes
    assert not scene.psnr_alone


def test_compare_says_which_run_has_more_true_detail(tmp_path):
    other = lapsrn(eps=1e-2)
    put(tmp_path, lapsrn(), values=smooth())
    put(tmp_path, other, values=smooth(detail=around(0.25)))
    sides = find_side(tmp_path, other.id), find_side(tmp_path, lapsrn().id)
    text = render_comparison(compare(*sides), *sides, "md")
    assert "A has more of HR's detail in r (+0.050), g (+0.050), b (+0.050), y (+0.050)." in text
    assert "slope" not in text


def test_the_story_says_what_is_lost_how_surely_and_what_may_help(tmp_path):
    put(tmp_path, bicubic(), values={"detail": around(0.05), "lpips:net=squeeze": around(0.4)})
    put(tmp_path, lapsrn(), level=29, values=smooth(shift=around(0.4)))
    (scene,) = story_records(tell_of(tmp_path))["scenes"]
    text = "\n".join(scene["sentences"])
    assert "80 % in r" in text
    assert "detail r +0.150" in text
    assert "Warning: SR lies beside HR by r 0.40" in text
    assert "smoother than a squared error would have it (slope 1.30" in text
    assert "At ×4 every network trained on pixels is over-smoothed" in text
    assert len(scene["pictures"]) == 4 * 6


# On real pictures


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def test_one_value_of_detail_brings_the_others_by_one_call(pictures, tmp_path, monkeypatch):
    from test_evaluate import scoring

    import srbench.metrics.detail as module
    from srbench.executors.local import Settings, execute
    from srbench.train.loop import Cadence
    from srbench.train.stop import Stop

    active, unavailable = resolve_metrics(["presence"])
    assert sorted(one.label for one in active) == sorted(DETAIL)
    assert not unavailable
    assert "detail" in DEFAULT_METRICS
    calls = []

    @functools.wraps(detail)
    def counted(*args, **given):
        calls.append(given)
        return detail(*args, **given)

    monkeypatch.setattr(module, "detail", counted)
    for one in active:
        one.component.__dict__.pop("build", None)  # resolved anew
    jobs = plan(small_request(pictures, models=("bicubic",)))
    settings = Settings(torch.device("cpu"), "exact", Cadence(), scoring("presence"), quiet=True)
    execute(jobs, tmp_path, settings, Stop())
    for one in active:
        one.component.__dict__.pop("build", None)
    scores, protocols = read_scores(find_run(tmp_path, "bicubic").paths)
    assert len(calls) == 2 * 2  # pictures × scales, for four planes and seven values
    assert {score.metric for score in scores} == set(DETAIL)
    assert len({score.protocol for score in scores}) == len(DETAIL) * 4 * 2 == len(protocols)


def test_consistency_with_lr_needs_no_hr_and_sees_what_contradicts_it(pictures, tmp_path, monkeypatch):
    arguments = small_arguments(pictures, tmp_path, "--metric", "lr_consistency")
    assert srbench(arguments, monkeypatch) == 0
    (scores, _), (baseline, _) = (
        read_scores(find_run(tmp_path, name).paths) for name in ("lapsrn", "bicubic")
    )
    assert {score.plane for score in scores} == set("rgby")
    found = {(one.image, one.plane): one.value for one in baseline if one.scale == 4}
    from srbench.images.png import quantise
    from srbench.images.resize import bicubic as degrade
    from srbench.images.resize import resize_bicubic
    from srbench.images.tiles import read_rgb
    from srbench.metrics.psnr import psnr
    from srbench.types import Picture

    hr = read_rgb(Picture("face", pictures / "test" / "face.png"), 4)
    lr = degrade()(hr, 4)
    again = degrade()(quantise(resize_bicubic(lr, *hr.shape[-2:])), 4)
    by_hand = psnr(again[..., 1:-1, 1:-1], lr[..., 1:-1, 1:-1])[0, 1].item()
    assert found["face", "g"] == pytest.approx(by_hand, abs=1e-4)


def test_verdict_from_the_command_line(pictures, tmp_path, monkeypatch, capsys):
    results = tmp_path / "results"
    arguments = small_arguments(pictures, results, "--metric", "detail", "--eval-every", "2")
    assert srbench(arguments, monkeypatch) == 0
    capsys.readouterr()
    maps = tmp_path / "maps"
    line = ["verdict", "lapsrn", "--results", str(results)]
    assert srbench([*line, "--map", str(maps)], monkeypatch) == 0
    out = capsys.readouterr().out
    assert "inconclusive in r (presence" in out  # two pictures are too few
    assert "Detail ×4 on val while training" in out
    assert srbench([*line, "--format", "json"], monkeypatch) == 0
    story = json.loads(capsys.readouterr().out)
    assert {scene["scale"] for scene in story["scenes"]} == {2, 4}
    with np.load(maps / "test" / "x4" / "face.npz") as arrays:
        assert arrays["gain"].shape == arrays["weight"].shape == (4, 2, 2)
        assert list(arrays["planes"]) == ["r", "g", "b", "y"]
        assert list(arrays["grid"]) == [4, 4, 0, 32, 16]
    with Image.open(maps / "test" / "x4" / "face-r.png") as image:
        assert image.size == (48, 56)
        assert image.mode == "RGB"
    assert srbench([*line, "--test", "other"], monkeypatch) == 2


def test_the_overlay_is_red_where_detail_is_lost_and_grey_outside():
    gain = torch.tensor([[[[0.0, 1.0]]]], dtype=torch.float64)
    found = DetailMap(gain, torch.full_like(gain, 0.5), top=4, left=0, window=32, stride=16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = overlay(torch.full((1, 1, 40, 48), 0.5), found, 0)[0]
    assert shown.shape == (3, 40, 48)
    assert torch.equal(shown[:, 0], torch.full((3, 48), 0.5))
    left, right = shown[:, 20, 2], shown[:, 20, -2]
    assert left[0] > left[1] + 0.2
    assert right[1] > right[0] + 0.2


def test_a_flat_window_colours_no_other():
    """Its share of next to nothing is a ratio of rounding errors, or none."""
    hr = torch.full((1, 1, 32, 48), 0.5)
    shown = []
    for odd in (0.0, 1.0, 50.0, -50.0, torch.nan):
        gain = torch.tensor([[[[odd, 0.2]]]], dtype=torch.float64)
        weight = torch.tensor([[[[1e-9, 1.0]]]], dtype=torch.float64)
        shown.append(overlay(hr, DetailMap(gain, weight, top=0, left=0, window=32, stride=16), 0))
    for one in shown[1:]:
        torch.testing.assert_close(one, shown[0], rtol=0, atol=1e-3)
