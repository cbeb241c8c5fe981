"""Saving beside training: nothing is dropped, a failure is not lost, and a copy is a copy."""

import threading
import time

import pytest
import torch
from small import picture_folder, small_job

from srbench.checkpoint.format import folders
from srbench.checkpoint.writer import Writer, copied
from srbench.errors import StoreError
from srbench.evaluate.scoring import Scoring, resolve_metrics
from srbench.executors.local import Settings, execute
from srbench.memory import is_out_of_memory
from srbench.store.layout import RunPaths
from srbench.store.runs import read_record
from srbench.train.loop import Cadence
from srbench.train.stop import Stop


def test_the_next_write_waits_and_none_is_dropped():
    gate, written = threading.Event(), []
    with Writer() as writer:
        writer.start(lambda: (gate.wait(10), written.append(1)))
        assert not writer.is_done()
        threading.Timer(0.05, gate.set).start()
        writer.start(lambda: written.append(2))
        assert written[0] == 1
        writer.start(lambda: written.append(3))
    assert written == [1, 2, 3]
    assert writer.is_done()
    assert writer.longest_s >= 0.05


@pytest.mark.parametrize("found", ["start", "wait", "is_done", "end of the block"])
def test_a_failed_write_raises_at_the_next_look(found):
    def fail():
        raise StoreError("the disk is full")

    with pytest.raises(StoreError, match="the disk is full"), Writer() as writer:  # noqa: PT012
        writer.start(fail)
        if found == "start":
            writer.start(lambda: None)
        elif found == "wait":
            writer.wait()
        while found == "is_done":
            writer.is_done()


def test_a_program_that_is_ended_at_once_does_not_wait_for_a_disk_that_hangs():
    hangs, began = threading.Event(), time.monotonic()
    with pytest.raises(SystemExit), Writer() as writer:  # noqa: PT012
        writer.start(lambda: hangs.wait(30))
        raise SystemExit(130)
    assert time.monotonic() - began < 5
    hangs.set()


def test_where_no_thread_can_be_started_that_is_the_error(monkeypatch):
    def refused(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    with pytest.raises(RuntimeError, match="can't start new thread") as caught, Writer() as writer:
        writer.start(lambda: None)
    assert is_out_of_memory(caught.value)


def test_a_copy_is_not_changed_by_the_steps_that_follow():
    """Fused optimizers change weights and moments in place."""
    weight = torch.nn.Parameter(torch.ones(4, 3, 3, 3).to(memory_format=torch.channels_last))
    optimizer = torch.optim.Adam([weight], fused=True)
    weight.sum().backward()
    optimizer.step()
    live = {"weight": weight, **optimizer.state[weight]}
    before = {name: value.detach().clone() for name, value in live.items()}
    copies, ready = copied(live)
    optimizer.step()
    ready()
    for name, value in copies.items():
        assert torch.equal(value, before[name]), name
        assert not torch.equal(value, live[name].detach()), name
        assert value.is_contiguous()


def test_a_write_that_fails_stops_the_run_with_its_reason(tmp_path):
    """The folder goes away under the run, and a file takes its place."""
    job = small_job(picture_folder(tmp_path / "pictures"))
    paths = RunPaths(tmp_path / "results" / job.spec.id)
    paths.directory.mkdir(parents=True)
    paths.checkpoints.write_text("not a folder")
    settings = Settings(
        torch.device("cpu"), "exact", Cadence(0, 2), Scoring(*resolve_metrics(["psnr"])), quiet=True
    )
    (outcome,) = execute([job], tmp_path / "results", settings, Stop())
    assert isinstance(outcome.error, StoreError)
    assert "checkpoints" in str(outcome.error)
    record = read_record(paths)
    assert (record.status, record.step, record.reason) == ("failed", 0, str(outcome.error))
    assert folders(paths.checkpoints) == []
