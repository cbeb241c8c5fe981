"""srbench in Python: the same runs as on the command line, data frames, and a module that predicts."""

import subprocess
import sys
import typing

import numpy as np
import pytest
import torch
import typer.main
from skimage import data
from small import MODEL, dataset_text, picture_folder, small_arguments
from small import srbench as command_line

import srbench
from srbench.errors import CheckpointError, DatasetError, SrbenchError, StoppedError, UsageError, most_urgent
from srbench.python.options import RunOptions
from srbench.store.runs import list_runs


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A folder with pictures/ and results/, and in those a run of three networks made by `srbench.run`."""
    root = tmp_path_factory.mktemp("python")
    picture_folder(root / "pictures")
    srbench.run(
        model=MODEL, loss="charbonnier", dataset=dataset_text(root / "pictures"), batch=4, patch=16, steps=6,
        precision="fp32", metric=["psnr", "ssim"], eval_every=3, results=root / "results",
    )  # fmt: skip
    return root


@pytest.fixture
def run(store):
    return srbench.load_run("lapsrn", results=store / "results")


def test_a_run_is_that_of_the_command_line(store, monkeypatch, capsys):
    assert command_line(small_arguments(store / "pictures", store / "results"), monkeypatch) == 0
    assert "Nothing to do" in capsys.readouterr().err
    assert {one.record.status for one in list_runs(store / "results")[0]} == {"done"}


def test_run_gives_the_runs_and_says_nothing_is_left_to_do_by_giving_them_again(store):
    again = srbench.run(
        model=[MODEL], loss=["charbonnier"], dataset=dataset_text(store / "pictures"), batch=4, patch=16,
        steps=6, precision="fp32", metric="psnr", results=str(store / "results"), seed=[0], scale=4,
    )  # fmt: skip
    assert [one.id.split("-")[0] for one in again] == ["bicubic", "lapsrn"]
    assert again[1].step == 6
    assert again[1].status == "done"
    assert again[1].spec.model.params["features"] == 4


def test_history_and_scores_are_data_frames(run):
    history = run.history()
    assert list(history["step"]) == [3, 6]
    assert {"loss.r", "psnr.4.g", "psnr.2.b", "detail.4.r"} <= set(history.columns)
    scores = run.scores()
    assert set(scores["metric"]) == {"psnr", "ssim"}
    assert scores.groupby(["metric", "scale", "plane"]).size().eq(2).all()


def test_the_table_is_a_data_frame_of_the_means(store, run):
    table = srbench.table(store / "results", metric="psnr")
    assert set(table["model"]) == {"bicubic", "lapsrn"}
    assert set(table["metric"]) == {"psnr"}
    mean = run.scores().query("metric == 'psnr' and scale == 4 and plane == 'y'")["value"].mean()
    row = table.query("model == 'lapsrn' and scale == 4 and plane == 'y'")
    assert row["value"].item() == pytest.approx(mean)
    with pytest.raises(UsageError, match="There is no store at"):
        srbench.table(store / "nowhere")


def test_the_model_predicts_what_was_scored(store, run):
    """PSNR of red, computed from the module's pictures, is the stored score."""
    from srbench.api import Picture
    from srbench.images.png import read_picture, to_tensor
    from srbench.images.resize import bicubic
    from srbench.metrics.protocol import prepare
    from srbench.metrics.psnr import psnr

    model = run.model(device="cpu")
    assert isinstance(model, torch.nn.Module)
    assert not model.training
    assert model.step == 6
    hr = to_tensor(read_picture(Picture("face", store / "pictures" / "test" / "face.png")))
    hr = hr[..., : hr.shape[-2] // 4 * 4, : hr.shape[-1] // 4 * 4]
    lr = bicubic()(hr, 4).float()
    sr = model(lr)
    assert sr.shape == hr.shape
    assert not sr.requires_grad
    value = psnr(*prepare(sr, hr, ("r",), 4)).item()
    stored = run.scores().query("metric == 'psnr' and scale == 4 and plane == 'r' and image == 'face'")
    assert value == pytest.approx(stored["value"].item(), abs=1e-4)
    assert set(model.predict(lr)) == {2, 4}


def test_upscale_takes_pictures_and_gives_pictures(run, store):
    picture = data.chelsea()[:20, :30]
    large = run.upscale(picture)
    assert large.shape == (80, 120, 3)
    assert large.dtype == np.uint8
    np.testing.assert_array_equal(run.upscale(picture.astype(np.float64) / 255), large)
    grey = run.upscale(picture[..., 0])
    assert grey.shape == (80, 120)
    with_alpha = np.dstack([picture, np.full((20, 30), 255, np.uint8)])
    np.testing.assert_array_equal(
        run.upscale(with_alpha), np.dstack([large, np.full((80, 120), 255, np.uint8)])
    )
    deep = run.upscale(picture.astype(np.uint16) * 257)
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - large).max() <= 0.5 + 1e-3
    np.testing.assert_array_equal(run.upscale(picture, tile=16, overlap=8).shape, large.shape)
    with pytest.raises(UsageError, match="a tile of 8 pixels is too small"):
        run.upscale(picture, tile=8)
    baseline = srbench.load_run("bicubic", results=store / "results").upscale(picture)
    assert baseline.shape == large.shape
    assert np.abs(baseline.astype(float) - picture.repeat(4, 0).repeat(4, 1)).mean() < 12
    for wrong in (picture[None], picture[..., :2], picture.astype(np.int32)):
        with pytest.raises(UsageError, match="A picture to upscale is"):
            run.upscale(wrong)


def test_errors_are_those_of_the_command_line(store):
    with pytest.raises(UsageError, match="No model named 'lapsm'. Did you mean 'lapsrn'?"):
        srbench.run(model="lapsm", results=store / "other")
    with pytest.raises(UsageError, match="srbench run has no option 'modle'. Did you mean 'model'?"):
        srbench.run(modle="lapsrn")
    with pytest.raises(UsageError, match="--batch cannot be 'many'"):
        srbench.run(model="lapsrn", batch="many")
    with pytest.raises(UsageError, match="No run in .* starts with 'edsr'"):
        srbench.load_run("edsr", results=store / "results")
    assert not (store / "other").exists()


def test_a_run_that_fails_raises_its_error_after_the_others_have_gone_on(store, tmp_path):
    with pytest.raises(SrbenchError, match="learning rate of 1e\\+12 is the likely cause"):
        srbench.run(
            model=MODEL, loss="l2", dataset=dataset_text(store / "pictures"), batch=4, patch=16, steps=50,
            lr=1e12, ema=0, precision="fp32", metric="psnr", results=tmp_path,
        )  # fmt: skip
    failed = srbench.load_run("lapsrn", results=tmp_path)
    assert failed.status == "failed"
    with pytest.raises(CheckpointError):
        failed.model()
    assert failed.scores().empty


def test_of_several_errors_the_most_urgent_is_told_a_plugin_s_own_too():
    class CameraError(SrbenchError):
        exit_code = 3

    failed, wrong, stopped = CameraError(), DatasetError(), StoppedError()
    assert most_urgent([failed, stopped, wrong]) is wrong
    assert most_urgent([failed, stopped]) is stopped
    assert most_urgent([failed]) is failed
    assert most_urgent([]) is None


def test_a_suite_is_run_and_shown(store, tmp_path):
    suite = tmp_path / "suite.toml"
    folder = store / "pictures"
    suite.write_text(
        f'[axes]\nmodel = "{MODEL}"\nloss = "l1"\nchannels = "y"\n'
        f'dataset = "folder:train={folder}/train,test={folder}/test"\n'
        '[settings]\nsteps = 4\nbatch = 4\npatch = 16\n[scoring]\nmetric = "psnr"\n'
    )
    runs = srbench.run(suite, steps=3, results=store / "results")
    assert runs[1].step == 3
    assert set(srbench.table(store / "results", suite=suite)["run"]) == {one.id for one in runs}


def test_the_options_in_python_are_those_of_srbench_run():
    from srbench.cli.app import app

    command = typer.main.get_command(app).get_command(None, "run")
    typed = {one.name for one in command.params} - {"help", "dry_run", "suite"}
    assert set(typing.get_type_hints(RunOptions)) == typed


@pytest.mark.parametrize("how", ["", "jobs=2", "processes=2"])
def test_a_plain_script_runs_whatever_processes_are_started(store, tmp_path, how):
    """It calls at its top, without the guard that Python's processes ask for; each line is run once."""
    script = tmp_path / "script.py"
    script.write_text(
        "import srbench\nprint('once')\n"
        f"runs = srbench.run(model={MODEL!r}, loss='l1,l2', channels='y', batch=4, patch=16, steps=3, "
        f"dataset={dataset_text(store / 'pictures')!r}, metric='psnr', precision='fp32', "
        f"results={str(tmp_path / 'results')!r}, {how})\n"
        "print(*[run.status for run in runs])\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.stdout == "once\ndone done done\n", done.stderr


def test_importing_srbench_loads_neither_torch_nor_pandas_and_knows_its_names():
    script = (
        "import sys, srbench; srbench.__version__; "
        "assert not {'torch', 'pandas', 'pydantic'} & set(sys.modules); "
        "print(callable(srbench.run), callable(srbench.table), callable(srbench.load_run))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "True True True\n", done.stderr
    with pytest.raises(AttributeError, match="no attribute 'tabel'"):
        srbench.tabel  # noqa: B018
