"""`srbench runs`: the status of every run, and removing some."""

import io
import json
import signal
import subprocess
import sys

import pytest
import typer
from rich.console import Console
from stored import bicubic, lapsrn, realistic, runs_in, scored, store
from typer.testing import CliRunner

from srbench.cli.run_watch import screen
from srbench.cli.runs import app as runs_app
from srbench.errors import StoreError, UsageError
from srbench.spec import Origin
from srbench.store.history import append_line
from srbench.store.lock import run_lock

app = typer.Typer()
app.add_typer(runs_app, name="runs")
app.command("other")(lambda: None)  # a second command, so that `runs` has to be said


def invoke(*arguments: str, answer: str = ""):
    environment = {"COLUMNS": "80", "SRBENCH_RESULTS": None}
    return CliRunner().invoke(app, ["runs", *arguments], env=environment, input=answer)


def listed(root) -> dict[str, dict]:
    result = invoke("--results", str(root), "--json")
    assert result.exit_code == 0
    return {one["run"]: one for one in json.loads(result.stdout)}


def test_every_status_is_told(tmp_path):
    """`running` with no process at work is interrupted."""
    specs = {seed: lapsrn(seed=seed) for seed in range(4)}
    store(tmp_path, specs[0])
    store(tmp_path, specs[1], status="running", step=250)
    store(tmp_path, specs[2], status="failed", step=30, reason="The loss is NaN at step 31.")
    busy = store(tmp_path, specs[3], status="running", step=500)
    with run_lock(busy):
        statuses = {name: one["status"] for name, one in listed(tmp_path).items()}
        text = invoke("--results", str(tmp_path)).stdout
    assert [statuses[spec.id] for spec in specs.values()] == ["done", "interrupted", "failed", "running"]
    assert " 250/1,000  25%" in text
    assert f"{specs[2].id} failed: The loss is NaN at step 31." in text


def test_json_has_what_scripts_need(tmp_path):
    paths = store(tmp_path, lapsrn(), scored(lapsrn(), level=28))
    append_line(paths.timings, {"step": 400, "elapsed_s": 40.5})
    append_line(paths.timings, {"step": 1000, "elapsed_s": 125.25})
    (record,) = listed(tmp_path).values()
    assert record.pop("updated").startswith("20")
    assert record == {
        "run": lapsrn().id,
        "name": None,
        "status": "done",
        "job": None,
        "step": 1000,
        "budget": 1000,
        "elapsed_s": 125.25,
        "reason": None,
        "scored": True,
        "parent": None,
        "parent_step": None,
    }
    assert " 2m05s " in invoke("--results", str(tmp_path)).stdout


def test_the_tree_shows_each_run_below_its_parent(tmp_path):
    def forked(parent, step):
        origin = Origin(kind="fork", sha256="00" * 32, run=parent, step=step, optimizer="keep")
        return lapsrn().model_copy(update={"origin": origin})

    child = forked(lapsrn().id, 400)
    grandchild = forked(child.id, 20)
    orphan = forked("lapsrn-gone", 7)
    for spec in (lapsrn(), child, grandchild, orphan):
        store(tmp_path, spec)
    records = listed(tmp_path)
    assert (records[child.id]["parent"], records[child.id]["parent_step"]) == (lapsrn().id, 400)
    text = invoke("--results", str(tmp_path), "--tree").stdout
    ids = [line.partition("just now  ")[2] for line in text.splitlines()[1:]]
    place = ids.index(lapsrn().id)
    assert ids[place : place + 3] == [lapsrn().id, f"└─ @400 {child.id}", f"   └─ @20 {grandchild.id}"]
    assert f"@7 (of lapsrn-gone, not here) {orphan.id}" in ids
    plain = invoke("--results", str(tmp_path)).stdout
    assert "└─" not in plain


def test_line_of_a_run_is_never_broken(tmp_path):
    """An id in one piece can be copied, and `grep` finds its status; even at 80 columns."""
    realistic(tmp_path)
    lines = invoke("--results", str(tmp_path)).stdout.splitlines()
    assert [line.split()[-1] for line in lines[1:]] == [run.id for run in runs_in(tmp_path)]


def test_model_without_training_has_no_progress(tmp_path):
    store(tmp_path, bicubic(), scored(bicubic(), level=27))
    line = invoke("--results", str(tmp_path)).stdout.splitlines()[1]
    assert line.split()[:3] == ["done", "–", "–"]


def test_damaged_run_is_reported_and_the_rest_is_listed(tmp_path):
    realistic(tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("[]")
    result = invoke("--results", str(tmp_path))
    assert result.exit_code == 1
    assert bicubic().id in result.stdout
    assert "broken/run.json cannot be read" in result.stderr


def test_missing_folder_and_empty_store(tmp_path):
    assert isinstance(invoke("--results", str(tmp_path / "nowhere")).exception, UsageError)
    result = invoke("--results", str(tmp_path))
    assert (result.exit_code, result.stdout) == (0, "")
    assert "No run is stored in" in result.stderr
    assert listed(tmp_path) == {}


def test_rm_takes_a_unique_start_of_the_id(tmp_path):
    realistic(tmp_path)
    result = invoke("rm", "bicubic", "--yes", "--results", str(tmp_path))
    assert (result.exit_code, result.stdout) == (0, f"Removed {bicubic().id}\n")
    assert bicubic().id not in [run.id for run in runs_in(tmp_path)]
    assert len(runs_in(tmp_path)) == 4


def test_rm_finds_the_store_named_before_it(tmp_path):
    realistic(tmp_path)
    assert invoke("--results", str(tmp_path), "rm", "bicubic", "--yes").exit_code == 0


@pytest.mark.parametrize("wrong", ["lapsrn", "nothing"])
def test_rm_removes_nothing_where_one_id_is_wrong(tmp_path, wrong):
    realistic(tmp_path)
    result = invoke("rm", "bicubic", wrong, "--yes", "--results", str(tmp_path))
    assert isinstance(result.exception, UsageError)
    assert len(runs_in(tmp_path)) == 5


def test_rm_without_anyone_to_ask_wants_yes(tmp_path):
    realistic(tmp_path)
    result = invoke("rm", "bicubic", "--results", str(tmp_path))
    assert isinstance(result.exception, UsageError)
    assert "Add --yes" in str(result.exception)
    assert len(runs_in(tmp_path)) == 5


def test_rm_leaves_a_run_that_is_worked_on(tmp_path):
    busy = store(tmp_path, lapsrn(), status="running")
    with run_lock(busy):
        result = invoke("rm", lapsrn().id, "--yes", "--results", str(tmp_path))
    assert isinstance(result.exception, StoreError)
    assert busy.run.exists()


def test_watch_says_each_change_once_and_ends_by_ctrl_c_with_0(tmp_path):
    paths = store(tmp_path, lapsrn(), status="interrupted", step=250)
    line = [sys.executable, "-m", "srbench", "runs", "--watch", "--results", str(tmp_path)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == f"{paths.id} interrupted, 250/1,000 25%, –\n"
            store(tmp_path, lapsrn(), status="failed", step=251, reason="The loss is NaN.")
            assert process.stdout.readline() == f"{paths.id} failed, 251/1,000 25%, –: The loss is NaN.\n"
            process.send_signal(signal.SIGINT)
            rest, said = process.communicate(timeout=60)
        finally:
            process.kill()  # where SIGINT is ignored, as below a shell's &, it would watch for ever
    assert (process.returncode, rest, said) == (0, "", "")


def test_a_screen_has_those_at_work_first_and_says_how_many_there_are_more():
    records = [
        {"run": f"run-{number}", "name": None, "status": status, "step": number, "budget": 10,
         "elapsed_s": 1.0, "updated": f"2025-06-0{number + 1}T00:00:00+00:00", "reason": None, "job": None}
        for number, status in enumerate(("done", "running", "done", "interrupted", "running"))
    ]  # fmt: skip
    console = Console(width=80, file=io.StringIO())
    console.print(screen(records, 6, 80))
    head, _, first, second, last = console.file.getvalue().splitlines()
    assert head == "5 runs: 2 running, 1 interrupted, 2 done"
    assert ("4/10" in first, "1/10" in second) == (True, True)
    assert last.startswith("… and 3 more. Ctrl-C")


def test_watch_goes_with_no_other_form(tmp_path):
    realistic(tmp_path)
    for option in ("--json", "--tree"):
        result = invoke("--watch", option, "--results", str(tmp_path))
        assert isinstance(result.exception, UsageError)
