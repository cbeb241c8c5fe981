"""`srbench table`: results on stdout, everything else on stderr, exit codes."""

import json

import pytest
import typer
from stored import lapsrn, realistic, scored, store
from typer.testing import CliRunner

from srbench.cli.table import table
from srbench.errors import UsageError

app = typer.Typer()
app.command()(table)


def invoke(*arguments: str, **environment: str):
    return CliRunner().invoke(
        app, [*arguments], env={"COLUMNS": "80", "SRBENCH_RESULTS": None, **environment}
    )


def test_table_shows_every_run_and_names_those_without_scores(tmp_path):
    realistic(tmp_path)
    result = invoke("--results", str(tmp_path))
    assert result.exit_code == 0
    assert "sample ×2 (of ×4) · 6 pictures" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert result.stderr.startswith("1 run has no scores yet: lapsrn-charbonnier-sample-r_g_b-x4-s1-")


def test_store_is_named_by_the_environment(tmp_path):
    realistic(tmp_path)
    assert invoke("--format", "csv", SRBENCH_RESULTS=str(tmp_path)).stdout.startswith("run,model,loss,")


def test_comma_lists_and_repeats_filter(tmp_path):
    realistic(tmp_path)
    result = invoke(
        "--results",
        str(tmp_path),
        "--format",
        "json",
        "--metric",
        "psnr,lpips:net=squeeze",
        "--metric",
        "ssim",
    )
    assert {one["metric"] for one in json.loads(result.stdout)} == {"psnr", "ssim", "lpips:net=squeeze"}
    result = invoke("--results", str(tmp_path), "--format", "json", "--metric", "ssim", "--test", "sample")
    assert {one["metric"] for one in json.loads(result.stdout)} == {"ssim"}


@pytest.mark.parametrize("format", ["md", "latex"])
def test_intervals_are_shown_on_request(tmp_path, format):
    realistic(tmp_path)
    arguments = ("--results", str(tmp_path), "--format", format)
    assert "[26.64, 28.60]" not in invoke(*arguments).stdout
    assert "[26.64, 28.60]" in invoke(*arguments, "--ci").stdout


def test_missing_folder_is_wrong_usage(tmp_path):
    result = invoke("--results", str(tmp_path / "nowhere"))
    assert isinstance(result.exception, UsageError)
    assert result.exception.exit_code == 2
    assert "There is no store at" in str(result.exception)


def test_empty_store_says_what_to_do(tmp_path):
    result = invoke("--results", str(tmp_path))
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Make one with srbench run" in result.stderr
    assert invoke("--results", str(tmp_path), "--format", "json").stdout == "[]\n"


def test_store_without_scores_prints_no_table(tmp_path):
    store(tmp_path, lapsrn(), status="interrupted", step=10)
    result = invoke("--results", str(tmp_path))
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no scores yet" in result.stderr


def test_damaged_run_is_reported_and_the_rest_is_shown(tmp_path):
    realistic(tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{")
    result = invoke("--results", str(tmp_path))
    assert result.exit_code == 1
    assert "sample ×4" in result.stdout
    assert "broken/run.json cannot be read" in result.stderr


def test_long_blocks_show_the_best_and_say_how_to_see_all(tmp_path):
    for seed in range(4):
        store(tmp_path, lapsrn(seed=seed), scored(lapsrn(seed=seed), level=28 + seed))
    arguments = ("--results", str(tmp_path))
    short = invoke(*arguments, "--top", "1").stdout
    assert "sample ×4: 1 of 4 rows are shown: the 1 best by PSNR y" in short
    assert "--all every one" in " ".join(short.split())
    assert invoke(*arguments).stdout == invoke(*arguments, "--top", "1", "--all").stdout != short
    records = json.loads(invoke(*arguments, "--top", "1", "--format", "json").stdout)
    assert {one["seed"] for one in records} == {0, 1, 2, 3}


def test_help_teaches_what_is_compared():
    text = " ".join(invoke("--help").stdout.split())
    assert "protocol" in text
    assert "inner output" in text


@pytest.mark.parametrize(("format", "words"), [("rich", "all: colour"), ("md", "| metric |"), ("json", "[")])
def test_protocols_are_shown_in_place_of_scores(tmp_path, format, words):
    realistic(tmp_path)
    result = invoke("--results", str(tmp_path), "--protocol", "--format", format)
    assert result.exit_code == 0
    assert words in result.stdout
    assert "28.41" not in result.stdout


def test_protocols_have_no_latex(tmp_path):
    realistic(tmp_path)
    result = invoke("--results", str(tmp_path), "--protocol", "--format", "latex")
    assert isinstance(result.exception, UsageError)
    assert "rich, md or json, not as latex" in str(result.exception)
