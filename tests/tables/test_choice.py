"""Which rows of many are shown: as if all had been, but for those left out."""

import pytest
from stored import bicubic, lapsrn, realistic, runs_in, scored, store

from srbench.errors import UsageError
from srbench.files import sha256_text
from srbench.store.index import read_index
from srbench.store.runs import list_runs
from srbench.tables import render
from srbench.tables.blocks import build_table
from srbench.tables.choice import choose
from srbench.tables.rows import Column

EVERYTHING = ("psnr", "ssim", "lpips:net=squeeze")


def many(root, runs=9, **options):
    """Bicubic, and runs whose PSNR rises with the seed; the one with seed 3 has the best LPIPS."""
    store(root, bicubic(), scored(bicubic(), level=27, metrics=EVERYTHING, scales=(2, 4)))
    for seed in range(runs):
        spec = lapsrn(seed=seed)
        lpips = [0.01 if seed == 3 else 0.3 - 0.02 * seed] * 6
        values = {"lpips:net=squeeze": lpips}
        part = scored(
            spec, level=27.5 + 0.5 * seed, metrics=EVERYTHING, scales=(2, 4), values=values, **options
        )
        store(root, spec, part)


def table(root, top, **options):
    choice = choose(read_index(root), top, **options)
    runs, _ = list_runs(root, choice.shown | choice.rivals)
    return build_table(runs, choice=choice, **options)


def seeds(block):
    return [row.labels.seed for row in block.rows]


def marks(block):
    """Row → column → how it is marked."""
    return {
        (row.run.id, row.number, column): (cell.text, cell.rank, cell.tied, cell.gain)
        for row, cells in zip(block.rows, block.cells, strict=True)
        for column, cell in cells.items()
    }


def test_the_baseline_the_best_and_the_best_of_every_other_column_are_shown(tmp_path):
    many(tmp_path)
    for block in table(tmp_path, 2).blocks:
        assert seeds(block) == [None, 3, 7, 8]
        assert block.total == 10
        assert "4 of 10 rows are shown: bicubic, the 2 best by PSNR y, and the best of" in block.chosen


@pytest.mark.parametrize("top", [1, 2, 5])
def test_what_is_shown_is_marked_as_in_the_whole_table(tmp_path, top):
    """Also the second place, which may not be shown; blocks and their order are the same."""
    many(tmp_path)
    realistic(tmp_path)
    other = lapsrn(seed=1, ema=0.9)
    store(tmp_path, other, scored(other, level=30, metrics=EVERYTHING, facts={"weights_sha256": "1" * 64}))
    whole = build_table(runs_in(tmp_path)).blocks
    chosen = table(tmp_path, top).blocks
    assert [(one.name, one.total) for one in chosen] == [(one.name, one.total) for one in whole]
    for one, all_of_it in zip(chosen, whole, strict=True):
        expected = marks(all_of_it)
        shown = marks(one)
        assert shown == {key: expected[key] for key in shown}
        best = {column for (_, _, column), (_, rank, *_) in expected.items() if rank == 1}
        assert best == {column for (_, _, column), (_, rank, *_) in shown.items() if rank == 1}
    assert any(len(one.rows) < one.total for one in chosen)


def test_a_rival_that_is_not_shown_still_ties(tmp_path):
    """Else the best would seem to be told from all others."""
    for seed, level in enumerate((28, 30, 30.00001)):
        values = {"psnr": [level + (-1) ** (picture + seed) for picture in range(6)]}
        store(
            tmp_path,
            lapsrn(seed=seed),
            scored(lapsrn(seed=seed), level=level, metrics=("psnr",), values=values),
        )
    (block,) = table(tmp_path, 1).blocks
    assert seeds(block) == [2]
    assert block.cells[0][Column("psnr", "y")].tied


def test_the_first_metric_asked_for_leads(tmp_path):
    many(tmp_path)
    for block in table(tmp_path, 2, metrics=["lpips"]).blocks:
        assert seeds(block) == [None, 3, 8]
        assert "by LPIPS rgb" in block.chosen


def test_a_mean_over_fewer_pictures_does_not_lead(tmp_path):
    many(tmp_path, runs=4)
    spec = lapsrn(seed=9)
    values = {"psnr": [float("inf")] * 3 + [99.0] * 3}
    store(tmp_path, spec, scored(spec, level=99, metrics=("psnr",), values=values))
    block = table(tmp_path, 1).blocks[0]
    assert (block.name, 9 in seeds(block)) == ("sample ×4", False)


def test_runs_without_the_leading_column_fill_what_is_left(tmp_path):
    for seed in range(4):
        spec = lapsrn("r", seed=seed)
        store(tmp_path, spec, scored(spec, level=28 + seed, metrics=("psnr",)))
    spec = lapsrn()
    store(tmp_path, spec, scored(spec, level=27, metrics=("psnr",)))
    (block,) = table(tmp_path, 3).blocks
    assert [(row.labels.channels, row.labels.seed) for row in block.rows] == [
        ("r", 2),
        ("r", 3),
        ("r,g,b", 0),
    ]


def test_a_run_under_two_protocols_has_its_rows_in_both_blocks(tmp_path):
    many(tmp_path, runs=3)
    for seed in range(3):
        spec = lapsrn(seed=seed, clip=1.0)
        parts = [
            scored(spec, level=31 + seed, metrics=("lpips:net=squeeze",), facts={"weights_sha256": one * 64})
            for one in "ab"
        ]
        store(tmp_path, spec, *parts)
    blocks = table(tmp_path, 1).blocks
    whole = build_table(runs_in(tmp_path)).blocks
    assert [(one.title, one.total) for one in blocks] == [(one.title, one.total) for one in whole]
    assert {len(one.rows) for one in blocks} <= {1, 2, 3}


def test_nothing_is_left_out_where_no_block_is_long(tmp_path):
    many(tmp_path)
    index = read_index(tmp_path)
    assert choose(index, 10) is None
    assert choose(index) is None
    assert choose(index, 9) is not None


def test_one_block_is_whole_and_another_is_not(tmp_path):
    many(tmp_path)
    for seed in (1, 2):
        part = scored(lapsrn(seed=seed), level=29, test="other", test_sha256=sha256_text("other"))
        store(tmp_path, lapsrn(seed=seed), part)
    sizes = {
        block.name: (len(block.rows), block.total, bool(block.chosen)) for block in table(tmp_path, 2).blocks
    }
    assert sizes["other ×4"] == (2, 2, False)
    assert sizes["sample ×4"] == (4, 8, True)


def test_two_contents_of_one_name_are_told_apart_and_chosen_by_label(tmp_path):
    many(tmp_path, runs=5)
    for seed in range(5, 9):
        part = scored(lapsrn(seed=seed), level=29 + seed, test_sha256="f" * 64)
        store(tmp_path, lapsrn(seed=seed), part)
    assert {block.name for block in table(tmp_path, 1).blocks} >= {"sample@ffff ×4"}
    (block,) = table(tmp_path, 1, tests=["sample@ffff"]).blocks
    assert (block.total, seeds(block)) == (4, [8])


@pytest.mark.parametrize("options", [{"metrics": ["psnrr"]}, {"tests": ["set5"]}])
def test_an_unknown_name_is_met_as_in_the_whole_table(tmp_path, options):
    many(tmp_path, runs=3)
    with pytest.raises(UsageError) as whole:
        build_table(runs_in(tmp_path), **options)
    with pytest.raises(UsageError) as chosen:
        choose(read_index(tmp_path), 1, **options)
    assert str(chosen.value) == str(whole.value)


def test_every_format_says_what_is_left_out(tmp_path):
    many(tmp_path)
    choice = choose(read_index(tmp_path), 2)
    runs, _ = list_runs(tmp_path, choice.shown | choice.rivals)
    for format in ("md", "latex"):
        assert "4 of 10 rows are shown" in render(runs, format, choice=choice).replace("sample ×4: ", "")
