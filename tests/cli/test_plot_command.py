"""`srbench plot`: figures of real runs, the same bytes again, and what to do where one cannot be."""

import re
import shutil
import xml.etree.ElementTree as ET

import pytest
from PIL import Image
from small import srbench
from stored import lapsrn, runs_in, scored, store

from srbench.errors import DatasetError, UsageError

MORE = {
    "curves": ["--measure", "loss,psnr,detail", "--over", "epochs"],
    "pd": ["--metric", "presence"],
    "spectrum": ["--pictures", "1", "--plane", "r,y", "--device", "cpu"],
    "crops": ["--size", "32", "--device", "cpu"],
}


def plot(kind, file, root, monkeypatch, *more):
    line = ["-q", "plot", kind, *more, "-o", str(file), "--results", str(root)]
    return srbench(line, monkeypatch)


def said(capsys):
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("kind", MORE)
def test_each_kind_is_drawn_of_real_runs_and_the_same_bytes_again(
    kind, pictured_store, tmp_path, monkeypatch, capsys
):
    file = tmp_path / "figures" / "one.png"
    assert plot(kind, file, pictured_store, monkeypatch, "--dpi", "100", *MORE[kind]) == 0
    captured = capsys.readouterr()
    assert f"The figure is in {file}." in captured.err.replace("\n", "")
    assert not captured.out
    first = file.read_bytes()
    with Image.open(file) as image:
        image.load()
        assert image.width == (716 if kind == "crops" else 350)
    assert plot(kind, file, pictured_store, monkeypatch, "--dpi", "100", *MORE[kind]) == 0
    assert file.read_bytes() == first
    assert [one.name for one in file.parent.iterdir()] == ["one.png"]


def test_other_kinds_of_files(pictured_store, tmp_path, monkeypatch):
    assert plot("pd", tmp_path / "one.svg", pictured_store, monkeypatch, "--metric", "presence") == 0
    ET.parse(tmp_path / "one.svg")
    assert plot("crops", tmp_path / "one.pdf", pictured_store, monkeypatch, "--size", "32") == 0
    assert (tmp_path / "one.pdf").read_bytes().startswith(b"%PDF")


def test_runs_that_are_named_are_drawn_alone_and_beside_bicubic_where_it_is_compared(
    pictured_store, tmp_path, monkeypatch, capsys
):
    for kind in ("curves", "pd"):
        file = tmp_path / f"{kind}.svg"
        assert plot(kind, file, pictured_store, monkeypatch, "lapsrn-l2", *MORE[kind]) == 0
    assert "has no curves" not in said(capsys)


@pytest.mark.parametrize("kind", MORE)
@pytest.mark.parametrize(
    ("file", "results", "words"),
    [
        ("one.jpg", None, "one.jpg does not say what kind of picture it is to be. End its name in .png"),
        ("one", None, "End its name in .png or .svg or .pdf"),
        ("one.png", "nowhere", "There is no store at"),
        ("one.png", "empty", "no"),
    ],
)
def test_wrong_usage_says_what_to_do(
    kind, file, results, words, pictured_store, tmp_path, monkeypatch, capsys
):
    (tmp_path / "empty").mkdir()
    root = tmp_path / results if results else pictured_store
    assert plot(kind, tmp_path / file, root, monkeypatch) == UsageError.exit_code
    assert words in said(capsys)
    assert not (tmp_path / file).exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["pd", "lapsrn", "--metric", "presence"], "lapsrn' could be any of 2 runs"),
        (["curves", "bicubic"], "curves to draw: bicubic has no curves: it is not trained"),
        (["curves", "--plane", "x"], "No run has curves of the plane 'x'. There are: r, g, b, y"),
        (["spectrum", "--test", "set5"], "No run was scored on set5. There is: test ×4"),
        (["spectrum", "--plane", "x"], "No run has the plane 'x'. There are: r, g, b, y"),
        (["crops", "bicubic"], "No run was scored on a test set. There is: bicubic alone"),
    ],
)
def test_what_cannot_be_drawn_is_told(line, words, pictured_store, tmp_path, monkeypatch, capsys):
    kind, *more = line
    assert plot(kind, tmp_path / "one.png", pictured_store, monkeypatch, *more) == UsageError.exit_code
    assert words in said(capsys)


def test_runs_without_scores_or_pictures_are_told(pictured_store, tmp_path, monkeypatch, capsys):
    root = shutil.copytree(pictured_store, tmp_path / "results")
    runs = {run.record.spec["model"]["name"]: run for run in runs_in(root)}
    shutil.rmtree(runs["fsrcnn"].paths.checkpoints)
    runs["lapsrn"].paths.summary.unlink()
    assert plot("spectrum", tmp_path / "one.png", root, monkeypatch, "--pictures", "2") == 0
    text = said(capsys)
    assert f"{runs['lapsrn'].id} is not drawn: it has no scores yet." in text
    assert re.search(r"fsrcnn.* has no picture of tissue: .* has no checkpoint yet", text)
    assert re.search(r"tissue is left out of the spectra: fsrcnn.* has no picture of it\.", text)
    assert plot("crops", tmp_path / "two.png", root, monkeypatch, "fsrcnn", "--size", "32") == 0
    assert plot("pd", tmp_path / "no.png", root, monkeypatch, runs["lapsrn"].id) == 0
    assert "it has no scores yet" in said(capsys)


def test_a_figure_higher_than_a_page_is_told(tmp_path, monkeypatch, capsys):
    for test in ("a", "b", "c"):
        spec = lapsrn(seed=ord(test))
        store(tmp_path, spec, scored(spec, level=28, metrics=("psnr", "presence"), test=test, scales=(2, 4)))
    assert plot("pd", tmp_path / "one.png", tmp_path, monkeypatch, "--dpi", "50") == 0
    assert re.search(
        r"It is 1\d\.\d inches high, more than a page is: --width page, or less on it\.", said(capsys)
    )
    assert plot("pd", tmp_path / "one.png", tmp_path, monkeypatch, "--dpi", "50", "--width", "page") == 0
    assert re.search(r"It is 1\d\.\d inches high, more than a page is: put less on it\.", said(capsys))
    assert plot("pd", tmp_path / "one.png", tmp_path, monkeypatch, "--dpi", "50", "--test", "a") == 0
    assert "inches high" not in said(capsys)


def test_a_test_set_that_is_gone_is_told(tmp_path, monkeypatch, capsys):
    store(tmp_path, lapsrn(), scored(lapsrn(), level=28))
    assert plot("crops", tmp_path / "one.png", tmp_path, monkeypatch) == DatasetError.exit_code
    assert "The pictures of sample that the runs were scored on are not found" in said(capsys)


def test_a_place_that_cannot_be_written_is_named(pictured_store, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    assert plot("curves", tmp_path / "file" / "x.png", pictured_store, monkeypatch) == 1
    assert "x.png cannot be written" in said(capsys)
