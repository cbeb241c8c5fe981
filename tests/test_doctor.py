"""`srbench doctor`: it says what is there, and each lack with its cost and what mends it."""

import json
import os
from contextlib import contextmanager

import pytest
import torch
import typer
from filelock import Timeout
from typer.testing import CliRunner

from srbench.cli.doctor import doctor
from srbench.doctor import examine
from srbench.metrics.backbones import BACKBONES

app = typer.Typer()
app.command()(doctor)


def areas(tmp_path, state):
    return {one.area for one in examine(tmp_path / "results") if one.state == state}


def test_every_lack_has_its_cost_and_what_mends_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SRBENCH_OFFLINE", "1")
    monkeypatch.setenv("SRBENCH_CACHE", str(tmp_path / "cache"))
    findings = list(examine(tmp_path / "results"))
    expected = "versions CPU memory store disk locks cache data network weights plugins"
    assert {*expected.split()} <= {one.area for one in findings}
    assert all(bool(one.cost and one.mend) == (one.state != "ok") for one in findings)
    assert any(torch.__version__.partition("+")[0] in one.found for one in findings)
    assert "network" in {one.area for one in findings if one.state == "lack"}
    assert not list(tmp_path.iterdir())


def test_weights_are_found_where_they_would_be_read(tmp_path, monkeypatch):
    monkeypatch.setenv("SRBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SRBENCH_LPIPS_WEIGHTS", str(tmp_path / "mine"))
    named = tmp_path / "mine" / "lpips" / BACKBONES["alex"].file
    cached = tmp_path / "cache" / "lpips" / BACKBONES["vgg"].features_file
    for path in (named, cached):
        path.parent.mkdir(parents=True)
        path.touch()
    weights = [one for one in examine(tmp_path) if one.area == "weights"]
    assert [one.state for one in weights] == ["ok", "ok", "lack", "lack"]
    assert [str(named) in weights[0].found, str(cached) in weights[1].found] == [True, True]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root writes everywhere")
def test_a_store_that_cannot_be_written_is_broken(tmp_path):
    (tmp_path / "results").mkdir(mode=0o500)
    assert areas(tmp_path, "broken") == {"store"}


def test_a_store_on_a_full_disk_is_broken_and_exits_with_1(tmp_path, monkeypatch):
    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("srbench.doctor.sync_file", full)
    result = CliRunner().invoke(app, ["--json", "--results", str(tmp_path)])
    assert result.exit_code == 1
    (store,) = [one for one in json.loads(result.stdout) if one["state"] == "broken"]
    assert (store["area"], "No space left on device" in store["found"]) == ("store", True)


@pytest.mark.parametrize(("keeps_out", "state"), [(True, "ok"), (False, "lack")])
def test_locks_that_keep_nobody_out_are_noticed(tmp_path, monkeypatch, keeps_out, state):
    """As on drives where every process gets every lock."""
    held = []

    @contextmanager
    def lock(path):
        if held and keeps_out:
            raise Timeout(str(path))
        held.append(path)
        yield

    monkeypatch.setattr("srbench.doctor.only_one", lock)
    (locks,) = [one for one in examine(tmp_path) if one.area == "locks"]
    assert locks.state == state


def test_it_reads_as_lines(tmp_path):
    result = CliRunner().invoke(app, ["--results", str(tmp_path)], env={"COLUMNS": "80"})
    assert result.exit_code == 0
    assert result.stdout.startswith("ok      versions: srbench ")
    assert "ok      locks: a file that is locked there is refused to others\n" in result.stdout
