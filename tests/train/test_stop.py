"""When to stop: durations, where the limit comes from, and what it leaves time for."""

import time

import pytest
import torch
from small import picture_folder, small_job

from srbench.errors import StoppedError, UsageError
from srbench.evaluate.scoring import Scoring, resolve_metrics
from srbench.executors.local import Settings, execute
from srbench.plan.settings import Budget
from srbench.store.layout import RunPaths
from srbench.store.runs import read_record
from srbench.train import journal
from srbench.train.loop import Cadence
from srbench.train.stop import Stop, parse_duration, time_limit


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45", 45), ("45s", 45), ("1.5", 1.5), ("90m", 5400), ("11h30m", 41400), ("1d", 86400)],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


def test_the_option_wins_over_the_environment(monkeypatch):
    assert time_limit(None) is None
    monkeypatch.setenv("SRBENCH_MAX_TIME", "2h")
    assert time_limit(None) == 7200
    assert time_limit("90m") == 5400
    monkeypatch.setenv("SRBENCH_MAX_TIME", "")
    assert time_limit(None) is None
    monkeypatch.setenv("SRBENCH_MAX_TIME", "soon")
    with pytest.raises(UsageError, match="SRBENCH_MAX_TIME 'soon' is no duration"):
        time_limit(None)


def test_time_is_left_for_what_is_reserved():
    stop = Stop(60)
    assert stop.reason is None
    stop.reserve_s = 61
    assert stop.reason == "reaching --max-time 1 min"
    stop = Stop()
    stop.reserve_s = 1e9
    assert stop.reason is None


def test_a_run_on_a_slow_disk_is_saved_before_its_limit(tmp_path, monkeypatch):
    """A disk that takes 0.6 s a checkpoint: the last one is there when the time is over."""
    write = journal.write_checkpoint

    def slowly(*arguments):
        time.sleep(0.6)
        return write(*arguments)

    monkeypatch.setattr(journal, "write_checkpoint", slowly)
    job = small_job(picture_folder(tmp_path / "pictures"), budget=Budget(steps=10**6))
    settings = Settings(
        torch.device("cpu"), "exact", Cadence(0.1, 10**6), Scoring(*resolve_metrics(["psnr"])), quiet=True
    )
    began = time.monotonic()
    (outcome,) = execute([job], tmp_path / "results", settings, Stop(6))
    assert isinstance(outcome.error, StoppedError)
    assert time.monotonic() - began < 7  # a second for a busy machine; unheeded, two writes more would follow
    assert read_record(RunPaths(tmp_path / "results" / job.spec.id)).step > 10
