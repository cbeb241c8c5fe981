"""W&B's logs in offline mode, for real: what its own process wrote, read back, with nothing sent anywhere."""

import json
import logging
import sys
import time

import pytest
from small import StopAt, picture_folder, settings, small_job, small_request

from srbench.executors.local import execute
from srbench.plan import plan
from srbench.prove.hashes import hashes
from srbench.store.history import read_lines
from srbench.store.layout import RunPaths
from srbench.store.runs import read_record
from srbench.train.stop import Stop

HEADER, BLOCK = 7, 32768


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


@pytest.fixture
def offline(file_server, tmp_path, monkeypatch):
    """W&B on and offline; the server that it would go to is asked for nothing."""
    wandb = pytest.importorskip(
        "wandb", reason='wandb is not installed: pip install "srbench-harness[wandb]"'
    )
    for name, value in {
        "SRBENCH_WANDB": "super-resolution", "WANDB_MODE": "offline", "WANDB_API_KEY": "0" * 40,
        "WANDB_BASE_URL": file_server.url.rstrip("/"), "WANDB_CACHE_DIR": str(tmp_path / "cache"),
        "WANDB_CONFIG_DIR": str(tmp_path / "config"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    yield
    wandb.teardown()  # ends its process, and forgets these variables
    assert file_server.requests == 0


def do(jobs, results, stop=None, **cadence):
    return execute(jobs, results, settings(**cadence), stop or Stop())


def records(path):
    """The records of a .wandb file: protocol buffers in a log of LevelDB's form, in blocks of 32 KiB."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, at, whole = path.read_bytes(), HEADER, b""
    while at + HEADER <= len(content):
        if BLOCK - at % BLOCK < HEADER:  # what is left of a block is filled up
            at += BLOCK - at % BLOCK
            continue
        size, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        whole += content[at + HEADER : at + HEADER + size]
        at += HEADER + size
        if kind in (1, 4):  # all of a record, or the last part of one
            yield Record.FromString(whole)
            whole = b""


def items(message):
    """Key → value of a history or summary record."""
    return {".".join(one.nested_key) or one.key: json.loads(one.value_json) for one in message}


class Sitting:
    """What one offline folder holds."""

    def __init__(self, folder):
        (file,) = folder.glob("run-*.wandb")
        everything = list(records(file))
        (self.run,) = [one.run for one in everything if one.HasField("run")]
        self.history = [items(one.history.item) for one in everything if one.HasField("history")]
        self.summary = {}
        for one in everything:
            if one.HasField("summary"):
                self.summary |= items(one.summary.update)
        self.is_preempted = any(one.HasField("preempting") for one in everything)
        (self.exit_code,) = [one.exit.exit_code for one in everything if one.HasField("exit")]


def sittings(directory):
    """What W&B's process has written of a run, once it has ended: it writes behind."""
    sys.modules["wandb"].teardown()
    return [Sitting(folder) for folder in sorted((directory / "wandb").glob("offline-run-*"))]


def test_a_stopped_run_that_went_on_is_logged_once_with_all_it_holds(pictures, tmp_path, offline):
    job = small_job(pictures, channels=("y",), settings={"lr": 1e-3, "schedule": "step:every=4,unit=steps"})
    (outcome,) = do([job], tmp_path, StopAt(11), save_every_s=0, eval_every=1)
    paths = RunPaths(tmp_path / job.spec.id)
    assert 0 < read_record(paths).step < 6
    time.sleep(1)  # W&B names its folders by the second
    do([job], tmp_path, eval_every=1)

    stopped, finished = sittings(paths.directory)
    for one in (stopped, finished):
        assert (one.run.run_id, one.run.project) == (job.spec.id, "super-resolution")
        assert list(one.run.tags) == ["lapsrn", "charbonnier", "folder", "y", "x4"]
        config = {entry.key: json.loads(entry.value_json) for entry in one.run.config.update}
        assert job.spec.data().items() <= config.items()
    assert stopped.is_preempted
    assert stopped.exit_code == 1
    assert (stopped.summary["status"], stopped.summary["reason"]) == ("stopped", str(outcome.error))
    assert not finished.is_preempted
    assert finished.exit_code == 0
    assert finished.summary["status"] == "finished"

    lines = read_lines(paths.history)
    logged = [*stopped.history, *finished.history]
    assert [one["_step"] for one in logged] == [one["step"] for one in lines] == [1, 2, 3, 4, 5, 6]
    for one, stored in zip(logged, lines, strict=True):
        assert one["loss/y"] == stored["loss"]["y"]
        assert one["epoch"] == stored["epoch"]
        for scale, planes in stored["psnr"].items():
            assert one[f"val/psnr/x{scale}/y"] == planes["y"]
            assert one.get(f"val/detail/x{scale}/y") == stored["detail"][scale]["y"]
    assert [one["learning_rate"] for one in logged] == [1e-3] * 4 + [5e-4] * 2
    rows = json.loads(paths.summary.read_text())["scores"]
    assert rows
    for row in rows:
        assert finished.summary[f"scores/test/psnr/x{row['scale']}/{row['plane']}"] == row["mean"]


def test_a_sum_of_losses_has_its_terms_and_a_baseline_its_scores(pictures, tmp_path, offline):
    jobs = plan(small_request(pictures, losses=("charbonnier+0.1*gradient",)))
    do(jobs, tmp_path)
    (bicubic,), (trained,) = (sittings(tmp_path / job.spec.id) for job in jobs)
    assert not bicubic.history
    assert list(bicubic.run.tags) == ["bicubic", "x4"]
    assert bicubic.summary["scores/test/psnr/x4/y"] > 0
    (line, _) = read_lines(RunPaths(tmp_path / jobs[1].spec.id).history)
    for name, value in line["terms"].items():
        assert trained.history[0][f"terms/{name}"] == value
    assert {f"loss/{plane}" for plane in "rgb"} <= set(trained.history[0])


def test_a_failed_run_is_logged_as_failed(pictures, tmp_path, offline):
    job = small_job(pictures, channels=("y",), losses=("l2",), settings={"lr": 1e12, "ema": 0})
    (outcome,) = do([job], tmp_path)
    (failed,) = sittings(tmp_path / job.spec.id)
    assert failed.exit_code == 1
    assert not failed.is_preempted
    assert (failed.summary["status"], failed.summary["reason"]) == ("failed", str(outcome.error))


@pytest.mark.parametrize("value", [None, "", "0"])
def test_nothing_is_logged_unless_asked_for(pictures, tmp_path, offline, monkeypatch, value):
    if value is None:
        monkeypatch.delenv("SRBENCH_WANDB")
    else:
        monkeypatch.setenv("SRBENCH_WANDB", value)
    do([small_job(pictures, channels=("y",))], tmp_path)
    assert not list(tmp_path.rglob("wandb"))


def test_a_log_changes_no_bit_of_a_run(pictures, tmp_path, offline, monkeypatch):
    job = small_job(pictures, channels=("y",))
    do([job], tmp_path / "logged")
    monkeypatch.delenv("SRBENCH_WANDB")
    do([job], tmp_path / "quiet")
    assert hashes(tmp_path / "logged") == hashes(tmp_path / "quiet")


def test_without_the_package_one_line_says_what_to_install(pictures, tmp_path, monkeypatch, caplog):
    from srbench_wandb import plugin

    monkeypatch.setattr(plugin.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("SRBENCH_WANDB", "super-resolution")
    plugin._is_installed.cache_clear()
    outcomes = do(plan(small_request(pictures, channels=("y",))), tmp_path)
    plugin._is_installed.cache_clear()
    assert [one.error for one in outcomes] == [None, None]
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING] == [
        'SRBENCH_WANDB asks for logs, and wandb is not installed: pip install "srbench-harness[wandb]" '
        "brings it. Runs go on without."
    ]
