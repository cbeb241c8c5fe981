"""Two runs picture by picture: SciPy's interval, both directions, seeds, and what is refused."""

import io
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from rich.console import Console
from scipy import stats
from stored import bicubic, degradation_spec, lapsrn, runs_in, scored, store

from srbench.compare import compare, find_side
from srbench.compare.show import records, render
from srbench.errors import UsageError
from srbench.files import sha256_text
from srbench.spec import Seeds

LPIPS = "lpips:net=squeeze"
A, B = lapsrn(), lapsrn(eps=1e-6)


def put(root, spec, values, metric="psnr", **options):
    """Store a run with these scores, one a picture, the same on all planes."""
    options = {"metrics": (metric,), "pictures": len(values), "values": {metric: list(values)}, **options}
    return store(root, spec, scored(spec, level=28, **options))


def compared(root, a, b, **options):
    """The comparisons of two specs, or lists of specs."""
    sides = [
        [one for spec in (side if isinstance(side, list) else [side]) for one in find_side(root, spec.id)]
        for side in (a, b)
    ]
    return compare(*sides, **options)


def on_luma(root, a=A, b=B, **options):
    return next(
        one for one in compared(root, a, b, **options).comparisons if one.column.plane in ("y", "rgb")
    )


def text_of(root, a=A, b=B, width=100, format="rich"):
    sides = find_side(root, a.id), find_side(root, b.id)
    shown = render(compare(*sides), *sides, format)
    if isinstance(shown, str):
        return shown
    file = io.StringIO()
    Console(file=file, width=width).print(shown)
    return file.getvalue()


def test_interval_is_scipys_paired_bootstrap(tmp_path):
    """Source: scipy.stats.bootstrap(paired=True, method="percentile"), 10,000 draws; the tolerance is five
    times the Monte Carlo error of two percentiles of so many draws."""
    random = np.random.default_rng(1)
    b = random.normal(29, 3, 14)
    a = b + random.normal(0.1, 0.2, 14)
    put(tmp_path, A, a)
    put(tmp_path, B, b)
    golden = stats.bootstrap(
        (a, b),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        paired=True,
        n_resamples=10_000,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    found = on_luma(tmp_path)
    tolerance = 5 * 2**0.5 * 0.027 * (a - b).std(ddof=1) / 14**0.5
    assert (found.low, found.high) == pytest.approx((golden.low, golden.high), abs=tolerance)
    assert found.difference == pytest.approx((a - b).mean())
    assert (found.a, found.b) == pytest.approx((a.mean(), b.mean()))
    assert (found.wins, found.ties, found.losses) == ((a > b).sum(), 0, (a < b).sum())


def test_every_plane_scale_metric_and_test_is_compared(tmp_path):
    for spec in (A, B):
        first = scored(spec, level=28, metrics=("psnr", "ssim"), scales=(2, 4))
        second = scored(spec, level=28, metrics=("psnr",), test="other", test_sha256=sha256_text("other"))
        store(tmp_path, spec, first, second)
    found = compared(tmp_path, A, B).comparisons
    keys = {(one.row.test, one.row.scale, one.column) for one in found}
    assert len(found) == len(keys) == 2 * 2 * 4 + 4
    assert {one.column.metric for one in compared(tmp_path, A, B, metrics=["ssim"]).comparisons} == {"ssim"}
    assert {one.row.test for one in compared(tmp_path, A, B, tests=["other"]).comparisons} == {"other"}


def test_lower_is_better_for_lpips(tmp_path):
    put(tmp_path, A, [0.1, 0.2, 0.4, 0.3], LPIPS)
    put(tmp_path, B, [0.2, 0.3, 0.5, 0.3], LPIPS)
    found = on_luma(tmp_path)
    assert found.winner == "A"
    assert found.difference == pytest.approx(-0.075)
    assert (found.wins, found.ties, found.losses) == (3, 1, 0)
    assert found.pictures[-1].image == "picture-3"
    assert on_luma(tmp_path, B, A).winner == "B"


def test_pictures_are_sorted_from_best_to_worst(tmp_path):
    put(tmp_path, A, [30, 31, 32, 33, 34, 35, 36, 37])
    put(tmp_path, B, [29, 31.5, 30, 33, 34.2, 34, 33, 38])
    found = on_luma(tmp_path)
    assert [one.image for one in found.pictures] == [f"picture-{n}" for n in (6, 2, 0, 5, 3, 4, 1, 7)]
    assert (
        "psnr y: best for A picture-6 +3.00, picture-2 +2.00, picture-0 +1.00; worst picture-7 -1.00, "
        in (" ".join(text_of(tmp_path).split()))
    )


def test_pictures_needed_are_said_where_the_interval_holds_zero(tmp_path):
    """7.85 · (s / mean)² pictures in all, of which eight are there."""
    noise = np.array([-0.3, 0.4, -0.2, 0.3, -0.4, 0.2, 0.35, -0.05])
    put(tmp_path, A, 30 + noise)
    put(tmp_path, B, [30] * 8)
    found = on_luma(tmp_path)
    needed = int(np.ceil(7.8489 * noise.var(ddof=1) / noise.mean() ** 2))
    assert found.winner == ""
    assert found.more_pictures == needed - 8
    assert f"+{needed - 8:,} pictures" in " ".join(text_of(tmp_path, width=120).split())


def test_told_apart_needs_no_more_pictures(tmp_path):
    put(tmp_path, A, [30.1, 31.1, 33.2])
    put(tmp_path, B, [30.0, 31.0, 33.0])
    found = on_luma(tmp_path)
    assert (found.winner, found.more_pictures) == ("A", None)
    assert "A is better" in text_of(tmp_path)


def test_equal_pictures_are_ties_and_count_for_nothing(tmp_path):
    """Infinite PSNR on both sides is a tie; on one, a win that enters no mean."""
    inf = float("inf")
    put(tmp_path, A, [inf, inf, 30.0, 30.0])
    put(tmp_path, B, [inf, 40.0, 30.0, 30.0])
    found = on_luma(tmp_path)
    assert (found.wins, found.ties, found.losses) == (1, 3, 0)
    assert (found.n, found.left_out, found.difference) == (2, 2, 0.0)
    assert "no difference; 2 left out" in " ".join(text_of(tmp_path, width=140).split())
    assert [one["difference"] for one in records(compared(tmp_path, A, B), [], [])["comparisons"]] == [
        0.0
    ] * 4


def test_one_picture_is_no_test(tmp_path):
    put(tmp_path, A, [31.0])
    put(tmp_path, B, [30.0])
    assert on_luma(tmp_path).winner == ""
    assert "one picture" in text_of(tmp_path)
    assert "1 picture\n" in text_of(tmp_path)


# --- seeds


def test_runs_that_differ_by_seed_are_one_side(tmp_path):
    """Named by a common prefix or a list; a side whose seeds scatter is told apart less surely."""
    random = np.random.default_rng(3)
    b = random.normal(29, 3, 10)
    seeds = [lapsrn(seed=seed) for seed in (Seeds(init=4), 1, 2)]
    for spec, shift in zip(seeds, (-0.3, 0.1, 0.5), strict=True):
        put(tmp_path, spec, b + shift + random.normal(0, 0.02, 10))
    put(tmp_path, bicubic(), b)
    prefix = "lapsrn-charbonnier"
    assert [run.record.spec["seed"] for run in find_side(tmp_path, prefix)] == [
        {"init": 4, "order": 0, "crops": 0}, 1, 2
    ]  # fmt: skip
    listed = ",".join(spec.id for spec in seeds)
    assert [run.id for run in find_side(tmp_path, listed)] == [spec.id for spec in seeds]
    together = on_luma(tmp_path, seeds, bicubic())
    assert together.difference == pytest.approx(0.1, abs=0.03)
    assert together.winner == ""
    assert together.more_pictures == 0  # the pictures agree; it is the seeds that do not
    assert on_luma(tmp_path, seeds[1], bicubic()).winner == "A"
    sides = find_side(tmp_path, prefix), find_side(tmp_path, "bicubic")
    assert "(3 seeds)" in render(compare(*sides), *sides, "md")
    assert "more seeds needed" in render(compare(*sides), *sides, "md")


def test_only_what_every_seed_has_is_compared(tmp_path):
    put(tmp_path, lapsrn(), [30, 31])
    store(tmp_path, lapsrn(seed=1), scored(lapsrn(seed=1), level=28, pictures=2, metrics=("psnr", "ssim")))
    store(tmp_path, bicubic(), scored(bicubic(), level=28, pictures=2, metrics=("psnr", "ssim")))
    found = compared(tmp_path, [lapsrn(), lapsrn(seed=1)], bicubic())
    assert {one.column.metric for one in found.comparisons} == {"psnr"}
    assert found.skipped == ["ssim at ×4 on sample is not there for every seed."]


def test_a_side_that_differs_in_more_than_its_seed_is_refused(tmp_path):
    for spec in (A, B, lapsrn("y", seed=1)):
        put(tmp_path, spec, [30, 31])
    with pytest.raises(UsageError, match=r"'lapsrn' is 3 runs that differ in channels, loss: .* Give more"):
        find_side(tmp_path, "lapsrn")
    with pytest.raises(UsageError, match=r"No run in .* starts with 'lapsm-.*'\. Did you mean"):
        find_side(tmp_path, "lapsm-charbonnier-sample-r_g_b-x4")
    with pytest.raises(UsageError, match="names no run"):
        find_side(tmp_path, " , ")


# --- what is not compared


def test_different_protocols_are_refused_and_named(tmp_path):
    put(tmp_path, A, [30, 31])
    other = lapsrn(degradation=degradation_spec("false"))
    put(tmp_path, other, [30, 31], rounded="false")
    words = (
        r"psnr at ×4 on sample was scored under different protocols: degradation bicubic:round=true \| "
        r"bicubic:round=false \(A \| B\)\."
    )
    with pytest.raises(UsageError, match=words):
        compared(tmp_path, A, other)


def test_a_metric_under_another_protocol_is_left_out_and_the_rest_compared(tmp_path):
    for spec, weights in ((A, "a"), (B, "b")):
        facts = {"weights_sha256": sha256_text(weights)}
        store(tmp_path, spec, scored(spec, level=28, metrics=("psnr", LPIPS), facts=facts))
    found = compared(tmp_path, A, B)
    assert {one.column.metric for one in found.comparisons} == {"psnr"}
    (reason,) = found.skipped
    assert f"{LPIPS} at ×4 on sample was scored under different protocols: weights_sha256" in reason
    assert f"Not compared: {LPIPS}" in text_of(tmp_path)
    with pytest.raises(UsageError, match="no score in common"):
        compared(tmp_path, A, B, metrics=["lpips"])


def test_different_pictures_are_refused(tmp_path):
    put(tmp_path, A, [30, 31], test="set5", test_sha256=sha256_text("one"))
    put(tmp_path, B, [30, 31], test="set5", test_sha256=sha256_text("other"))
    words = f"set5 is not the same pictures in A and B (SHA-256 {sha256_text('one')[:8]} | "
    with pytest.raises(UsageError, match=re.escape(words)):
        compared(tmp_path, A, B)


def test_inner_output_is_another_task(tmp_path):
    put(tmp_path, A, [30, 31], scales=(2,))
    put(tmp_path, lapsrn(scale=2), [30, 31])
    with pytest.raises(UsageError, match=r"×2 \(of ×4\) in A and ×2 in B, which are different tasks"):
        compared(tmp_path, A, lapsrn(scale=2))


def test_no_common_test_is_refused(tmp_path):
    put(tmp_path, A, [30, 31])
    put(tmp_path, B, [30, 31], test="set5", test_sha256=sha256_text("set5"))
    with pytest.raises(UsageError, match=r"sample is scored in A and not in B\. set5 is scored in B and not"):
        compared(tmp_path, A, B)


def test_run_without_scores_and_run_against_itself_are_refused(tmp_path):
    put(tmp_path, A, [30, 31])
    store(tmp_path, B, status="interrupted", step=5)
    with pytest.raises(UsageError, match=r"sample is scored in A and not in B"):
        compared(tmp_path, A, B)
    with pytest.raises(UsageError, match="stands on both sides"):
        compared(tmp_path, A, A)


def test_lost_scores_are_named(tmp_path):
    put(tmp_path, A, [30, 31]).scores.unlink()
    put(tmp_path, B, [30, 31])
    with pytest.raises(UsageError, match=r"lost or damaged\. Score both again by srbench eval"):
        compared(tmp_path, A, B)


# --- formats


def test_json_holds_every_picture(tmp_path):
    put(tmp_path, A, [30, 31, float("inf")])
    put(tmp_path, B, [29, 31.5, 30])
    plain = json.loads(text_of(tmp_path, format="json"))
    assert list(plain) == ["runs_a", "runs_b", "comparisons", "skipped"]
    assert plain["runs_a"] == [A.id]
    first = plain["comparisons"][0]
    expected = (
        "test scale run_scale plane metric better a b difference ci_low ci_high winner n left_out wins ties "
        "losses more_pictures protocol pictures"
    )
    assert list(first) == expected.split()
    assert {"image": "picture-2", "a": None, "b": 30.0, "difference": None} in first["pictures"]


@pytest.mark.parametrize("width", [80, 120])
def test_rich_fits_and_no_number_is_cut(tmp_path, width):
    for spec, level in ((A, 28.0), (B, 28.5)):
        store(tmp_path, spec, scored(spec, level=level, scales=(2, 4)))
    text = text_of(tmp_path, width=width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    assert "[-0.50, -0.50]" in text
    assert "[-0.0139, -0.0139]" in text


def test_markdown_is_a_table_a_scene(tmp_path):
    for spec, level in ((A, 28.0), (B, 28.5)):
        store(tmp_path, spec, scored(spec, level=level, scales=(2, 4)))
    text = text_of(tmp_path, format="md")
    tables = [part for part in text.split("\n\n") if part.startswith("|")]
    assert len(tables) == 2
    assert all(len({line.count("|") for line in table.splitlines()}) == 1 for table in tables)
    assert "| PSNR dB ↑ | y |" in text


def test_compare_loads_no_torch(tmp_path):
    put(tmp_path, A, [30, 31, 32])
    put(tmp_path, B, [30.5, 30.9, 32])
    code = (
        "import sys; from pathlib import Path; from srbench.compare import compare, find_side;"
        "from srbench.compare.show import render;"
        "sides = [find_side(Path(sys.argv[1]), one) for one in sys.argv[2:]];"
        "[render(compare(*sides), *sides, one) for one in ('md', 'json', 'rich')];"
        "assert not {'torch', 'pandas'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), A.id, B.id], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert runs_in(tmp_path)
