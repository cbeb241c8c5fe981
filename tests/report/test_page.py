"""The page: what it says of a store, that it stays small, and that nothing in it comes from elsewhere."""

import base64
import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hostile import HOSTILE, flat_gallery, hostile_page, hostile_runs
from paged import Paged
from stored import bicubic, lapsrn, realistic, runs_in, scored, store

from srbench.report import page as page_module
from srbench.report.charts import curves_data, last_values, trade_data
from srbench.report.content import Looking, content_of, telling
from srbench.report.embed import island, rounded
from srbench.report.page import LIMIT, page_of
from srbench.report.pictures import Room, packed, pictures_data
from srbench.report.summary import summary_of
from srbench.store.history import append_line
from srbench.tables import records
from srbench.views.crops import Crop
from srbench.views.curves import curves_of
from srbench.views.pictures import Gallery, Original, Shown
from srbench.views.trade import Chart, Panel, Point


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("store")
    realistic(root)
    for number, run in enumerate(runs_in(root)[1:3]):
        for step in (10, 20):
            planes = {"r": 20.0 + step, "g": 21.0, "b": 22.0, "y": 23.0}
            line = {"step": step, "epoch": step / 4, "loss": {"r": 0.3, "g": 0.2, "b": 0.1}, "on": "val"}
            append_line(run.paths.history, {**line, "psnr": {"2": planes, "4": planes}})
            append_line(run.paths.timings, {"step": step, "elapsed_s": 360.0 * step + number})
    return runs_in(root)


@pytest.fixture(scope="module")
def page(runs):
    return page_of(runs, Looking())


@pytest.fixture(scope="module")
def read(page):
    return Paged(page.html())


def test_every_score_of_the_table_stands_on_the_page(runs, read):
    shown = {
        float(attributes["data-v"])
        for tag, attributes in read.elements
        if tag == "td" and "data-v" in attributes
    }
    assert shown >= {one["value"] for one in records(runs) if one["value"] is not None}


def test_rows_know_what_they_are_filtered_by(runs):
    summary = summary_of([run for run in runs if run.summary])
    assert list(summary.choices["channels"]) == ["r", "r,g,b", "y"]
    assert list(summary.choices["scale"]) == ["×2 (of ×4)", "×4"]
    assert "loss" not in summary.choices  # all have one: nothing to choose
    line = next(line for line in summary.parts[0].lines if "y" in line.keys["channels"])
    assert line.keys["model"] == ["lapsrn"]


def test_no_mean_is_taken_over_protocols(tmp_path):
    for rounded_lr in ("true", "false"):
        spec = bicubic(degradation=rounded_lr)
        store(tmp_path, spec, scored(spec, level=27.0, rounded=rounded_lr))
    assert len(summary_of(runs_in(tmp_path)).parts) == 2


def test_sections_are_all_there_in_order(read):
    sections = [attributes["id"] for tag, attributes in read.elements if tag == "section"]
    assert sections == ["summary", "curves", "pictures", "trade", "spectra", "worst", "provenance"]
    for tag, attributes in read.elements:
        if tag == "th":
            assert attributes.get("scope") in ("row", "col")


def test_the_trio_of_a_channel_comes_first(read):
    charts = read.data["curves"]["charts"]
    assert [one["title"] for one in charts[:3]] == ["mean loss · red", "PSNR ×2 · red", "PSNR ×4 · red"]
    run, axis, values = charts[2]["curves"][0]
    assert values == [30, 40]
    assert read.data["curves"]["xs"][axis] == {"steps": [10, 20], "epochs": [2.5, 5], "hours": [1, 2]}
    assert read.data["runs"][run]["id"].startswith("lapsrn")
    assert last_values(read.data["curves"])[run][:3] == [0.3, 40, 40]


def test_means_over_test_pictures_are_not_drawn_among_those_over_validation_pictures(tmp_path):
    for seed, on in enumerate(("val", "test", "val")):
        paths = store(tmp_path, lapsrn(seed=seed))
        line = {"step": 1, "epoch": 1, "loss": {"r": 0.1}, "psnr": {"4": {"r": 20.0 + seed}}}
        append_line(paths.history, {**line, "on": on})
    runs = runs_in(tmp_path)
    data, _ = curves_data(curves_of(runs), {run.id: at for at, run in enumerate(runs)})
    charts = {one["title"]: [run for run, *_ in one["curves"]] for one in data["charts"]}
    assert charts == {
        "mean loss · red": [0, 1, 2],
        "PSNR ×4 · red": [0, 2],
        "PSNR ×4 · red · on test pictures": [1],
    }


def test_long_curves_are_thinned_and_that_is_said(runs, monkeypatch):
    monkeypatch.setattr("srbench.report.charts.MOST_VALUES", 10)
    monkeypatch.setattr("srbench.report.charts._FEWEST", 1)
    found = curves_of(runs)
    data, notes = curves_data(found, {run.id: at for at, run in enumerate(runs)})
    assert all(len(values) == 1 for chart in data["charts"] for _, _, values in chart["curves"])
    assert any("evenly spaced" in note for note in notes)


def test_a_page_carries_all_and_lets_nothing_in(read):
    policy = next(
        one["content"] for tag, one in read.elements if one.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; img-src data: blob:;")
    for text in read.scripts:
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    assert len(read.scripts) > 5
    for tag, attributes in read.elements:
        assert tag not in ("link", "iframe", "object", "base", "form") or "action" not in attributes
        assert not {"src", "srcset", "onclick", "onload", "onerror", "style"} & attributes.keys()
        assert attributes.get("href", "#").startswith("#")


def test_a_page_that_would_grow_too_large_has_fewer_runs(runs, monkeypatch):
    whole = len(page_of(runs, Looking()).html(1.0).encode())
    assert whole < LIMIT
    monkeypatch.setattr(page_module, "LIMIT", whole - 1)
    smaller = page_of(runs, Looking())
    assert len(smaller.html().encode()) < whole
    assert (
        f"{len(smaller.content.runs)} of {len(runs)} runs are in this page"
        in smaller.content.notes["summary"][0]
    )


def test_of_many_runs_the_best_and_the_baseline_are_kept(tmp_path):
    store(tmp_path, bicubic(), scored(bicubic(), level=27.0))
    for seed in range(5):
        spec = lapsrn(seed=seed)
        store(tmp_path, spec, scored(spec, level=28.0 + seed))
    kept, notes = telling(runs_in(tmp_path), 3)
    assert [run.record.spec["seed"] for run in kept] == [None, 3, 4]
    assert notes


def test_a_store_without_scores_has_a_page(tmp_path):
    store(tmp_path, lapsrn(), status="interrupted", step=40)
    page = page_of(runs_in(tmp_path), Looking())
    assert "No run has scores yet" in page.html()
    assert "interrupted, step 40 of 1,000" in page.html()


def test_why_there_are_no_pictures_is_said(page):
    assert any("not found" in note for note in page.notes)


def test_worst_pictures_come_first(tmp_path):
    spec = lapsrn()
    presence = [0.5, 0.2, 0.9, 0.1, 0.8, 0.7]
    store(
        tmp_path, spec, scored(spec, level=28.0, metrics=("psnr", "presence"), values={"presence": presence})
    )
    (worst,) = content_of(runs_in(tmp_path)).worst
    assert [line.values[0] for line in worst.lines] == sorted(presence)
    assert [line.picture for line in worst.lines[:2]] == ["picture-3", "picture-1"]
    assert worst.lines[0].word == "over-smoothed"


def test_the_line_of_a_run_alone_gives_that_run(tmp_path, monkeypatch):
    from small import picture_folder, srbench

    pictures = picture_folder(tmp_path / "pictures")
    halves = ",".join(f"{half}={pictures / half}" for half in ("train", "val", "test"))
    line = [
        "run",
        "--model",
        "lapsrn:features=4,depth=1",
        "--loss",
        "l1+0.1*charbonnier:eps=1e-4",
        "--steps",
        "1",
    ]
    line += [
        "--dataset",
        f"folder:{halves}",
        "--batch",
        "2",
        "--patch",
        "16",
        "--seed",
        "init=1,order=2",
        "--ema",
        "0",
    ]
    results = ["--results", str(tmp_path / "results"), "--metric", "psnr"]
    assert srbench(["-q", *line, *results], monkeypatch) == 0
    from srbench.report.provenance import alone

    (run,) = [one for one in runs_in(tmp_path / "results") if one.record.budget]
    words = alone(run)
    assert words[:2] == ["srbench", "run"]
    assert srbench(["-q", *words[1:], *results], monkeypatch) == 0
    assert [one.id for one in runs_in(tmp_path / "results") if one.record.budget] == [run.id]


def test_an_interval_without_end_has_a_page(runs, page):
    """Squares of 1e300 are no numbers: the interval of such a mean has no ends."""
    point = Point(runs[0].id, "one", True, 30.0, 0.5, (29.0, 31.0), (float("-inf"), float("inf")))
    panel = Panel("set", "presence", "PSNR", "presence", "higher", [point], [0])
    trade = trade_data(Chart([[panel]], "", []), {runs[0].id: 0})
    read = Paged(replace(page, content=replace(page.content, trade=trade)).html())
    (shown,) = read.data["trade"][0]["points"]
    assert (shown["x"], shown["y"]) == ([29, 31], [None, None])


def test_half_a_character_is_written_out(tmp_path):
    paths = store(tmp_path, lapsrn(), provenance={"command": ["srbench", "run", "/data/HALF"]})
    paths.run.write_text(paths.run.read_text().replace("HALF", "\\udcff"))
    text = page_of(runs_in(tmp_path), Looking()).html()
    assert "\\udcff" in text
    assert text.encode()


def test_a_history_that_is_not_srbenchs_leaves_the_others_their_curves(tmp_path):
    odd, sound = store(tmp_path, lapsrn()), store(tmp_path, lapsrn(seed=1))
    for paths, scale in ((odd, "four"), (sound, "4")):
        append_line(
            paths.history, {"step": 1, "epoch": 1, "loss": {}, "on": "val", "psnr": {scale: {"r": 1.0}}}
        )
    found = curves_of(runs_in(tmp_path))
    assert {curve.run_id for curve in found.curves} == {sound.directory.name}
    assert found.notes == ["lapsrn seed 0 has no curves: history.jsonl is not as srbench writes it."]


def test_damaged_scores_take_away_their_own_runs_pictures_alone(pictured_store, tmp_path):
    root = tmp_path / "results"
    shutil.copytree(pictured_store, root)
    damaged = next(run for run in runs_in(root) if "charbonnier" in run.id)
    damaged.paths.scores.write_bytes(b"PAR1")
    looked, _ = Looking("cpu").at(runs_in(root))
    titles = {one.run_id for one in looked[0].gallery.shown}
    assert titles
    assert damaged.id not in titles
    assert any("cannot be read" in note for one in looked for note in one.notes)


# Text that would be markup


def test_data_cannot_end_their_script():
    text = str(island({"name": HOSTILE[0] + HOSTILE[2]}))
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == {"name": HOSTILE[0] + HOSTILE[2]}


def test_names_full_of_markup_do_no_harm(tmp_path):
    text = hostile_page(tmp_path).html()
    read = Paged(text)  # asserts that elements are closed as they were opened
    plain = Paged(page_of([], Looking()).html())
    known = (
        "table thead tbody tr th td caption bdi details summary ul li dl dt dd code pre div form label "
        "select option input button output fieldset legend sup small strong span p h3 h4 figure"
    )
    assert {tag for tag, _ in read.elements} - {tag for tag, _ in plain.elements} <= {*known.split()}
    assert "img" not in {tag for tag, _ in read.elements}
    assert len([tag for tag, _ in read.elements if tag == "script"]) == len(
        [tag for tag, _ in plain.elements if tag == "script"]
    )
    for _, attributes in read.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert not (attributes.get("href") or "#").startswith("javascript")
    for name in HOSTILE:
        assert any(name in told for told in read.texts)  # as it is, and with a direction of its own
    labels = [run["label"] for run in read.data["runs"]]
    assert all(any(name in label for label in labels) for name in HOSTILE)
    assert "{{ 7 * 7 }}" in " ".join(read.texts)


def test_pictures_are_packed_without_loss():
    import io

    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    data = base64.b64decode(packed(pixels).partition(",")[2])
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(data)).convert("RGB")), pixels)


def test_pictures_that_do_not_fit_become_windows_and_then_words(tmp_path):
    runs = hostile_runs(tmp_path)
    gallery = flat_gallery(runs)
    name = HOSTILE[3]
    big = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    shown = [Shown(gallery.shown[0].run_id, "one", 1, ("y",), {name: big}, {})]
    gallery = Gallery(gallery.scene, {name: Original(big, big[::4, ::4], big)}, shown, "", [])
    crop = Crop("set", name, 4, (200, 300, 128, 128), "why")
    room = Room(900_000)
    (view,) = pictures_data(gallery, [crop], {run.id: at for at, run in enumerate(runs)}, room)
    height, width = view["crops"][0]["box"][2:]
    assert max(view["width"], view["height"]) < 512
    assert (height, width) == (128, 128)
    assert len(view["layers"][3]["planes"]) == 1
    assert "windows" in room.notes[0]
    assert 0 <= room.left < 900_000
    near = Crop("set", name, 4, (200, 260, 128, 128), "why")  # which lies in the window of the other
    pair = pictures_data(gallery, [crop, near], {run.id: at for at, run in enumerate(runs)}, Room(900_000))
    assert [len(one["crops"]) for one in pair] == [2]
    poor = Room(1000)
    assert pictures_data(gallery, [crop], {run.id: at for at, run in enumerate(runs)}, poor) == []
    assert "no room" in poor.notes[0]


def test_numbers_are_short_and_finite():
    assert rounded([1.23456789, float("nan"), float("inf"), 3.0]) == [1.2346, None, None, 3]
