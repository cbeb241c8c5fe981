"""What authors have in pytest: conformance, a tiny data set, names for one test, and a run in seconds."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from srbench.errors import UsageError
from srbench.registry import registry
from srbench.testing import conformance, conformance_tests
from srbench.testing.conformance import Check, NotDemanded, checks_of, promises_of
from srbench.testing.pictures import write_pictures
from srbench.testing.registration import Registration

AUTHOR = """
import sys
import pytest
from srbench.testing import conformance_tests
from srbench.registry import registry

def test_pytest_has_loaded_no_torch_so_far():
    assert "torch" not in sys.modules and "pandas" not in sys.modules

test_conformance = conformance_tests("model", "bicubic")

def test_a_name_is_there(srbench_register):
    from torch import nn
    def mine(planes, scale, features: int = 4):
        return nn.Sequential(nn.Conv2d(planes, planes * scale**2, 3, padding=1), nn.PixelShuffle(scale))
    srbench_register("model", "mine", mine, scales=(2,))
    assert "mine" in registry().names("model")

def test_and_gone():
    assert "mine" not in registry().names("model")

def test_a_combination(run_combination, srbench_register, tiny_dataset):
    def half():
        return lambda sr, hr: (sr - hr).abs().mean() / 2
    srbench_register("loss", "half", half)
    done = run_combination(
        model="lapsrn:features=4,depth=1", loss="half", channels="rgb", metrics=["psnr", "ssim"]
    )
    assert [line["step"] for line in done.history] == [2, 4]
    assert done.score("psnr") > 15 and done.score("psnr", scale=2) > done.score("psnr")
    assert {row["loss"] for row in done.rows} == {"half"}
    with pytest.raises(LookupError, match="There is no lpips of rgb: there are .*ssim of y at ×4"):
        done.score("lpips", "rgb")
    assert tiny_dataset.lr(4).shape == (3, 3, 12, 12)

def test_a_model_that_is_not_trained(run_combination):
    done = run_combination(model="bicubic", scale=2)
    assert not done.history
    assert done.score("psnr") > 25
"""


def test_an_author_has_it_all_by_installing_srbench(tmp_path, monkeypatch):
    info = tmp_path / "site" / "srbench_harness_tested-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: srbench-harness-tested\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pytest11]\nsrbench = srbench.testing.pytest_plugin\n")
    (tmp_path / "test_author.py").write_text(AUTHOR)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    path = [str(tmp_path / "site"), *sys.path]
    monkeypatch.setenv("PYTHONPATH", ":".join(one for one in path if one))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "test_author.py", "-p", "no:cacheprovider"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "It is registered with trainable=False." in done.stdout
    assert f"{6 + len(promises_of('model')) - 7} passed, 7 skipped" in done.stdout


def test_a_component_that_nothing_is_demanded_of_fails(monkeypatch):
    def look(subject):
        raise NotDemanded("It never said so.")

    test = conformance_tests("model", "bicubic")
    checks_of("model")
    test("bicubic", "anything demanded")
    monkeypatch.setitem(conformance._CHECKS, "model", [Check("only", "…", look)])
    with pytest.raises(pytest.skip.Exception, match="It never said so"):
        test("bicubic", "only")
    with pytest.raises(pytest.fail.Exception, match="Nothing was demanded of the model bicubic"):
        test("bicubic", "anything demanded")


def test_tests_of_nothing_are_refused():
    with pytest.raises(ValueError, match="needs the name of a component"):
        conformance_tests("model")


def test_the_tiny_data_set_is_the_same_in_files_and_tensors(tmp_path):
    tiny = write_pictures(tmp_path)
    assert tiny.hr.shape == (3, 3, 48, 48)
    assert torch.equal(tiny.hr, write_pictures(tmp_path / "again").hr)
    files = {path.relative_to(tmp_path).as_posix() for path in Path(tmp_path).rglob("*.png")}
    assert {"train/coffee.png", "val/cat.png", "test/face.png"} <= files


def test_a_name_that_is_taken_or_cannot_be_is_refused():
    with Registration() as register:
        with pytest.raises(UsageError, match="There is a model 'bicubic' already, of srbench-harness"):
            register("model", "bicubic", lambda planes, scale: None)
        with pytest.raises(UsageError, match="cannot be registered: refused: .*takes no 'scale'"):
            register("model", "mine", lambda planes, scale: None, scale=2)
        register("model", "mine", lambda planes, scale: None)
    assert "mine" not in registry().names("model")
    assert not [row for row in registry().rows() if row.dist == "registered-for-a-test"]
