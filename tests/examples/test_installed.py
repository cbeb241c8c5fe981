"""The packages under examples/, installed as anybody's: found, held to their promises, and used together."""

import ast
import json
import shlex
import tomllib
from pathlib import Path

import pytest
from environments import install, new_environment, run
from installed import say

from srbench.prove.hashes import hashes

EXAMPLES = Path(__file__).parents[2] / "examples"
PACKAGES = sorted(path.parent for path in EXAMPLES.glob("*/pyproject.toml"))
NAMED = {
    ("model", "folded", "srbench-example-model"),
    ("model", "velocity", "srbench-example-flow"),
    ("trainer", "flow", "srbench-example-flow"),
    ("loss", "balanced", "srbench-example-loss"),
    ("dataset", "snapshots", "srbench-example-dataset"),
}
SMALL = (
    "folded:features=4,layers=1 velocity:features=8,depth=2 flow:walk=2 balanced:bands=2 snapshots:side=48"
)
COMBINATION = (
    "run --model folded:features=4,layers=2 --loss l1+0.1*balanced:bands=2 --dataset snapshots:side=64 "
    "--scale 2 --channels y --batch 2 --patch 32 --schedule constant --precision fp32 --eval-every 2 "
    "--metric psnr"
)


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """That of an environment in which all of them are installed."""
    python = new_environment(tmp_path_factory.mktemp("environment"))
    install(python, *PACKAGES)
    return python


@pytest.fixture
def srbench(python, tmp_path):
    """Command lines in one new process; what each said."""

    def call(*lines):
        done = say(tmp_path, [shlex.split(line) for line in lines], tmp_path, python)
        assert [one.code for one in done] == [0] * len(lines), done
        return done

    return call


def test_they_are_found_by_their_entry_points_and_keep_their_promises(srbench):
    listed, checked = srbench("plugins list --json", f"plugins check {SMALL} --json")
    rows = json.loads(listed.out)
    theirs = [row for row in rows if row["distribution"].startswith("srbench-example-")]
    assert {(row["kind"], row["name"], row["distribution"]) for row in theirs} == NAMED
    assert {row["state"] for row in theirs} == {"ok"}
    reports = json.loads(checked.out)
    assert {(one["kind"], one["name"], one["dist"]) for one in reports} == NAMED
    assert all(one["passed"] for one in reports)


def test_model_loss_and_dataset_train_together_and_go_on_exactly_into_the_table(srbench, tmp_path):
    srbench(f"{COMBINATION} --steps 3 --results parts")
    *_, table = srbench(
        f"{COMBINATION} --steps 6 --results parts",
        f"{COMBINATION} --steps 6 --results whole",
        "table --results parts --format json",
    )
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")
    (run,) = (tmp_path / "parts").glob("folded-*/run.json")
    record = json.loads(run.read_text())
    giving = {one["dist"] for one in record["provenance"]["providers"].values()}
    assert {dist for kind, _, dist in NAMED if kind in ("loss", "dataset")} | {
        "srbench-example-model"
    } <= giving
    rows = [row for row in json.loads(table.out) if row["model"].startswith("folded")]
    assert {row["dataset"] for row in rows} == {"snapshots"}
    assert all("balanced" in row["loss"] for row in rows)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_each_imports_the_api_alone_and_is_a_whole_package(package):
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (module,) = project["entry-points"]["srbench"].values()
    own = module.partition(".")[0]
    assert {"README.md", "LICENSE", own, "tests"} <= {path.name for path in package.iterdir()}
    assert f"](../../examples/{package.name}/README.md)" in (
        EXAMPLES.parent / "docs" / "plugins" / "index.md"
    ).read_text(encoding="utf-8")
    imported = {
        name
        for path in (package / own).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
    }
    ours = {name for name in imported if name.partition(".")[0].startswith("srbench")}
    assert {name for name in ours if name.partition(".")[0] != own} == {"srbench.api"}


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_each_passes_its_own_tests_ruff_and_mypy(package, python, tmp_path_factory):
    shared = tmp_path_factory.getbasetemp()
    for line in ("ruff format --check", "ruff check", "mypy", "pytest"):
        run(python, line, package, shared)
