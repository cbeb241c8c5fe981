"""`srbench upscale`: what goes where, what is never replaced, and what is wrong usage."""

import json
from pathlib import Path

import numpy as np
import pytest
from odd import PHOTOGRAPH
from PIL import Image
from small import StopAt, picture_folder, small_arguments, srbench
from stored import bicubic as baseline
from stored import store

from srbench.errors import StoppedError, UsageError


@pytest.fixture
def upscale(tmp_path, monkeypatch, capsys):
    """Runs the command in an empty folder that has a store; gives exit code, stdout and stderr."""
    store(tmp_path / "results", baseline(2))
    monkeypatch.chdir(tmp_path)

    def run(*arguments, folder="large"):
        code = srbench(["upscale", *arguments, "-o", folder], monkeypatch)
        said = capsys.readouterr()
        return code, said.out.splitlines(), said.err

    return run


def picture(path, value=None):
    Path(path).parent.mkdir(exist_ok=True, parents=True)
    Image.fromarray(PHOTOGRAPH if value is None else np.full((6, 5), value, np.uint8)).save(path, "PNG")
    return path


def test_results_are_named_on_stdout_and_failures_on_stderr(upscale, tmp_path):
    (tmp_path / "b.png").write_text("text")
    picture("in/c.png")
    code, out, err = upscale("bicubic", picture("a.png"), "b.png", "in")
    assert (code, out) == (1, ["large/a_x2.png", "large/c_x2.png"])
    assert err.startswith("b.png is not a picture srbench can read")
    assert len(err.splitlines()) == 1
    assert sorted(one.name for one in (tmp_path / "large").iterdir()) == ["a_x2.png", "c_x2.png"]


def test_the_same_line_again_keeps_what_it_made(upscale, tmp_path):
    picture("a.png")
    assert upscale("bicubic", "a.png")[0] == 0
    before = (tmp_path / "large" / "a_x2.png").stat().st_mtime_ns
    picture("b.png")
    code, out, err = upscale("bicubic", "a.png", "b.png")
    assert (code, out) == (0, ["large/a_x2.png", "large/b_x2.png"])
    assert err == "1 of 2 were there already, made by the same line.\n"
    assert (tmp_path / "large" / "a_x2.png").stat().st_mtime_ns == before


@pytest.mark.parametrize("other", ["picture", "way", "file", "link"])
def test_what_another_line_made_is_replaced_only_if_told_to(upscale, tmp_path, other):
    picture("a.png", 10)
    target = tmp_path / "large" / "a_x2.png"
    more = []
    if other == "link":
        target.parent.mkdir()
        target.symlink_to(tmp_path / "precious")
    elif other == "file":
        target.parent.mkdir()
        target.write_text("precious")
    else:
        assert upscale("bicubic", "a.png")[0] == 0
        more = ["--self-ensemble"] if other == "way" else []
        picture("a.png", 10 if other == "way" else 200)
    before = None if other == "link" else target.read_bytes()
    code, out, err = upscale("bicubic", "a.png", *more)
    assert (code, out) == (1, [])
    assert "large/a_x2.png is there already, and this line did not make it of a.png. --overwrite" in err
    assert other == "link" or target.read_bytes() == before
    assert upscale("bicubic", "a.png", "--overwrite", *more)[:2] == (0, ["large/a_x2.png"])
    assert Image.open(target).getpixel((3, 3)) == (200 if other == "picture" else 10)
    assert not (tmp_path / "precious").exists()


def test_a_result_says_what_it_was_made_of(upscale, tmp_path):
    assert upscale("bicubic", picture("a.png"), "--tile", "16")[0] == 0
    with Image.open("large/a_x2.png") as image:
        said = json.loads(image.info["srbench"])
    assert said["run"] == baseline(2).id
    assert (said["step"], said["tile"], said["overlap"]) == (0, 16, 4)
    assert len(said["picture"]) == 64


def test_a_stop_leaves_nothing_in_part_and_the_same_line_goes_on(upscale, tmp_path, monkeypatch):
    for name in "abc":
        picture(f"in/{name}.png", 9)
    with monkeypatch.context() as patch:
        patch.setattr("srbench.train.stop.Stop", lambda: StopAt(7))
        code, out, err = upscale("bicubic", "in")
    assert code == StoppedError.exit_code
    assert 0 < len(out) < 3
    assert "Stopped on Ctrl-C. Run the same command to go on." in err
    assert sorted(one.name for one in (tmp_path / "large").iterdir()) == [Path(one).name for one in out]
    assert upscale("bicubic", "in")[:2] == (0, [f"large/{name}_x2.png" for name in "abc"])


HOSTILE = [
    "[red]a.png",
    "[bold].png",
    "[[b.png",
    "a\nb.png",
    "\x1b[2Ja.png",
    "' \"$(b).png",
    "\u202ea.png",
    "é\\.png",
]


def test_hostile_names_do_no_harm(upscale, tmp_path):
    for name in HOSTILE:
        picture(f"in/{name}", 1)
    code, out, err = upscale("bicubic", "in")
    assert (code, err) == (0, "")
    assert len(out) == len(HOSTILE)
    assert all(line.isprintable() for line in out)
    made = {one.name for one in (tmp_path / "large").iterdir()}
    assert made == {name.removesuffix(".png") + "_x2.png" for name in HOSTILE}
    for name in HOSTILE:
        (tmp_path / "in" / name).write_text("text")
    err = upscale("bicubic", "in", "--overwrite")[2]
    assert len(err.splitlines()) == len(HOSTILE)
    assert "\x1b" not in err


def test_names_that_begin_with_a_dash_or_are_very_long(upscale, tmp_path):
    long, longer = "a" * 240, "b" * 251
    for name in (f"{long}.png", f"{longer}.png", "-a.png"):
        picture(name)
    code, out, err = upscale("bicubic", "--", f"{long}.png", f"{longer}.png", "-a.png")
    assert code == 2  # -o belongs before --
    code, out, err = upscale("bicubic", f"{long}.png", f"{longer}.png", "./-a.png")
    assert (code, out) == (1, [f"large/{long}_x2.png", "large/-a_x2.png"])
    assert f"large/{longer}_x2.png cannot be written (File name too long)" in err


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_made(upscale, tmp_path):
    (tmp_path / "file").touch()
    for folder in ("file", "file/below", "/proc/none"):
        code, out, err = upscale("bicubic", picture("a.png"), folder=folder)
        assert (code, out) == (UsageError.exit_code, [])
        assert f"-o {folder} is no folder that can be written" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bicubic"], "Missing argument 'PICTURE"),
        (["nothing", "a.png"], "No run in results starts with 'nothing'"),
        (["bicubic", "empty"], "empty holds no pictures"),
        (["bicubic", "a.png", "--tile", "3"], "a tile of 3 pixels is too small"),
        (["bicubic", "a.png", "--overlap", "3"], "an overlap needs tiles"),
        (["bicubic", "a.png", "--step", "best"], "was not trained by srbench and has no checkpoints"),
        (["bicubic", "a.png", "--device", "abacus"], "--device abacus is not to be had here"),
    ],
)
def test_wrong_usage_makes_nothing(upscale, tmp_path, arguments, said):
    (tmp_path / "empty").mkdir()
    picture("a.png")
    code, out, err = upscale(*arguments)
    assert (code, out) == (UsageError.exit_code, [])
    assert said in " ".join(err.split())
    assert not (tmp_path / "large").exists()


def test_a_trained_run_upscales_by_the_checkpoint_asked_for(tmp_path, monkeypatch, capsys):
    """As `load_run` does, and its newest unless another is named."""
    import srbench as package

    pictures, results = picture_folder(tmp_path / "pictures"), tmp_path / "results"
    assert srbench(small_arguments(pictures, results, "--steps", "4", "--eval-every", "2"), monkeypatch) == 0
    run = package.load_run("lapsrn", results=results)
    source = pictures / "test" / "face.png"
    capsys.readouterr()
    line = ["upscale", "lapsrn", str(source), "--results", str(results), "-o"]
    assert srbench([*line, str(tmp_path / "newest")], monkeypatch) == 0
    with Image.open(capsys.readouterr().out.strip()) as image, Image.open(source) as lr:
        np.testing.assert_array_equal(np.asarray(image), run.upscale(np.asarray(lr)))
        assert json.loads(image.info["srbench"])["step"] == 4
    assert srbench([*line, str(tmp_path / "other"), "--step", "9"], monkeypatch) == UsageError.exit_code
    assert "has no checkpoint '9'" in capsys.readouterr().err
    assert srbench([*line, str(tmp_path / "best"), "--step", "best"], monkeypatch) == 0
