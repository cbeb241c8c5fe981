"""`srbench probe`: a table that fits, records, a chart, and what is wrong usage."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image
from small import picture_folder, small_arguments, srbench

from srbench.errors import UsageError
from srbench.metrics.backbones import set_weights_dir

ROOT = Path(__file__).parents[2]


def keys_of(value):
    if isinstance(value, dict):
        return set(value) | set().union(*(keys_of(one) for key, one in value.items() if key != "planes"))
    return set().union(*map(keys_of, value)) if isinstance(value, list) else set()


def test_losses_stand_side_by_side_on_bicubic(monkeypatch, capsys, tmp_path):
    chart = tmp_path / "charts" / "pull.png"
    loss = "charbonnier,l1,l2,l1+0.5*charbonnier:eps=0.01"
    line = ["-q", "probe", "--loss", loss, "--patches", "12", "--png", str(chart)]
    assert srbench(line, monkeypatch) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "bicubic ×4 · sample · 12 patches of 64×64 from 6 pictures · planes r,g,b" in out
    assert "A: l1+0.5*charbonnier:eps=0.01" in out
    said = " ".join(out.split())
    assert "l2 asks for the same as l2 in every ring." in said
    assert re.search(
        r"charbonnier asks for \d\.\d\d of what l2 asks in the rings above LR Nyquist \(r ", said
    )
    with Image.open(chart) as image:
        image.load()
        assert image.width > 500


def test_json_has_every_ring_and_its_keys_are_documented(monkeypatch, capsys):
    line = ["-q", "probe", "--loss", "l1,l2", "--scale", "2", "--channels", "y", "--patches", "6"]
    assert srbench([*line, "--format", "json"], monkeypatch) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["ring"] for one in found["rings"]] == list(range(1, 17))
    assert [one["above_lr_nyquist"] for one in found["rings"]] == [False] * 8 + [True] * 8
    assert sum(one["error_share"] for one in found["rings"]) == pytest.approx(1)
    (l1, l2) = found["losses"]
    assert (l1["loss"], len(l1["pull"]), list(l1["planes"])) == ("l1", 16, ["y"])
    assert l2["pull"] == pytest.approx([1] * 16, abs=1e-6)
    page = (ROOT / "docs" / "probe.md").read_text(encoding="utf-8")
    text = page.partition("### For scripts")[2].partition("\n## ")[0]
    assert keys_of(found) <= set(re.findall(r"`([^`]+)`", text))


def test_a_run_is_probed_on_its_own_test_half(monkeypatch, capsys, tmp_path):
    pictures, results = picture_folder(tmp_path / "pictures"), tmp_path / "results"
    assert srbench(small_arguments(pictures, results, "--channels", "y"), monkeypatch) == 0
    capsys.readouterr()
    line = ["probe", "lapsrn", "--results", str(results), "--format", "md"]
    assert srbench(line, monkeypatch) == 0
    out = capsys.readouterr().out
    assert "at step 6 · test · 4 patches of 32×32 from 2 pictures · planes y**" in out
    assert "| cycles/pixel | error | charbonnier |" in out
    assert "| *LR Nyquist* |" in out
    line[1] = "bicubic"
    assert srbench([*line, "--test", "sample"], monkeypatch) == UsageError.exit_code
    assert "has no loss of its own. Name what to look at" in " ".join(capsys.readouterr().err.split())
    line[1] = "nothing"
    assert srbench(line, monkeypatch) == UsageError.exit_code
    assert "starts with 'nothing'" in " ".join(capsys.readouterr().err.split())
    test = f"folder:test={pictures / 'test'}"
    assert srbench(["probe", "--loss", "l1", "--test", test, "--scale", "8"], monkeypatch) == 2
    assert "No picture of test has 64×64 pixels" in " ".join(capsys.readouterr().err.split())


def test_degradation_says_how_lr_is_made(monkeypatch, capsys):
    """LR that is not rounded leaves less error in the rings it carries."""
    line = ["-q", "probe", "--loss", "l1", "--channels", "y", "--patches", "6", "--format", "json"]
    shares = []
    for more in ([], ["--degradation", "bicubic"], ["--degradation", "bicubic:round=false"]):
        assert srbench([*line, *more], monkeypatch) == 0
        rings = json.loads(capsys.readouterr().out)["rings"]
        shares.append([one["error_share"] for one in rings])
    assert shares[0] == shares[1]
    assert shares[2] == pytest.approx(shares[0], rel=0.05)
    assert shares[2][0] < shares[0][0]


def test_lpips_is_probed_with_the_weights_of_a_folder(assets, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("SRBENCH_OFFLINE", "1")
    monkeypatch.setenv("SRBENCH_CACHE", str(tmp_path / "cache"))
    line = ["-q", "probe", "--loss", "lpips:net=squeeze", "--patches", "6", "--format", "json"]
    try:
        assert srbench([*line, "--lpips-weights", str(tmp_path)], monkeypatch) == UsageError.exit_code
        said = " ".join(capsys.readouterr().err.split())
        assert said.startswith(
            "Loss 'lpips' cannot be used here. LPIPS (squeeze) cannot be computed: its weights"
        )
        assert srbench([*line, "--lpips-weights", str(assets / "weights")], monkeypatch) == 0
    finally:
        set_weights_dir(None)
    (loss,) = json.loads(capsys.readouterr().out)["losses"]
    assert sum(map(abs, loss["pull"])) > 0


def test_a_run_whose_own_loss_has_no_weights_here_is_one_sentence(assets, monkeypatch, capsys, tmp_path):
    pictures, results = picture_folder(tmp_path / "pictures"), tmp_path / "results"
    arguments = small_arguments(pictures, results, "--lpips-weights", str(assets / "weights"))
    arguments[arguments.index("charbonnier")] = "lpips:net=squeeze"
    arguments[arguments.index("--patch") + 1] = "36"
    monkeypatch.setenv("SRBENCH_OFFLINE", "1")
    monkeypatch.setenv("SRBENCH_CACHE", str(tmp_path / "cache"))
    try:
        assert srbench(arguments, monkeypatch) == 0
        capsys.readouterr()
        assert (
            srbench(["-q", "probe", "lapsrn", "--results", str(results)], monkeypatch) == UsageError.exit_code
        )
    finally:
        set_weights_dir(None)
    said = " ".join(capsys.readouterr().err.split())
    assert said.startswith("Loss 'lpips' cannot be used here. LPIPS (squeeze) cannot be computed")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "There is no loss to look at. Give --loss charbonnier,l1"),
        (["--model", "bicubic"], "There is no loss to look at"),
        (["run", "--model", "bicubic"], "stand in place of a run"),
        (["run", "--degradation", "bicubic"], "stand in place of a run"),
        (["--loss", "l1", "--degradation", "bicubik"], "Did you mean 'bicubic'?"),
        (["--loss", "lpips", "--lpips-weights", "nowhere"], "--lpips-weights nowhere is no folder"),
        (["--loss", "charbonier"], "Did you mean 'charbonnier'?"),
        (["--loss", "l1", "--png", "pull.bmp"], "End its name in .png or .svg or .pdf"),
        (["--loss", "l1", "--model", "lapsrn", "--scale", "5"], "cannot do ×5"),
        (["--loss", "l1", "--channels", "red"], "is none of"),
    ],
)
def test_wrong_usage_says_what_is_missing(arguments, words, monkeypatch, capsys):
    assert srbench(["probe", *arguments], monkeypatch) == UsageError.exit_code
    assert words in " ".join(capsys.readouterr().err.split())
