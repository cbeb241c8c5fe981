"""`srbench run` as typed: what it says, where, and with which exit code; bad input leaves nothing behind."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data
from small import picture_folder, small_arguments, srbench

from srbench.datasets import build_dataset


@pytest.fixture
def pictures(tmp_path):
    return picture_folder(tmp_path / "pictures")


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


def test_main_job_trains_scores_stores_and_is_then_done(pictures, results, monkeypatch, capsys):
    assert srbench(small_arguments(pictures, results), monkeypatch) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "2 of 2 runs are trained and scored." in captured.err
    assert srbench(small_arguments(pictures, results), monkeypatch) == 0
    assert "Nothing to do: bicubic-x4-" in capsys.readouterr().err
    assert srbench(["table", "--format", "json", "--results", str(results)], monkeypatch) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {(row["model"], row["scale"], row["plane"]) for row in rows} == {
        (model, scale, plane) for model in ("bicubic", "lapsrn") for scale in (2, 4) for plane in "rgby"
    }


def test_a_matrix_of_losses_is_three_runs_beside_one_baseline(pictures, results, monkeypatch, capsys):
    arguments = small_arguments(pictures, results)
    arguments[arguments.index("charbonnier")] = "charbonnier,l1,l2"
    assert srbench([*arguments, "--channels", "y"], monkeypatch) == 0
    assert len(list(results.iterdir())) == 4


def test_a_dry_run_says_what_would_run_and_touches_nothing(pictures, results, monkeypatch, capsys):
    assert srbench(small_arguments(pictures, results, "--dry-run"), monkeypatch) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("bicubic-x4-")
    assert "not begun; budget 6 steps; scored on test; about 1 s of training, by a few measured" in lines[1]
    assert lines[2].startswith("2 runs, 1 to train: about 1 s, one after another")
    assert not results.exists()


def test_eval_fills_in_a_metric_without_training(pictures, results, monkeypatch, capsys):
    srbench(small_arguments(pictures, results), monkeypatch)
    (run,) = [path.name for path in results.iterdir() if path.name.startswith("lapsrn")]
    arguments = ["eval", run[:20], "--metric", "ssim", "--results", str(results)]
    assert srbench(arguments, monkeypatch) == 0
    summary = json.loads((results / run / "summary.json").read_text())
    assert {row["metric"] for row in summary["scores"]} == {"psnr", "ssim"}
    assert srbench(["eval", "nothing", "--results", str(results)], monkeypatch) == 2
    assert srbench(["eval", "bicubic", "--results", str(results)], monkeypatch) == 2
    assert "Name a test set: --test sample" in capsys.readouterr().err


def test_eval_finds_the_dataset_of_a_run_from_another_folder(tmp_path, results, monkeypatch, capsys):
    """Typed as a relative path, with a comma in it."""
    picture_folder(tmp_path / "my, pictures")
    monkeypatch.chdir(tmp_path)
    arguments = small_arguments(Path("my, pictures"), results)
    where = arguments.index("--dataset") + 1
    arguments[where] = 'folder:train="my, pictures/train",test="my, pictures/test"'
    assert srbench(arguments, monkeypatch) == 0
    build_dataset.cache_clear()  # as a process of its own has it
    monkeypatch.chdir("/")
    evaluation = ["eval", "lapsrn", "--metric", "ssim", "--results", str(results)]
    assert srbench(evaluation, monkeypatch) == 0
    assert "1 of 1 runs are trained and scored." in capsys.readouterr().err


def test_max_time_stops_with_75_and_the_same_line_goes_on(pictures, results, monkeypatch, capsys):
    arguments = small_arguments(pictures, results, "--steps", "100000", "--max-time", "3s")
    assert srbench(arguments, monkeypatch) == 75
    assert (
        "on reaching --max-time 3 s; everything is saved. Run the same command to go on."
        in capsys.readouterr().err
    )
    (record,) = [json.loads(path.read_text()) for path in results.glob("lapsrn*/run.json")]
    assert record["status"] == "interrupted"
    assert 0 < record["step"] < 100000


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        (["--model", "lapsm"], 2, "No model named 'lapsm'. Did you mean 'lapsrn'?"),
        (["--loss", "charbonier"], 2, "No loss named 'charbonier'. Did you mean 'charbonnier'?"),
        (["--dataset", "smaple"], 2, "No dataset named 'smaple'. Did you mean 'sample'?"),
        (["--metric", "pnsr"], 2, "No metric named 'pnsr'. Did you mean 'psnr'?"),
        (["--model", "lapsrn:depht=3"], 2, "no parameter 'depht'. Did you mean 'depth'?"),
        (["--loss", "charbonnier:eps=tiny"], 2, "cannot take eps=tiny"),
        (["--loss", "charbonnier:eps=-1"], 2, "eps"),
        (["--scale", "3"], 2, "Model 'lapsrn' cannot do ×3; it does ×2, ×4, ×8."),
        (["--scale", "four"], 2, "--scale 'four' is no whole number."),
        (["--patch", "18"], 2, "--patch 18 is not a multiple of --scale 4"),
        (["--patch", "64"], 2, "smaller than a training patch of 64×64"),
        (["--device", "cuda"], 2, "--device cuda is not to be had here"),
        (["--device", "tpu"], 2, "'tpu' is none of auto, cpu, cuda"),
        (["--max-time", "soon"], 2, "--max-time 'soon' is no duration"),
        (["--determinism", "some"], 2, "--determinism some is neither exact nor fast"),
        (["--grey", "green"], 2, "--grey green is neither rgb nor keep"),
        (["--border", "-1"], 2, "--border -1 is neither scale nor a number of pixels"),
        (["--tile", "8"], 2, "a tile of 8 pixels is too small"),
        (["--overlap", "8"], 2, "an overlap needs tiles"),
        (["--tile", "32", "--overlap", "20"], 2, "overlap of 20 pixels is not between 0 and half of a tile"),
        (["--lpips-weights", "nowhere"], 2, "--lpips-weights nowhere is no folder"),
        (["--steps", "3", "--epochs", "3"], 2, "--steps and --epochs both say how far"),
        (["--dataset", "folder:train=nowhere"], 2, "nowhere"),
        (["--test", "set5"], 2, "set5:root="),
    ],
)
def test_bad_input_is_one_paragraph_a_code_and_nothing_written(
    pictures, results, monkeypatch, capsys, changed, code, words
):
    arguments = small_arguments(pictures, results)
    if changed[0] in ("--model", "--loss", "--dataset", "--metric", "--patch"):
        arguments[arguments.index(changed[0]) + 1] = changed[1]
    else:
        arguments += changed
    if changed[0] == "--epochs" or changed[:1] == ["--steps"]:
        arguments += changed[2:]
    assert srbench(arguments, monkeypatch) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    message = " ".join(captured.err.split())
    assert " ".join(words.split()) in message
    assert "Traceback" not in message
    left = [path.name for path in results.iterdir()] if results.exists() else []
    assert all(name.startswith("bicubic") for name in left)


def text_named_png(path):
    path.with_suffix(".png").write_text("no picture at all")


def truncated_jpeg(path):
    file = path.with_suffix(".jpg")
    Image.fromarray(data.chelsea()[:100, :100]).save(file)
    file.write_bytes(file.read_bytes()[:2000])


def small_picture(path):
    Image.fromarray(data.chelsea()[:10, :12]).save(path.with_suffix(".png"))


@pytest.mark.parametrize("half", ["train", "val", "test"])
@pytest.mark.parametrize(
    ("spoil", "words"), [(text_named_png, "odd.png"), (truncated_jpeg, "odd.jpg"), (small_picture, "odd")]
)
def test_a_spoilt_picture_is_named(pictures, results, monkeypatch, capsys, half, spoil, words):
    spoil(pictures / half / "odd")
    small = spoil is small_picture
    code = srbench(small_arguments(pictures, results), monkeypatch)
    err = " ".join(capsys.readouterr().err.split())
    if small and half != "train":
        assert code == 0  # smaller than a training patch, but a picture like any other to score
        return
    assert code == (2 if small else 1)
    assert words in err
    assert "Traceback" not in err
    assert not [path for path in results.glob("lapsrn*") if not (path / "run.json").exists()]


@pytest.mark.parametrize("half", ["train", "test"])
def test_an_empty_folder_is_named(pictures, results, monkeypatch, capsys, half):
    for path in (pictures / half).iterdir():
        path.unlink()
    assert srbench(small_arguments(pictures, results), monkeypatch) == 2
    assert str(pictures / half) in capsys.readouterr().err.replace("\n", "")
    assert not results.exists()


def odd_but_legitimate(folder):
    """CMYK, palette, 16-bit, alpha and EXIF rotation, each a crop of one photograph."""
    cat = Image.fromarray(data.chelsea()[100:164, 100:164])
    cat.convert("CMYK").save(folder / "cmyk.jpg")
    cat.quantize(64).save(folder / "palette.png")
    Image.fromarray(np.asarray(cat.convert("L"), dtype=np.uint16) * 257).save(folder / "sixteen.png")
    cat.convert("RGBA").save(folder / "alpha.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    cat.crop((0, 0, 64, 48)).save(folder / "rotated.jpg", exif=exif)


def test_odd_kinds_of_pictures_are_taken(pictures, results, monkeypatch):
    odd_but_legitimate(pictures / "train")
    odd_but_legitimate(pictures / "test")
    assert srbench(small_arguments(pictures, results), monkeypatch) == 0


def test_a_results_folder_that_is_a_file_is_named(pictures, results, monkeypatch, capsys):
    results.write_text("not a folder")
    assert srbench(small_arguments(pictures, results), monkeypatch) == 1
    assert f"{results}" in capsys.readouterr().err
    assert results.read_text() == "not a folder"


def test_a_loss_turned_nan_is_reported_and_recorded(pictures, results, monkeypatch, capsys):
    arguments = small_arguments(pictures, results, "--lr", "1e12", "--ema", "0", "--steps", "50")
    arguments[arguments.index("charbonnier")] = "l2"
    assert srbench(arguments, monkeypatch) == 1
    assert "A learning rate of 1e+12 is the likely cause" in capsys.readouterr().err
    assert srbench(["runs", "--json", "--results", str(results)], monkeypatch) == 0
    statuses = {run["run"].split("-")[0]: run["status"] for run in json.loads(capsys.readouterr().out)}
    assert statuses == {"bicubic": "done", "lapsrn": "failed"}


def test_plugins_lists_every_component(monkeypatch, capsys):
    assert srbench(["plugins"], monkeypatch) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["model", "lapsrn", "srbench-harness"] in [line[:3] for line in lines]
    assert {line[0] for line in lines[1:]} >= {"model", "loss", "dataset", "metric", "degradation"}


def test_options_are_frozen():
    """Each new option is a decision: whether it changes results (then it enters the run id) or not."""
    import typer.main

    from srbench.cli.app import app

    group = typer.main.get_command(app)
    commands = {name: group.get_command(None, name) for name in group.list_commands(None)}
    options = {
        name: sorted(
            option for parameter in one.params for option in parameter.opts if option.startswith("--")
        )
        for name, one in commands.items()
    }
    assert " ".join(options["run"]) == (
        "--batch --border --channels --clip --dataset --degradation --determinism --device --dry-run --ema "
        "--epochs --eval-every --executor --fork --fork-optimizer --grey --init --jobs --loss "
        "--lpips-weights --lr --max-time --metric --model --only --optimizer --overlap --patch "
        "--patience --precision --processes --recipe --rerun --results --save-every --save-images "
        "--scale --schedule --seed --self-ensemble --steps --test --tile"
    )
    assert " ".join(options["eval"]) == (
        "--allow-missing --border --channels --degradation --device --grey --lpips-weights --metric --model "
        "--name --overlap --pictures --results --save-images --scale --self-ensemble --test --tile --weights"
    )
    assert " ".join(options["probe"]) == (
        "--channels --degradation --device --format --loss --lpips-weights --model --patches --png --results "
        "--scale --test"
    )
    assert " ".join(options["upscale"]) == (
        "--device --output --overlap --overwrite --results --self-ensemble --step --tile"
    )
    for one in commands.values():
        for parameter in one.params:
            assert getattr(parameter, "help", None), f"{one.name} {parameter.opts} has no help"


@pytest.mark.parametrize(
    "wrong",
    [
        ["--lr", "nan"], ["--lr", "inf"], ["--clip", "inf"], ["--epochs", "inf"], ["--loss", "1e999*l1"],
        ["--schedule", "step:every=0"], ["--schedule", "step:every=nan"], ["--schedule", "cosine:steps=0"],
        ["--optimizer", "adam:beta1=2"], ["--optimizer", "sgd:momentum=-1"],
    ],
)  # fmt: skip
def test_numbers_that_are_none_are_wrong_usage(pictures, results, monkeypatch, capsys, wrong):
    arguments = small_arguments(pictures, results, *wrong)
    if wrong[0] == "--epochs":
        del arguments[arguments.index("--steps") : arguments.index("--steps") + 2]
    assert srbench(arguments, monkeypatch) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not results.exists()


def test_a_bad_new_test_set_leaves_a_finished_run_finished(pictures, results, monkeypatch, capsys):
    srbench(small_arguments(pictures, results), monkeypatch)
    text_named_png(pictures / "val" / "odd")
    test = f"folder:test={pictures / 'val'}"
    (run,) = [path.name for path in results.iterdir() if path.name.startswith("lapsrn")]
    assert (
        srbench(["eval", run, "--test", test, "--metric", "psnr", "--results", str(results)], monkeypatch)
        == 1
    )
    (pictures / "other").mkdir()
    text_named_png(pictures / "other" / "odd")
    arguments = small_arguments(pictures, results, "--test", f"folder:test={pictures / 'other'}")
    assert srbench(arguments, monkeypatch) == 1
    assert {json.loads(path.read_text())["status"] for path in results.glob("*/run.json")} == {"done"}


def test_one_test_set_or_metric_named_twice_is_scored_once(pictures, results, monkeypatch):
    test = f"folder:test={pictures / 'test'}"
    arguments = small_arguments(pictures, results, "--test", f"{test},{test}")
    arguments[arguments.index("psnr")] = "psnr,psnr"
    assert srbench(arguments, monkeypatch) == 0
    for path in results.glob("*/summary.json"):
        assert {row["n"] for row in json.loads(path.read_text())["scores"]} == {2}


def test_steps_zero_scores_the_untrained_network(pictures, results, monkeypatch):
    assert srbench(small_arguments(pictures, results, "--steps", "0"), monkeypatch) == 0
    (summary,) = [json.loads(path.read_text()) for path in results.glob("lapsrn*/summary.json")]
    assert {row["step"] for row in summary["scores"]} == {0}
