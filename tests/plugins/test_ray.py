"""The executor ray: what it refuses, what its tasks and the command tell each other, and real clusters."""

import importlib.util
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from small import MODEL, dataset_text, picture_folder, settings, small_arguments, small_request, srbench

from srbench.api import Outcome, SrbenchError, UsageError, View
from srbench.plan import plan
from srbench.progress import News, Said
from srbench.prove.hashes import hashes
from srbench.registry import registry
from srbench.store.layout import RunPaths
from srbench.store.runs import read_record
from srbench.train.stop import Stop

sys.path.insert(0, str(Path(__file__).parents[1] / "executors"))
from sabotage import installed

with_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
needs_plugin = pytest.mark.skipif(
    "ray" not in registry().names("executor"), reason="the plugin ray is not installed"
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


@needs_plugin
@with_ray
@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        ("ray:cpus_per_run=0", 2, "cpus_per_run is at least 1, not 0"),
        ("ray:gpus_per_run=1.5", 2, "gpus_per_run is a part of one GPU or a whole number, not 1.5"),
        ("ray:adress=auto", 2, "Executor 'ray' has no parameter 'adress'"),
        ("ray:address=127.0.0.1:9", 2, "No Ray cluster answers at 127.0.0.1:9"),
        ("ray:address=ray://127.0.0.1:9", 2, "`ray start --head` starts one there"),
        ("ray:address=here:there", 2, "No Ray cluster answers at here:there"),
    ],
)
def test_what_cannot_be_is_said_at_once_and_nothing_is_written(
    pictures, tmp_path, monkeypatch, capsys, typed, code, said
):
    results = tmp_path / "results"
    assert srbench(small_arguments(pictures, results, "--executor", typed), monkeypatch) == code
    assert said in " ".join(capsys.readouterr().err.split())
    assert not results.exists()


def test_where_ray_is_not_installed_it_is_said_what_brings_it(monkeypatch):
    from srbench_ray import executor

    monkeypatch.setattr(executor.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r'pip install "srbench-harness\[ray\]"'):
        executor.Ray()


# Resources, of nodes as Ray lists them


@pytest.fixture
def nodes(monkeypatch):
    ray = pytest.importorskip("ray")
    listed = [
        {"Alive": True, "Resources": {"CPU": 8.0, "GPU": 2.0}},
        {"Alive": True, "Resources": {"CPU": 64.0}},
        {"Alive": False, "Resources": {"CPU": 999.0, "GPU": 99.0}},
    ]
    monkeypatch.setattr(ray, "nodes", lambda: listed)
    return listed


def test_a_run_takes_a_gpu_where_there_is_one_and_its_device_may_be_it(nodes):
    from srbench_ray.cluster import resources_of

    assert resources_of(None, 1, None, "auto") == 1
    assert resources_of(None, 1, None, "cuda") == 1
    assert resources_of(None, 64, None, "cpu") == 0
    assert resources_of(None, 1, 0.25, "auto") == 0.25
    del nodes[0]
    assert resources_of(None, 1, None, "auto") == 0


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((None, 1, 0.5, "cpu"), "--device cpu and gpus_per_run=0.5 contradict each other"),
        ((None, 1, 0.0, "cuda"), "--device cuda and gpus_per_run=0 contradict each other"),
        ((None, 1, None, "cuda:1"), "Ray says which a run takes. Take --device cuda."),
        (
            (None, 65, 0.0, "auto"),
            "A run is to take 65 CPU cores, and this machine has 8 CPU cores and 2 GPUs",
        ),
        ((None, 9, 1.0, "auto"), "A run is to take 9 CPU cores and 1 GPUs, and this machine has"),
    ],
)
def test_what_no_node_can_give_is_refused_on_this_machine(nodes, asked, said):
    from srbench_ray.cluster import resources_of

    with pytest.raises(UsageError, match=said):
        resources_of(*asked)


def test_of_a_cluster_it_is_warned_of_since_a_node_may_join(nodes, caplog):
    from srbench_ray.cluster import resources_of

    assert resources_of("auto", 1, 4.0, "auto") == 4
    assert "no node of the cluster has as much now" in caplog.text
    assert "they wait for ever" in caplog.text


# Between tasks and the command


def test_the_desk_passes_news_on_once_and_after_a_stop_nothing_begins():
    from srbench_ray.desk import Desk

    desk = Desk(60.0, 30.0)
    limit_s, left_s = desk.begins(1)
    assert limit_s == 60
    assert 29 < left_s <= 30
    assert desk.hear(1, ["a", "b"]) is None
    assert desk.news() == [(1, None), (1, "a"), (1, "b")]
    assert desk.news() == []
    assert desk.ask("Ctrl-C") == {1}
    assert desk.begins(2) is None
    assert desk.hear(1, []) == "Ctrl-C"
    assert desk.ask("Ctrl-C") == {1}


def test_what_a_run_says_crosses_and_is_shown(pictures, tmp_path, capsys):
    (job, *_) = plan(small_request(pictures, channels=("y",)))
    view = View([job], tmp_path, quiet=False)
    for message in (News(job.spec.id, 1, 9, "", 0.0, "a line"), Said(30, "WARNING: odd")):
        view.hear(job, pickle.loads(pickle.dumps(message)))
    said = capsys.readouterr().err.splitlines()
    assert said == [f"{job.spec.id}: a line", f"{job.spec.id}: WARNING: odd"]


# What meets a task, of errors as Ray raises them


@pytest.fixture
def tasks(pictures, tmp_path, monkeypatch):
    """Tasks without a cluster: what `ray.get` raises is given, and what is handed over again is kept."""
    ray = pytest.importorskip("ray")
    from srbench_ray.tasks import Tasks

    (job, *_) = plan(small_request(pictures, channels=("y",)))
    made = object.__new__(Tasks)
    made._results, made._settings, made._stop, made._progress = tmp_path, settings(), Stop(), {}
    made._view = View([job], tmp_path, quiet=True)
    handed = []
    monkeypatch.setattr(Tasks, "begin", lambda self, one: handed.append(one))

    def meets(error):
        def get(ref):
            raise error

        monkeypatch.setattr(ray, "get", get)
        return made._outcome(None, job)

    return made, job, handed, meets


@with_ray
def test_a_run_whose_node_dies_goes_on_elsewhere_as_long_as_it_gets_further(tasks, tmp_path):
    from ray.exceptions import NodeDiedError

    made, job, handed, meets = tasks
    for done in (10, 20, 30, 40):
        made._hear(job, News(job.spec.id, done, 100, "", 0.0))
        assert meets(NodeDiedError("gone")) is None
    assert len(handed) == 4
    assert meets(NodeDiedError("gone")) is None
    outcome = meets(NodeDiedError("gone"))  # the third without a step more
    assert len(handed) == 5
    assert "was lost 3 times in a row without getting any further: its node died" in str(outcome.error)
    record = read_record(RunPaths(tmp_path / job.spec.id))
    assert (record.status, record.reason) == ("failed", str(outcome.error))


@with_ray
def test_a_node_that_dies_while_all_is_stopped_leaves_the_run_to_go_on(tasks):
    from ray.exceptions import WorkerCrashedError

    made, _, handed, meets = tasks
    made._stop.ask("SIGTERM")
    assert meets(WorkerCrashedError()).error.exit_code == 75
    assert not handed


@with_ray
def test_what_a_node_cannot_do_fails_that_run(tasks):
    from ray.exceptions import RuntimeEnvSetupError

    *_, handed, meets = tasks
    error = meets(RuntimeEnvSetupError("no disk")).error
    assert isinstance(error, SrbenchError)
    assert "could not be done by a node of the Ray cluster" in str(error)
    assert not handed


@with_ray
def test_a_node_that_does_not_see_the_store_stops_all(tasks, monkeypatch):
    import ray

    from srbench_ray.work import StoreNotSeenError

    made, job, *_ = tasks
    unseen = Outcome(job.spec.id, StoreNotSeenError("no such folder"))
    monkeypatch.setattr(ray, "get", lambda ref: unseen)
    assert made._outcome(None, job) == unseen
    assert made._stop.reason == "a node that does not see the store"
    assert unseen.error.exit_code == 2


@with_ray
def test_the_file_by_which_a_node_knows_the_store_may_come_late(tmp_path, monkeypatch):
    from srbench_ray import work

    mark = tmp_path / "mark"
    assert not work._appears(tmp_path / "nowhere" / "mark", Stop())
    threading.Timer(0.2, mark.touch).start()
    assert work._appears(mark, Stop())
    monkeypatch.setattr(work, "_SEEN_WITHIN_S", 0.1)
    assert not work._appears(tmp_path / "other", Stop())


# Real clusters


def line(pictures, results, losses, *more):
    return [
        sys.executable, "-m", "srbench", "run", "--model", MODEL, "--loss", losses, "--channels", "y",
        "--dataset", dataset_text(pictures), "--batch", "4", "--patch", "16", "--eval-every", "3",
        "--lr", "1e-3", "--precision", "fp32", "--metric", "psnr", "--results", str(results),
        "--device", "cpu", *more,
    ]  # fmt: skip


@with_ray
@needs_plugin
@pytest.mark.slow
def test_what_ends_one_run_is_told_and_leaves_the_others_alone(pictures, tmp_path):
    environment = installed(tmp_path / "plugin")
    results = tmp_path / "results"
    losses = ",".join(["charbonnier", *(f"sabotaged:how={how}" for how in ("crash", "kill", "exit"))])
    typed = line(pictures, results, losses, "--steps", "6", "--executor", "ray")
    hurt = subprocess.run(typed, env={**environment, "SABOTAGE": "1"}, capture_output=True, text=True)
    assert hurt.returncode == 1, hurt.stderr
    assert not hurt.stdout
    for cause in ("crashed (SIGSEGV)", "was killed (SIGKILL)", "ended its process with exit code 3"):
        assert cause in hurt.stderr
    reasons = [json.loads(path.read_text())["status"] for path in results.glob("*/run.json")]
    assert sorted(reasons) == ["done", "done", "failed", "failed", "failed"]
    whole = subprocess.run(typed, env=environment, capture_output=True, text=True)
    assert whole.returncode == 0, whole.stderr
    assert not list(results.glob(".ray-*"))


@with_ray
@needs_plugin
@pytest.mark.slow
@pytest.mark.parametrize("group", [False, True])
def test_a_signal_stops_all_with_75_and_the_same_line_ends_with_the_serial_bits(pictures, tmp_path, group):
    """Ctrl-C goes to every process in front, SIGTERM here to the command alone."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    results = tmp_path / "results"
    typed = line(pictures, results, "charbonnier,l1,l2", "--steps", "200", "--executor", "ray:cpus_per_run=1")
    command = subprocess.Popen(
        typed, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 300
    while not list(results.glob("lapsrn*/history.jsonl")):
        assert command.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    if group:
        os.killpg(command.pid, signal.SIGINT)
    else:
        command.send_signal(signal.SIGTERM)
    _, said = command.communicate(timeout=120)
    assert command.returncode == 75, said
    assert "everything is saved. Run the same command to go on." in said
    subprocess.run(typed, check=True, env=environment, capture_output=True)
    serial = tmp_path / "serial"
    subprocess.run(
        line(pictures, serial, "charbonnier,l1,l2", "--steps", "200"), check=True, env=environment,
        capture_output=True,
    )  # fmt: skip
    assert hashes(results) == hashes(serial)


@with_ray
@needs_plugin
@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of Ray's own, which starts the cluster in this process
def test_a_cluster_that_loses_a_node_half_way_finishes_all_with_the_serial_bits(tmp_path):
    from ray_node_loss import lose_a_node

    found = lose_a_node(seeds=3, steps=200, folder=tmp_path)
    assert found.is_sound, found
    assert found.done[1] == 7
