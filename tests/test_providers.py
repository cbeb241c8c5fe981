"""Who gave each component: recorded with the hash of its file, and compared when a run goes on."""

import functools
import json
import logging
import sys
from pathlib import Path

import pytest
from promised import made
from small import StopAt, picture_folder, settings, small_job, small_request

import srbench.images.resize
import srbench.metrics.psnr
import srbench.metrics.ssim
import srbench_datasets.folder
import srbench_lapsrn.network
import srbench_losses.pixel
from srbench.badges import source_sha256
from srbench.evaluate.scoring import Scoring, resolve_metrics
from srbench.executors.local import Settings, execute
from srbench.files import sha256_file
from srbench.plan import plan
from srbench.providers import source_file
from srbench.registry import registry
from srbench.store.layout import RunPaths
from srbench.train.stop import Stop

HERE = Path(__file__)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def do(jobs, results, stop=None, **cadence):
    return execute(jobs, results, settings(**cadence), stop or Stop())


class Callable:
    def __call__(self):
        pass


def function():
    pass


@functools.wraps(function)
def wrapped():
    pass


@pytest.mark.parametrize(
    "target",
    [function, wrapped, functools.partial(functools.partial(function)), Callable, Callable(), lambda: 0],
)
def test_the_file_of_a_callable_is_the_one_that_defines_it(target):
    assert source_file(target) == HERE


def test_a_report_is_on_the_package_of_what_a_partial_holds():
    build = srbench_losses.pixel.charbonnier
    held, alone = (made("loss", one).component for one in (functools.partial(build, eps=1e-6), build))
    assert source_sha256(held) == source_sha256(alone) is not None


@pytest.mark.parametrize("target", [len, dict, "no_such_package.module:build", "sys:exit"])
def test_what_is_in_no_file_has_none(target):
    assert source_file(target) is None


def test_the_file_behind_an_import_string_is_found_and_not_imported(tmp_path, monkeypatch):
    package = tmp_path / "srbench_test_heavy"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "network.py").write_text("raise ImportError('heavy')")
    monkeypatch.syspath_prepend(tmp_path)
    assert source_file("srbench_test_heavy.network:build") == package / "network.py"
    assert "srbench_test_heavy" not in sys.modules


def test_a_run_records_the_file_of_each_component_and_of_each_metric(pictures, tmp_path):
    job = small_job(pictures, channels=("y",))
    do([job], tmp_path)
    paths = RunPaths(tmp_path / job.spec.id)
    version = registry().find("model", "lapsrn").plugin.version
    files = {
        "model lapsrn": srbench_lapsrn.network,
        "loss charbonnier": srbench_losses.pixel,
        "dataset folder": srbench_datasets.folder,
        "degradation bicubic": srbench.images.resize,
    }
    found = json.loads(paths.run.read_text())["provenance"]["providers"]
    assert found == {
        label: {"dist": "srbench-harness", "version": version, "sha256": sha256_file(Path(module.__file__))}
        for label, module in files.items()
    }
    found = json.loads(paths.summary.read_text())["providers"]
    assert found == {
        "metric psnr": {
            "dist": "srbench-harness", "version": version,
            "sha256": sha256_file(Path(srbench.metrics.psnr.__file__)),
        }
    }  # fmt: skip


def test_a_metric_s_provider_is_that_of_its_newest_scores(pictures, tmp_path):
    (job, _) = plan(small_request(pictures))  # bicubic
    do([job], tmp_path)
    paths = RunPaths(tmp_path / job.spec.id)
    stored = json.loads(paths.summary.read_text())
    stored["providers"]["metric psnr"]["version"] = "0.0.1"
    paths.summary.write_text(json.dumps(stored))
    both = Settings(**{**vars(settings()), "scoring": Scoring(*resolve_metrics(["psnr", "ssim"]))})
    execute([job], tmp_path, both, Stop())
    found = json.loads(paths.summary.read_text())["providers"]
    assert found["metric psnr"]["version"] == "0.0.1"  # it was not computed again
    assert found["metric ssim"]["sha256"] == sha256_file(Path(srbench.metrics.ssim.__file__))

    del stored["providers"]  # as srbench wrote it before
    paths.summary.write_text(json.dumps(stored))
    more = Settings(**{**vars(settings()), "scoring": Scoring(*resolve_metrics(["lr_consistency"]))})
    execute([job], tmp_path, more, Stop())
    found = set(json.loads(paths.summary.read_text())["providers"])
    assert found == {"metric lr_consistency", "metric ssim"}  # that summary knew psnr, and not of whom


@pytest.fixture
def begun(pictures, tmp_path):
    """A run that was stopped on its way, and what changes its record of providers."""
    job = small_job(pictures, channels=("y",))
    (outcome,) = do([job], tmp_path, StopAt(9), save_every_s=0)
    paths = RunPaths(tmp_path / job.spec.id)
    assert 0 < json.loads(paths.run.read_text())["step"] < 6, outcome.error
    logging.getLogger("srbench").propagate = True

    def change(**changes):
        stored = json.loads(paths.run.read_text())
        for component, (key, value) in changes.items():
            found = stored["provenance"]["providers"][component.replace("_", " ")]
            found[key] = value
            if value is None:
                del found[key]
        paths.run.write_text(json.dumps(stored))
        return job

    return change


def said(caplog):
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]


def test_another_version_or_file_is_warned_of_in_one_sentence(begun, tmp_path, caplog):
    job = begun(loss_charbonnier=("version", "0.0.1"), model_lapsrn=("sha256", "0" * 64))
    (outcome,) = do([job], tmp_path)
    assert outcome.error is None
    now = registry().find("loss", "charbonnier").plugin.version
    assert said(caplog) == [
        f"{job.spec.id} goes on with other components than it was made with (model lapsrn: "
        f"{srbench_lapsrn.network.__file__} was another file then; loss charbonnier: srbench-harness 0.0.1 "
        f"then, {now} now): the bits of an uninterrupted run are not promised."
    ]
    caplog.clear()
    do([job], tmp_path)
    assert said(caplog) == []  # there is nothing to go on with


def test_a_record_without_hashes_goes_on_quietly(begun, tmp_path, caplog):
    job = begun(loss_charbonnier=("sha256", None), model_lapsrn=("sha256", None))
    (outcome,) = do([job], tmp_path)
    assert outcome.error is None
    assert said(caplog) == []


def test_another_distribution_is_refused(begun, tmp_path):
    job = begun(loss_charbonnier=("dist", "other-losses"))
    (outcome,) = do([job], tmp_path)
    assert "was made with the loss charbonnier of other-losses" in str(outcome.error)
    assert "now belongs to srbench-harness" in str(outcome.error)
    assert outcome.error.exit_code == 2
