"""docs/python.md and the notebook beside it do what they show: every block and cell runs, in order."""

import json
import re
from pathlib import Path

import pytest

import srbench
from srbench.store.runs import list_runs

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory, where results/ will lie."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_all(blocks, names):
    for number, block in enumerate(blocks):
        exec(compile(block, f"block {number}", "exec"), names)
    return names


def test_every_block_of_the_page_runs(folder, capsys):
    blocks = re.findall(
        r"^```python\n(.*?)^```", (DOCS / "python.md").read_text(encoding="utf-8"), re.M | re.S
    )
    names = run_all(blocks, {})
    said = capsys.readouterr().out
    assert "No model named 'lapsm'. Did you mean 'lapsrn'? srbench plugins lists all." in said
    assert len(list_runs(folder / "results")[0]) == 1 + 2 * 2
    assert names["sr"].shape == (1, 3, 96, 128)
    assert names["large"].shape == (96, 128, 3)
    assert len(names["best"]) == 5
    assert (names["best"]["value"] > 15).all()


def test_every_cell_of_the_notebook_runs(folder, capsys):
    notebook = json.loads((DOCS / "python.ipynb").read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code")
    cells = [cell.replace("STEPS = 200", "STEPS = 20") for cell in cells]
    names = run_all(cells, {})
    assert names["large"].shape == (192, 256, 3)
    assert set(names["luck"]["seed"].dropna()) == {0, "init=1", "order=1,crops=1"}
    assert len(srbench.table(folder / "results")["run"].unique()) == 5
