"""The authors' LapSRN weights give the figures they published, through the command line."""

import json

import pytest
from small import srbench

# Luma PSNR and SSIM. With unrounded LR and replicated edges: Lai et al. 2017, table 3. The rest, with LR
# rounded as a file would be and SSIM over the valid region, was computed by independent code.
SETS = {
    ("set5", 2): {"psnr": 37.52, "ssim:edge=replicate": 0.9591, "ssim": 0.9591, "rounded": 37.49},
    ("set5", 4): {"psnr": 31.54, "ssim:edge=replicate": 0.8852, "ssim": 0.8865, "rounded": 31.53},
    ("set14", 2): {"psnr": 33.08, "ssim:edge=replicate": 0.9130, "ssim": 0.9130, "rounded": 33.03},
    ("set14", 4): {"psnr": 28.19, "ssim:edge=replicate": 0.7716, "ssim": 0.7710, "rounded": 28.15},
}


SLOW = {"set14": pytest.mark.slow}  # a minute each on an idle core; Set5 takes ten seconds


@pytest.mark.parametrize(
    ("data_set", "scale"), [pytest.param(*one, marks=SLOW.get(one[0], ())) for one in SETS]
)
def test_published_figures(assets, tmp_path, monkeypatch, capsys, data_set, scale):
    weights, pictures = assets / "weights" / "lapsrn" / f"LapSRN_x{scale}.mat", assets / "data" / data_set
    for needed in (weights, pictures):
        if not needed.exists():
            pytest.skip(f"{needed} is not there")
    asked = SETS[data_set, scale]
    shared = [
        "eval", "--weights", str(weights), "--model", "lapsrn", "--scale", str(scale), "--channels", "y",
        "--test", f"{data_set}:root={pictures}", "--results", str(tmp_path),
    ]  # fmt: skip
    unrounded = ["--degradation", "bicubic:round=false", "--metric", "psnr,ssim,ssim:edge=replicate"]
    assert srbench(["-q", *shared, *unrounded], monkeypatch) == 0
    assert srbench(["-q", *shared, "--metric", "psnr"], monkeypatch) == 0
    capsys.readouterr()
    assert srbench(["table", "--format", "json", "--results", str(tmp_path)], monkeypatch) == 0
    found = {}
    for row in json.loads(capsys.readouterr().out):
        if (row["model"], row["plane"], row["scale"]) == (f"LapSRN_x{scale}", "y", scale):
            found.setdefault(row["metric"], []).append(row["value"])
    for metric in ("ssim", "ssim:edge=replicate"):
        assert found[metric] == [pytest.approx(asked[metric], abs=0.0005)]
    expected = [pytest.approx(asked[which], abs=0.01) for which in ("rounded", "psnr")]
    assert sorted(found["psnr"]) == expected
