"""The table: fixed record keys, comparisons only where they are fair, and every format readable."""

import csv
import io
import json
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from stored import METRICS, bicubic, degradation_spec, lapsrn, realistic, runs_in, scored, store

from srbench.errors import UsageError
from srbench.files import sha256_text
from srbench.spec import ComponentSpec, DatasetSpec, LossSpec, Seeds
from srbench.tables import KEYS, records, render
from srbench.tables.blocks import build_table
from srbench.tables.forms import Block, Cell
from srbench.tables.markup import escape_latex, escape_markdown
from srbench.tables.rows import Column

LPIPS = "lpips:net=squeeze"


def shown(root: Path, width: int = 80, **options) -> str:
    """The rich table as plain text at a width."""
    return styled(root, width, color=False, **options)


def styled(root: Path, width: int = 80, *, color: bool = True, **options) -> str:
    """The rich table as a terminal gets it."""
    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=color, color_system="standard" if color else None
    )
    console.print(render(runs_in(root), "rich", width=width, **options))
    return file.getvalue()


def blocks(root: Path, **options) -> list[Block]:
    return build_table(runs_in(root), **options).blocks


def bold_models(block: Block, column: Column) -> list[str]:
    """The models that are best in a column, by loss where they have one."""
    return [
        row.labels.loss or row.labels.model
        for row, cells in zip(block.rows, block.cells, strict=True)
        if cells[column].rank == 1
    ]


# --- records


def test_record_has_exactly_the_keys_scripts_rely_on(tmp_path):
    """The list is spelt out here: a renamed key breaks other people's scripts."""
    realistic(tmp_path)
    keys = (
        "run model loss dataset channels seed step test scale run_scale plane metric value ci_low ci_high n "
        "protocol verdict unverified"
    )
    assert tuple(keys.split()) == KEYS
    flat = records(runs_in(tmp_path))
    assert all(tuple(record) == KEYS for record in flat)
    assert json.loads(render(runs_in(tmp_path), "json")) == flat


def test_records_are_one_for_each_run_test_scale_plane_and_metric(tmp_path):
    realistic(tmp_path)
    flat = records(runs_in(tmp_path))
    distinct = {tuple(one[key] for key in ("run", "test", "scale", "plane", "metric")) for one in flat}
    # At two scales: bicubic and r,g,b have PSNR and SSIM on 4 planes and LPIPS; y lacks LPIPS; r is alone.
    assert len(flat) == len(distinct) == 2 * (9 + 9 + 8 + 2)


def test_baseline_has_no_training_in_its_records(tmp_path):
    realistic(tmp_path)
    found = [one for one in records(runs_in(tmp_path)) if one["model"] == "bicubic"]
    assert found
    assert all(one[key] is None for one in found for key in ("loss", "dataset", "channels", "seed"))


def test_seeds_set_apart_are_a_label_in_rows_and_records_and_precede_the_plain_ones(tmp_path):
    apart = lapsrn(seed=Seeds(init=1, order=2))  # stored with sorted keys
    for spec in (apart, lapsrn(), lapsrn(seed=2)):
        store(tmp_path, spec, scored(spec, level=28))
    seeds = [one["seed"] for one in records(runs_in(tmp_path))]
    assert list(dict.fromkeys(seeds)) == ["init=1,order=2", 0, 2]
    assert "init=1,order=2" in shown(tmp_path)


def test_picture_without_a_value_leaves_none_not_nan(tmp_path):
    """Identical pictures have infinite PSNR: no mean, n = 0, and JSON that any parser reads."""
    spec = bicubic()
    store(tmp_path, spec, scored(spec, level=30, values={"psnr": [float("inf")] * 6}))
    psnr = [one for one in json.loads(render(runs_in(tmp_path), "json")) if one["metric"] == "psnr"]
    assert [(one["value"], one["ci_low"], one["n"]) for one in psnr] == [(None, None, 0)] * 4
    (block,) = blocks(tmp_path)
    assert block.cells[0][Column("psnr", "r")].text == "–"
    assert "6 of 6 pictures left out: infinite or undefined." in shown(tmp_path)


def test_only_the_last_scored_step_counts(tmp_path):
    spec = lapsrn()
    early, late = scored(spec, level=20, step=500), scored(spec, level=30, step=1000)
    store(tmp_path, spec, early, late)
    flat = records(runs_in(tmp_path))
    assert len(flat) == 8
    assert {one["step"] for one in flat} == {1000}
    assert all(one["value"] > 29 for one in flat if one["metric"] == "psnr")


def test_csv_reads_back_as_the_records(tmp_path):
    realistic(tmp_path)
    frame = pd.read_csv(io.StringIO(render(runs_in(tmp_path), "csv")))
    flat = records(runs_in(tmp_path))
    assert list(frame.columns) == list(KEYS)
    assert frame["value"].tolist() == [one["value"] for one in flat]
    assert frame["channels"].dropna().tolist() == [one["channels"] for one in flat if one["channels"]]
    assert frame["loss"].isna().tolist() == [one["loss"] is None for one in flat]
    assert len(list(csv.reader(io.StringIO(render(runs_in(tmp_path), "csv"))))) == len(flat) + 1


# --- labels


def test_labels_are_bare_names_while_nothing_else_differs(tmp_path):
    realistic(tmp_path)
    flat = records(runs_in(tmp_path))
    assert {(one["model"], one["loss"], one["dataset"]) for one in flat} == {
        ("bicubic", None, None),
        ("lapsrn", "charbonnier", "sample"),
    }


@pytest.mark.parametrize(
    ("changed", "label"),
    [
        ({"eps": 1e-6}, "charbonnier:eps=1e-06"),
        ({"model": ComponentSpec(name="lapsrn", params={"features": 64, "depth": 5})}, "lapsrn:depth=5"),
        (
            {"dataset": DatasetSpec(name="sample", params={"tile": 128}, sha256="ab" * 32)},
            "sample@abab:tile=128",
        ),
        ({"learning_rate": 1e-4}, "lr=0.0001"),
        ({"optimizer": ComponentSpec(name="adamw", params={"eps": 1e-8})}, "optimizer=adamw"),
        ({"optimizer": ComponentSpec(name="adam", params={"eps": 1e-6})}, "adam:eps=1e-06"),
        ({"clip": 0.1, "ema": None}, "clip=0.1 ema=none"),
        (
            {"loss": (LossSpec(name="charbonnier", params={"eps": 1e-3, "reduction": "mean"}, weight=0.5),)},
            "0.5*charbonnier",
        ),
    ],
)
def test_differing_setting_is_named(tmp_path, changed, label):
    """In the row of the run that has it, where a reader of the md table finds it."""
    for spec in (lapsrn(), lapsrn(**changed)):
        store(tmp_path, spec, scored(spec, level=28))
    lines = [line for line in render(runs_in(tmp_path), "md").splitlines() if line.startswith("| lapsrn")]
    assert len(lines) == 2
    assert sum(f" {label} " in line.replace("\\", "") for line in lines) == 1


def test_no_two_rows_look_the_same(tmp_path):
    """Also where settings differ past the digits that are shown."""
    for rate in (1e-4, 1e-4 * (1 + 1e-9), 2e-4):
        spec = lapsrn(learning_rate=rate)
        store(tmp_path, spec, scored(spec, level=28))
    (block,) = blocks(tmp_path)
    names = [tuple(cell.text for cell in row) for row in block.names]
    assert len(set(names)) == 3


def test_baseline_is_first_and_has_no_settings(tmp_path):
    for spec in (bicubic(), lapsrn(), lapsrn(clip=0.1), lapsrn(model=ComponentSpec(name="aaa"))):
        store(tmp_path, spec, scored(spec, level=28))
    (block,) = blocks(tmp_path)
    assert [row.labels.model for row in block.rows] == ["bicubic", "aaa", "lapsrn", "lapsrn"]
    assert [row.labels.settings for row in block.rows] == [None, "clip=none", "clip=0.1", "clip=none"]


# --- what is compared


def test_best_follows_the_direction_of_the_metric(tmp_path):
    """PSNR: higher is better. LPIPS: lower. Here LapSRN wins both, by opposite signs."""
    for spec, level in ((bicubic(), 27.0), (lapsrn(), 28.0)):
        store(tmp_path, spec, scored(spec, level=level, metrics=("psnr", LPIPS)))
    (block,) = blocks(tmp_path)
    means = {column: [row.scores[column]["mean"] for row in block.rows] for column in block.columns}
    assert means[Column("psnr", "r")][0] < means[Column("psnr", "r")][1]
    assert means[Column(LPIPS, "rgb")][0] > means[Column(LPIPS, "rgb")][1]
    assert all(bold_models(block, column) == ["charbonnier"] for column in block.columns)


def test_bicubic_may_win(tmp_path):
    for spec, level in ((bicubic(), 29.0), (lapsrn(), 28.0)):
        store(tmp_path, spec, scored(spec, level=level))
    (block,) = blocks(tmp_path)
    assert bold_models(block, Column("psnr", "r")) == ["bicubic"]
    assert block.cells[1][Column("psnr", "r")].gain == "-1.00"


def three(root: Path, *values: tuple[float, ...], metric: str = "psnr") -> list[Cell]:
    """The cells of three LapSRN runs with these scores a picture."""
    for eps, mine in zip((1e-3, 1e-4, 1e-5), values, strict=True):
        spec = lapsrn(eps=eps)
        given = {"values": {metric: mine}, "pictures": len(mine), "metrics": (metric,)}
        store(root, spec, scored(spec, level=28, **given))
    (block,) = blocks(root)
    cells = {
        row.run.record.spec["loss"][0]["params"]["eps"]: cells[block.columns[0]]
        for row, cells in zip(block.rows, block.cells, strict=True)
    }
    return [cells[eps] for eps in (1e-3, 1e-4, 1e-5)]


def test_best_that_a_paired_test_tells_from_all_others_is_bold(tmp_path):
    """0.1 dB better on each picture is a difference, although pictures lie 20 dB apart."""
    best, second, third = three(tmp_path, (20.1, 30.1, 40.1), (20, 30, 40), (19, 29, 39))
    assert (best.rank, best.tied, best.is_best) == (1, False, True)
    assert [(cell.rank, cell.tied) for cell in (second, third)] == [(2, False), (0, False)]


def test_values_not_told_apart_are_shown_as_ties(tmp_path):
    """1 dB better in the mean, but on one picture of four: bold would claim what the pictures do not show."""
    cells = three(tmp_path, (20, 30, 40, 54), (20.5, 30.5, 40.5, 48.5), (10, 20, 30, 40))
    assert [(cell.rank, cell.tied) for cell in cells] == [(1, True), (1, True), (0, False)]
    assert not any(cell.is_best for cell in cells)
    assert "36.00≈" in shown(tmp_path)
    assert "≈: tied for the best" in shown(tmp_path)
    assert "36.00<sup>≈</sup>" in render(runs_in(tmp_path), "md")
    text = render(runs_in(tmp_path), "latex")
    assert r"36.00$^{\approx}$ & " in text
    assert r"$\approx$: tied for the best, not told apart from it by a paired test over pictures" in text
    assert r"\underline" not in text


def test_ties_follow_the_direction_of_the_metric(tmp_path):
    worst, *others = three(tmp_path, (0.3, 0.5), (0.1, 0.4), (0.2, 0.3), metric=LPIPS)
    assert worst.rank == 0
    assert all(cell.tied for cell in others)


def test_equal_printed_values_are_tied(tmp_path):
    """They are apart by 0.001 dB on every picture, which a reader of two decimals cannot see."""
    for spec, level in ((bicubic(), 28.001), (lapsrn(), 28.0)):
        store(tmp_path, spec, scored(spec, level=level))
    (block,) = blocks(tmp_path)
    assert bold_models(block, Column("psnr", "r")) == ["bicubic", "charbonnier"]
    assert all(cells[Column("psnr", "r")].tied for cells in block.cells)
    assert block.cells[1][Column("psnr", "r")].gain == "+0.00"


def test_one_picture_is_no_test(tmp_path):
    best, second, _ = three(tmp_path, (30.0,), (29.0,), (28.0,))
    assert best.is_best
    assert second.rank == 2
    reason = "without a test, since there are fewer than two pictures with scores to compare."
    assert reason in " ".join(shown(tmp_path).split())
    assert reason in render(runs_in(tmp_path), "md")
    assert "Best values are not tested, since there are fewer" in render(runs_in(tmp_path), "latex")


def test_pictures_without_scores_are_no_lost_file(tmp_path):
    """A picture that is smaller than its border has none."""
    three(tmp_path, (30.0, math.nan), (29.0, math.nan), (28.0, math.nan))
    assert "since there are fewer than two pictures with scores to compare." in " ".join(
        shown(tmp_path).split()
    )


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"no parquet")])
def test_means_are_shown_where_the_scores_behind_them_are_lost(tmp_path, damage):
    for spec, level in ((bicubic(), 27.0), (lapsrn(), 28.0)):
        damage(store(tmp_path, spec, scored(spec, level=level)).scores)
    assert bold_models(*blocks(tmp_path), Column("psnr", "r")) == ["charbonnier"]
    assert "scores (scores.parquet) are not there" in " ".join(shown(tmp_path).split())


def test_scores_are_read_only_of_runs_that_are_compared(tmp_path, monkeypatch):
    """Flat records and lone rows read summaries alone."""
    for spec, test in ((bicubic(), "a"), (lapsrn(), "a"), (lapsrn("y"), "b")):
        store(tmp_path, spec, scored(spec, level=27.0 + spec.trained, test=test))
    read = []
    monkeypatch.setattr("srbench.tables.ranks.read_series", lambda paths: read.append(paths.id) or {})
    render(runs_in(tmp_path), "json")
    render(runs_in(tmp_path), "md", tests=["b"])
    assert read == []
    render(runs_in(tmp_path), "md")
    assert sorted(read) == sorted([bicubic().id, lapsrn().id])


def test_lone_row_is_not_bold(tmp_path):
    spec = lapsrn()
    store(tmp_path, spec, scored(spec, level=28))
    (block,) = blocks(tmp_path)
    assert not any(cell.rank for cell in block.cells[0].values())


def test_gain_is_the_difference_to_bicubic_in_db_alone(tmp_path):
    for spec, level in ((bicubic(), 27.64), (lapsrn(), 28.41)):
        store(tmp_path, spec, scored(spec, level=level))
    (block,) = blocks(tmp_path)
    assert block.cells[1][Column("psnr", "g")].gain == "+0.77"
    assert block.cells[0][Column("psnr", "g")].gain == ""
    assert block.cells[1][Column("ssim", "g")].gain == ""
    assert "+0.77" in shown(tmp_path, 100)


def test_mean_over_fewer_pictures_is_not_compared(tmp_path):
    """A run whose hardest picture is NaN would win by it."""
    nan = float("nan")
    three = ((bicubic(), [20, 30, 30]), (lapsrn(), [nan, 31, 31]), (lapsrn("y"), [22, 30, 30]))
    for spec, values in three:
        store(tmp_path, spec, scored(spec, level=28, metrics=("psnr",), pictures=3, values={"psnr": values}))
    (block,) = blocks(tmp_path)
    cells = {
        row.labels.channels: row_cells[Column("psnr", "r")]
        for row, row_cells in zip(block.rows, block.cells, strict=True)
    }
    assert (cells["r,g,b"].text, cells["r,g,b"].rank, cells["r,g,b"].gain) == ("31.00", 0, "")
    assert (cells["y"].rank, cells["y"].gain) == (1, "+0.67")
    assert "1 of 3 pictures left out: infinite or undefined. Not compared" in shown(tmp_path)


def test_inner_output_is_never_merged_with_a_true_scale(tmp_path):
    """×2 of a ×4 network and a ×2 network are two tasks: two blocks, each with its own best."""
    for spec, scales in (
        (bicubic(4), (2, 4)),
        (lapsrn(), (2, 4)),
        (bicubic(2), (2,)),
        (lapsrn(scale=2), (2,)),
    ):
        store(tmp_path, spec, scored(spec, level=28 + spec.trained, scales=scales))
    found = blocks(tmp_path)
    assert [block.name for block in found] == ["sample ×2", "sample ×4", "sample ×2 (of ×4)"]
    for block in found:
        assert len({(row.scale, row.run_scale) for row in block.rows}) == 1
        assert bold_models(block, Column("psnr", "r")) == ["charbonnier"]


def test_protocols_split_the_rows_and_the_title_says_by_what(tmp_path):
    for rounded in ("true", "false"):
        for spec in (bicubic(4, rounded), lapsrn(degradation=degradation_spec(rounded))):
            store(tmp_path, spec, scored(spec, level=28 + spec.trained, rounded=rounded))
    found = blocks(tmp_path)
    assert sorted(block.title for block in found) == [
        "sample ×4 · 6 pictures · degradation bicubic:round=false",
        "sample ×4 · 6 pictures · degradation bicubic:round=true",
    ]
    assert all([row.labels.model for row in block.rows] == ["bicubic", "lapsrn"] for block in found)
    note = " ".join(shown(tmp_path).split())
    assert "sample ×4 stands in 2 blocks that are never compared" in note
    assert (
        "bicubic:round=true | bicubic:round=false" in note
        or "bicubic:round=false | bicubic:round=true" in note
    )


def test_protocols_split_rows_without_a_common_column(tmp_path):
    """A run on r and one on g share no plane; one title must not speak for both degradations."""
    for channels, rounded in (("r", "true"), ("g", "false")):
        spec = lapsrn(channels, degradation=degradation_spec(rounded))
        store(tmp_path, spec, scored(spec, level=28, rounded=rounded))
    assert [len(block.rows) for block in blocks(tmp_path)] == [1, 1]


def test_metric_with_other_insides_is_not_compared(tmp_path):
    """LPIPS under the same label but other weights: another block, unless LPIPS is not asked for."""
    for spec, weights in ((bicubic(), "a"), (lapsrn(), "a"), (lapsrn("y"), "b")):
        facts = {"weights_sha256": sha256_text(weights)}
        store(tmp_path, spec, scored(spec, level=28, metrics=("psnr", LPIPS), facts=facts))
    found = blocks(tmp_path)
    assert [len(block.rows) for block in found] == [2, 1]
    assert f"{LPIPS} weights_sha256 {sha256_text('a')[:8]}" in found[0].title
    assert [len(block.rows) for block in blocks(tmp_path, metrics=["psnr"])] == [3]


def test_one_run_scored_under_two_protocols_has_two_rows(tmp_path):
    spec = lapsrn()
    facts = [{"weights_sha256": sha256_text(weights)} for weights in "ab"]
    store(tmp_path, spec, *(scored(spec, level=28, metrics=(LPIPS,), facts=one) for one in facts))
    assert [len(block.rows) for block in blocks(tmp_path)] == [1, 1]
    assert len(records(runs_in(tmp_path))) == 2


def test_one_name_for_two_contents_is_told_apart(tmp_path):
    first, second = sha256_text("first"), sha256_text("second")
    for spec, content in ((bicubic(), first), (lapsrn(), second)):
        store(tmp_path, spec, scored(spec, level=28, test="set5", test_sha256=content))
    names = {f"set5@{first[:4]}", f"set5@{second[:4]}"}
    assert {block.rows[0].test for block in blocks(tmp_path)} == names
    assert {one["test"] for one in records(runs_in(tmp_path))} == names
    assert len(records(runs_in(tmp_path), tests=["set5"])) == 16
    assert len(records(runs_in(tmp_path), tests=[f"set5@{first[:4]}"])) == 8


# --- cells without a value


def test_not_applicable_and_missing_are_two_things(tmp_path):
    """A run on r has no g plane; a run on y lacks LPIPS for a reason, which stands below."""
    realistic(tmp_path)
    found = blocks(tmp_path)
    cells = {row.labels.channels: cells for row, cells in zip(found[0].rows, found[0].cells, strict=True)}
    assert cells["r"][Column("psnr", "g")].text == "·"
    assert cells["r"][Column(LPIPS, "rgb")].text == "·"
    assert cells["y"][Column(LPIPS, "rgb")].text == "missing"
    text = shown(tmp_path)
    assert "missingᵇ" in text
    assert "ᵇ LPIPS (squeeze) cannot be computed: its weights are not in /data/lpips." in text


def test_metric_not_scored_yet_says_what_to_do(tmp_path):
    store(tmp_path, bicubic(), scored(bicubic(), level=27, metrics=("psnr", "ssim")))
    store(tmp_path, lapsrn(), scored(lapsrn(), level=28, metrics=("psnr",)))
    assert "ᵃ ssim: not scored yet; run the same command again." in shown(tmp_path)


def test_metric_that_no_run_could_compute_keeps_its_column(tmp_path):
    reason = {LPIPS: "no weights here."}  # which does not say of what, so the label goes before it
    store(tmp_path, bicubic(), scored(bicubic(), level=27), unavailable=reason)
    text = shown(tmp_path, metrics=["lpips"])
    assert "LPIPS" in text
    assert "missingᵃ" in text
    assert "ᵃ lpips:net=squeeze: no weights here." in text


def test_unfinished_run_says_where_it_is(tmp_path):
    realistic(tmp_path)
    text = " ".join(shown(tmp_path).split())
    assert "600ᵃ" in text
    assert "is at step 740 of 1,000 and was interrupted; run the same command to go on." in text
    assert "Its scores are of step 600." in text


# --- filters


def test_filters_keep_names_and_labels(tmp_path):
    realistic(tmp_path)
    runs = runs_in(tmp_path)
    assert {one["metric"] for one in records(runs, metrics=["lpips"])} == {LPIPS}
    assert {one["metric"] for one in records(runs, metrics=[LPIPS, "ssim"])} == {LPIPS, "ssim"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"metrics": ["psmr"]},
            r"metric 'psmr'\. Did you mean 'psnr'\? There are: lpips:net=squeeze, psnr, ssim",
        ),
        ({"tests": ["set5"]}, r"test 'set5'.* There are: sample\."),
    ],
)
def test_unknown_filter_lists_what_there_is(tmp_path, options, words):
    realistic(tmp_path)
    with pytest.raises(UsageError, match=words):
        render(runs_in(tmp_path), "md", **options)


# --- formats


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("ci", [False, True])
def test_rich_table_fits_and_no_number_is_cut(tmp_path, width, ci):
    realistic(tmp_path)
    for spec in (lapsrn(learning_rate=1e-4), lapsrn("y", eps=1e-6)):  # with long labels, too
        store(tmp_path, spec, scored(spec, level=28, metrics=tuple(METRICS), scales=(2, 4)))
    text = shown(tmp_path, width, ci=ci)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for block in blocks(tmp_path):
        for cells in block.cells:
            for cell in cells.values():
                assert cell.text in text
                assert not ci or cell.interval in text


@pytest.mark.parametrize("width", [40, 55])
def test_numbers_stay_whole_where_labels_must_be_folded(tmp_path, width):
    for spec in (bicubic(), lapsrn(), lapsrn(learning_rate=1e-4), lapsrn("y", eps=1e-6)):
        store(tmp_path, spec, scored(spec, level=28))
    text = shown(tmp_path, width)
    assert "…" not in text
    numbers = [cell.text for block in blocks(tmp_path) for cells in block.cells for cell in cells.values()]
    assert all(number in text for number in numbers)


def test_terminal_shows_the_best_bold(tmp_path):
    for spec, level in ((bicubic(), 27.0), (lapsrn(), 28.0)):
        store(tmp_path, spec, scored(spec, level=level, metrics=("psnr",)))
    best = re.findall(r"\x1b\[1m(\d[\d.]*)\x1b\[0m", styled(tmp_path))
    (block,) = blocks(tmp_path)
    assert best == [cell.text for cell in block.cells[1].values()]


def test_what_is_constant_stands_above_the_table_once(tmp_path):
    realistic(tmp_path)
    text = shown(tmp_path)
    assert text.startswith("loss charbonnier · dataset sample · seed 0\n")
    assert text.count("charbonnier ") == 1


def test_markdown_is_one_table_a_block_with_the_best_bold(tmp_path):
    realistic(tmp_path)
    text = render(runs_in(tmp_path), "md")
    tables = [part for part in text.split("\n\n") if part.startswith("|")]
    assert len(tables) == len(blocks(tmp_path)) == 2
    for table in tables:
        lines = [re.split(r"(?<!\\)\|", line) for line in table.splitlines()]
        assert len({len(line) for line in lines}) == 1
        best = [cell.strip() for cell in lines[-1] if cell.strip().startswith("**")]
        assert len(best) == 9  # LapSRN on r,g,b, the last row, wins every column
    assert "PSNR r dB ↑" in tables[0]
    assert "LPIPS rgb ↓ (squeeze)" in tables[0]
    assert "**sample ×2 (of ×4)**" in text
    assert "<sup>b</sup> LPIPS (squeeze) cannot be computed" in text


def test_latex_escapes_and_says_what_it_is(tmp_path):
    for spec, level in ((bicubic(), 27.0), (lapsrn(eps=1e-6), 28.0), (lapsrn(), 29.0)):
        store(tmp_path, spec, scored(spec, level=level, test="my_set & 50%"))
    text = render(runs_in(tmp_path), "latex")
    assert r"my\_set \& 50\% $\times$4, 6 pictures" in text
    assert r"degradation bicubic:round=true" in text
    assert r"border 4" in text
    assert r"self\_ensemble" in text
    assert r"\label{tab:my-set-50-x4}" in text
    assert not re.search(r"(?<!\\)[_%#]", text.replace(r"$^{", ""))
    assert text.count(r"\textbf{") == text.count(r"\underline{") == 8
    assert "Bold: best; underlined: second.}" in text
    assert text.count("{") == text.count("}")
    rows = re.search(r"\\midrule\n(.*)\\bottomrule", text, re.S)
    assert rows
    assert {line.count("&") for line in rows[1].strip().splitlines()} == {9}  # model, loss, 8 numbers


def test_names_that_a_row_cannot_begin_with_are_escaped():
    """LaTeX takes a bracket or star after the end of the line before for an option of it."""
    assert escape_latex("[a]*|<b>") == r"{[}a]{*}\textbar{}\textless{}b\textgreater{}"
    assert escape_markdown("[a](b) [+0.1, +0.2]") == r"[a\](b) [+0.1, +0.2]"


def test_a_note_of_several_blocks_is_said_once(tmp_path):
    for degradation in ("true", "false"):
        for spec, level in (
            (bicubic(degradation=degradation), 27.0),
            (lapsrn(degradation=degradation_spec(degradation)), 28.0),
        ):
            store(tmp_path, spec, scored(spec, level=level, pictures=1, rounded=degradation))
    assert len(blocks(tmp_path)) == 2
    assert render(runs_in(tmp_path), "md").count("best values are marked without a test") == 1


@pytest.mark.parametrize("ci", [False, True])
def test_latex_has_the_structure_of_a_booktabs_table(tmp_path, ci):
    """Every line of a table has the columns that `tabular` and the rules promise; all groups are closed."""
    realistic(tmp_path)
    text = render(runs_in(tmp_path), "latex", ci=ci)
    tables = re.findall(r"\\begin\{table\}.*?\\end\{table\}", text, re.S)
    assert len(tables) == len(blocks(tmp_path))
    for table in tables:
        for name in ("table", "tabular"):
            assert table.count(f"\\begin{{{name}}}") == table.count(f"\\end{{{name}}}") == 1
        depth = 0
        for sign in re.sub(r"\\[{}]", "", table):
            depth += (sign == "{") - (sign == "}")
            assert depth >= 0
        assert depth == 0
        assert re.sub(r"\\\$", "", table).count("$") % 2 == 0
        columns = len(re.search(r"\\begin\{tabular\}\{([lr]+)\}", table)[1])
        rules = [line for line in table.splitlines() if re.match(r"\\(top|mid|bottom)rule", line)]
        assert rules == [r"\toprule", r"\midrule", r"\bottomrule"]
        body = re.search(r"\\toprule\n(.*)\\bottomrule", table, re.S)[1]
        for line in [one for one in body.splitlines() if one.endswith(r" \\")]:
            spanned = sum(int(number) - 1 for number in re.findall(r"\\multicolumn\{(\d+)\}", line))
            assert len(re.findall(r"(?<!\\)&", line)) + 1 + spanned == columns
        ends = [int(one) for pair in re.findall(r"cmidrule\(lr\)\{(\d+)-(\d+)\}", table) for one in pair]
        assert ends == sorted(ends)
        assert ends[-1] == columns
        assert ("95 \\% bootstrap interval of the mean" in table) == ci


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX is installed")
def test_latex_compiles(tmp_path):
    realistic(tmp_path)
    document = "\n".join(
        [
            r"\documentclass{article}\usepackage{booktabs}\begin{document}",
            render(runs_in(tmp_path), "latex", ci=True),
            r"\end{document}",
        ]
    )
    (tmp_path / "paper.tex").write_text(document)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_empty_store_gives_an_empty_list():
    assert render([], "json") == "[]\n"
    assert render([], "csv").split() == [",".join(KEYS)]


def test_table_loads_no_torch(tmp_path):
    """The command must answer at once, and on machines without a working torch."""
    realistic(tmp_path)
    code = (
        "import sys; from pathlib import Path; from srbench.store.runs import list_runs;"
        "from srbench.tables import render; from rich.console import Console;"
        "runs, _ = list_runs(Path(sys.argv[1]));"
        "[render(runs, one) for one in ('md', 'csv', 'json', 'latex')];"
        "Console().print(render(runs, 'rich', width=80));"
        "assert not {'torch', 'pandas'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
