"""`srbench compare`: the answer on stdout, filters, exit codes."""

import json

import typer
from stored import bicubic, lapsrn, scored, store
from typer.testing import CliRunner

from srbench.cli.compare import compare
from srbench.errors import UsageError

app = typer.Typer()
app.command()(compare)


def invoke(root, *arguments: str):
    environment = {"COLUMNS": "80", "SRBENCH_RESULTS": str(root)}
    return CliRunner().invoke(app, [*arguments], env=environment)


def fill(root):
    for spec, level in ((bicubic(), 27.0), (lapsrn(), 28.0)):
        store(root, spec, scored(spec, level=level))


def test_two_runs_are_compared_by_the_beginning_of_their_ids(tmp_path):
    fill(tmp_path)
    result = invoke(tmp_path, "lapsrn", "bicubic", "--metric", "psnr")
    assert result.exit_code == 0
    assert f"A: {lapsrn().id} at step 1,000" in result.stdout
    assert "sample ×4 · 6 pictures" in result.stdout
    assert "A is" in result.stdout
    assert "SSIM" not in result.stdout


def test_json_is_for_scripts(tmp_path):
    fill(tmp_path)
    result = invoke(tmp_path, "lapsrn", "bicubic", "--format", "json", "--test", "sample", "--metric", "ssim")
    assert {one["metric"] for one in json.loads(result.stdout)["comparisons"]} == {"ssim"}


def test_nothing_in_common_is_wrong_usage(tmp_path):
    fill(tmp_path)
    result = invoke(tmp_path, "lapsrn", "lapsrn")
    assert isinstance(result.exception, UsageError)
    assert result.exception.exit_code == 2
