"""`srbench explain`: one table, best first, a verdict that stands alone, and what is wrong usage."""

import json

import pytest
from PIL import Image
from small import picture_folder, small_arguments, srbench

from srbench.errors import UsageError
from srbench.explain import Candidate, Explanation, Number
from srbench.explain.show import render, verdict


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """HR, and SR of it by Pillow at ×2."""
    root = picture_folder(tmp_path_factory.mktemp("pictures"))
    (root / "sr").mkdir()
    for path in (root / "test").glob("*.png"):
        image = Image.open(path)
        small = image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)
        small.resize(image.size, Image.Resampling.BICUBIC).save(root / "sr" / path.name)
    return root


def in_folder(root, *more):
    test = f"folder:test={root / 'test'}"
    return ["explain", "--pictures", str(root / "sr"), "--test", test, "--scale", "2", *more]


def candidate(border, value, *, distance, departures=0):
    labels = {"scale": "×4", "plane": "luma", "border": border}
    return Candidate(labels, {"psnr": value}, distance, departures)


def explanation(*candidates, text="28.17", within=None):
    number = Number.parse("psnr", text)
    count = sum(one.explains for one in candidates) if within is None else within
    usual = {"scale": "×4", "plane": "luma", "border": "border = scale"}
    return Explanation([number], candidates, 36, {"psnr": 36}, {"psnr": count}, usual)


def test_the_one_protocol_is_named():
    found = explanation(candidate("no border", 28.1712, distance=0.24, departures=1))
    assert verdict(found) == "One of 36 protocols gives psnr 28.17."
    text = render(found, "md")
    assert "in all below: ×4 · luma · no border" in text
    assert "| 28.1712 | +0.0012 |" in text


def test_several_are_listed_and_what_differs_stands_in_the_table():
    found = explanation(
        candidate("border = scale", 28.1741, distance=0.82),
        candidate("no border", 28.1701, distance=0.02, departures=1),
        candidate("border = scale + 6", 28.2, distance=6, departures=1),
    )
    text = render(found, "md")
    assert "2 of 36 protocols come within rounding of psnr 28.17, the most usual first;" in text
    assert "in all below: ×4 · luma\n" in text
    assert "| 28.1741 | +0.0041 | as srbench scores it: border = scale |" in text
    assert "| 28.1701 | +0.0001 | no border |" in text
    assert "28.2000" not in text
    assert "1 more are not shown" in render(found, "md", limit=1)


def test_where_none_explains_the_nearest_is_named_and_by_how_much():
    found = explanation(
        candidate("no border", 28.21, distance=8, departures=1),
        candidate("border = scale", 28.3, distance=26),
    )
    said = verdict(found)
    assert said.startswith(
        "None of 36 protocols comes within rounding of psnr 28.17. The nearest gives psnr "
    )
    assert "28.2100, off by 0.04." in said
    plain = json.loads(render(found, "json"))
    assert [one["explains"] for one in plain["candidates"]] == [False, False]
    assert plain["explained"] == 0
    assert plain["candidates"][0]["off"]["psnr"] == pytest.approx(0.04)


def test_pictures_of_any_program_are_explained(root, monkeypatch, capsys):
    assert srbench(in_folder(root, "--psnr", "99.9", "--format", "json"), monkeypatch) == 0
    nearest = json.loads(capsys.readouterr().out)["candidates"][0]
    value = f"{nearest['values']['psnr']:.3f}"
    assert srbench(in_folder(root, "--psnr", value, "--ssim", "0.5000", "--limit", "2"), monkeypatch) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert f"None of 120 protocols comes within rounding of psnr {value} and ssim 0.5000." in out
    assert f"Within rounding of psnr {value} alone: 1." in out
    assert srbench(in_folder(root, "--psnr", value), monkeypatch) == 0
    out = capsys.readouterr().out
    assert f"protocols gives psnr {value}." in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_run_is_explained_on_the_test_half_of_its_dataset(root, tmp_path, monkeypatch, capsys):
    results = tmp_path / "results"
    assert srbench(small_arguments(root, results, "--scale", "2", "--steps", "1"), monkeypatch) == 0
    capsys.readouterr()
    arguments = ["explain", "lapsrn", "--results", str(results), "--psnr", "20", "--format", "md"]
    assert srbench(arguments, monkeypatch) == 0
    captured = capsys.readouterr()
    assert "| psnr | off | protocol |" in captured.out
    arguments[1] = "bicubic"
    assert srbench(arguments, monkeypatch) == 2
    assert "was not trained on a dataset of its own. Name a test set" in capsys.readouterr().err


def test_stored_pictures_are_explained_as_their_folder(root, tmp_path, monkeypatch, capsys):
    test, results = f"folder:test={root / 'test'}", ["--results", str(tmp_path / "results")]
    pictures = ["--pictures", str(root / "sr"), "--scale", "2", "--name", "pillow"]
    assert srbench(["eval", *pictures, "--test", test, "--metric", "psnr", *results], monkeypatch) == 0
    asked = ["--test", test, "--psnr", "20", "--format", "json"]
    outs = []
    for what in (["pillow", *results], pictures[:4]):
        capsys.readouterr()
        assert srbench(["explain", *what, *asked], monkeypatch) == 0
        outs.append(capsys.readouterr().out)
    assert outs[0] == outs[1]
    assert srbench(["explain", "pillow", *results, *asked, "--scale", "4"], monkeypatch) == 2
    assert "has no output of ×4; it has ×2" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["explain", "--psnr", "28"], "takes a run, or --pictures DIR: one of the two"),
        (["explain", "run", "--pictures", "there", "--psnr", "28"], "takes a run, or --pictures DIR"),
        (["explain", "run"], "There is no number to explain"),
        (["explain", "--pictures", "there", "--psnr", "28"], "--pictures needs --test and --scale"),
        (["explain", "run", "--psnr", "much"], "--psnr 'much' is no number"),
        (["explain", "run", "--psnr", "28", "--test", "a:root=b,c:root=d"], "A number is of one test set"),
        (["explain", "run", "--lpips", "0.1", "--lpips-weights", "nowhere"], "nowhere is no folder"),
    ],
)
def test_wrong_usage_says_what_is_missing(arguments, words, monkeypatch, capsys):
    assert srbench(arguments, monkeypatch) == UsageError.exit_code
    assert words in " ".join(capsys.readouterr().err.split())
