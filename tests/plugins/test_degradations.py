"""Random degradations: what is drawn, that it belongs to the sample or the picture, and runs with them."""

import hashlib
import io
import json
import math
import subprocess
import sys
import types
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from small import apart_by_two, picture_folder, small_arguments, small_job, srbench, train_whole_and_in_parts

from srbench.api import hookimpl
from srbench.errors import UsageError
from srbench.images.stochastic import of_picture
from srbench.images.tiles import TileStore, read_rgb
from srbench.plan.settings import Budget
from srbench.plugins import Plugin, host
from srbench.prove.hashes import hashes
from srbench.registry import registry
from srbench.store.layout import RunPaths
from srbench.train.sampling import samples
from srbench.train.world import World
from srbench.types import Picture
from srbench_degradations import realesrgan as published
from srbench_degradations.draws import Draws
from srbench_degradations.kernels import gaussian, plateau, sinc
from srbench_degradations.steps import blurred, poisson_noise

CPU = torch.device("cpu")
NAMES = ["classical", "realesrgan"]
FACE = Picture("face", data.astronaut()[40:144, 160:280])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def made(name, **settings):
    component = registry().find("degradation", name)
    return component.make(**component.settings(settings))


def seeds(*numbers):
    return np.array(numbers, dtype=np.uint64)


def degraded(name, hr, scale, *numbers, **settings):
    """`hr` by each seed."""
    return made(name, **settings).function(hr.expand(len(numbers), -1, -1, -1), scale, seeds=seeds(*numbers))


# What is drawn


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", NAMES)
def test_lr_has_its_size_and_8_bits(name, scale):
    hr = read_rgb(FACE, scale)[..., : 13 * scale, : 22 * scale]
    lr = degraded(name, hr, scale, *range(12))
    assert lr.shape == (12, 3, 13, 22)
    assert lr.dtype == hr.dtype
    assert 0 <= float(lr.min()) < float(lr.max()) <= 1
    torch.testing.assert_close(lr * 255, (lr * 255).round(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("resize", ["bicubic", "area", "direct"])
@pytest.mark.parametrize("kernel", ["gaussian", "aniso"])
def test_blur_and_resize_keep_a_constant_picture(kernel, resize):
    hr = torch.full((1, 3, 24, 32), 100 / 255)
    lr = degraded("classical", hr, 4, 1, 2, kernel=kernel, resize=resize, order="blur-down")
    torch.testing.assert_close(lr, torch.full((2, 3, 6, 8), 100 / 255), rtol=0, atol=1e-6)


def test_kernels_sum_to_one_and_are_as_wide_as_they_say():
    shapes = [gaussian(41, 3, 1, 0.4), gaussian(21, 2, 2, 0, 0.7), plateau(21, 2, 1, 1, 1.5), sinc(21, 1.5)]
    for kernel in shapes:
        assert kernel.sum() == pytest.approx(1)
        np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-15)
    axis = np.arange(41) - 20
    (xx, xy), (yx, yy) = (
        [(shapes[0] * a * b).sum() for b in (axis[None, :], axis[:, None])]
        for a in (axis[None, :], axis[:, None])
    )
    cos, sin = math.cos(0.4), math.sin(0.4)
    assert xx == pytest.approx(9 * cos**2 + sin**2, rel=1e-6)
    assert yy == pytest.approx(9 * sin**2 + cos**2, rel=1e-6)
    assert xy == yx == pytest.approx(8 * sin * cos, rel=1e-6)


def test_a_sinc_filter_lets_through_what_is_below_its_cutoff():
    response = np.abs(np.fft.fft(sinc(21, math.pi / 2).sum(axis=0), 64))[:33]
    assert response[:13].min() > 0.8  # below π/2, which is number 16
    assert response[20:].max() < 0.1


def test_blurring_is_convolution_with_mirrored_edges():
    x, kernel = torch.rand(1, 3, 9, 14, dtype=torch.float64), gaussian(7, 2, 1, 0.5)
    padded = np.pad(x[0].numpy(), ((0, 0), (3, 3), (3, 3)), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7), axis=(1, 2))
    expected = (windows * kernel[::-1, ::-1]).sum(axis=(-2, -1))
    np.testing.assert_allclose(blurred(x, kernel)[0].numpy(), expected, atol=1e-12)


def test_widths_of_kernels_are_drawn_from_their_range():
    """Measured as the variance of what a step of brightness becomes."""
    hr = torch.zeros(1, 3, 4, 120)
    hr[..., 60:] = 1
    lr = degraded(
        "classical", hr, 1, *range(120), order="blur-down", resize="direct", size=41, sigma_min=1, sigma_max=3
    )
    slope = lr[:, 0, 2, 30:90].double().diff(dim=1)
    place = torch.arange(slope.shape[1], dtype=torch.float64)
    mean = (slope * place).sum(dim=1, keepdim=True)
    sigma = (slope * (place - mean) ** 2).sum(dim=1).sqrt()
    assert 0.95 < float(sigma.min()) < 1.2
    assert 2.8 < float(sigma.max()) < 3.05
    assert float(sigma.mean()) == pytest.approx(2, abs=0.2)


def test_noise_is_as_strong_as_asked_for():
    hr = torch.full((1, 3, 200, 200), 0.5)
    lr = 255 * degraded("classical", hr, 2, 1, order="down-noise", noise_min=10, noise_max=10)[0]
    assert float(lr.std()) == pytest.approx(math.sqrt(100 + 1 / 12), rel=0.03)
    assert float(lr.mean()) == pytest.approx(127.5, abs=0.3)
    assert abs(float(torch.corrcoef(lr.flatten(1))[0, 1])) < 0.03
    levels = (
        degraded("classical", hr, 2, *range(60), order="down-noise", noise_max=20).std(dim=(1, 2, 3)) * 255
    )
    assert float(levels.max()) < 21
    assert float(levels.mean()) == pytest.approx(10, abs=2)


@pytest.mark.parametrize("grey", [True, False])
def test_poisson_noise_has_the_variance_of_counted_photons(grey):
    x = (torch.arange(256.0) / 255).expand(1, 3, 400, 256)  # 256 levels: white is 256 photons
    noise = poisson_noise(x, 2.0, torch.Generator().manual_seed(1), grey=grey) - x
    assert float(noise.mean()) == pytest.approx(0, abs=1e-3)
    variance = noise[0, 1].var(dim=0)
    torch.testing.assert_close(variance[64:].mean(), (4 * x[0, 0, 0] / 256)[64:].mean(), rtol=0.05, atol=0)
    assert (float((noise[0, 0] - noise[0, 2]).abs().max()) < 1e-5) == grey


def test_decisions_are_drawn_with_the_published_probabilities():
    draws = Draws(3, 0)
    shapes, shares = list(published.SHAPES), list(published.SHAPES.values())
    assert sum(shares) == pytest.approx(1)
    counted = Counter(draws.one_of(shapes, shares) for _ in range(4000))
    for shape, share in published.SHAPES.items():
        assert counted[shape] / 4000 == pytest.approx(share, abs=0.03)
    factors = [published._factor(draws, published.FIRST) for _ in range(2000)]
    assert 0.15 <= min(factors) < 0.2
    assert 1.4 < max(factors) <= 1.5
    assert sum(one == 1 for one in factors) / 2000 == pytest.approx(0.1, abs=0.03)
    assert sum(one < 1 for one in factors) / 2000 == pytest.approx(0.7, abs=0.04)
    assert Counter(draws.one_of(published.QUALITY) for _ in range(2000)).keys() == set(range(30, 96))


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_jpeg_is_pillow_s(quality):
    file = io.BytesIO()
    Image.fromarray(FACE.hr[::2, ::2]).save(file, "JPEG", quality=quality)
    expected = np.asarray(Image.open(file))
    lr = degraded(
        "classical", read_rgb(FACE, 2), 2, 1,
        order="down-jpeg", resize="direct", jpeg_min=quality, jpeg_max=quality,
    )  # fmt: skip
    np.testing.assert_array_equal((lr[0] * 255).round().byte().permute(1, 2, 0).numpy(), expected)


def test_steps_are_done_in_the_order_typed():
    settings = {"noise_min": 20, "noise_max": 20, "sigma_min": 3, "sigma_max": 3}
    hr = torch.full((1, 3, 80, 80), 0.5)
    before, after = (
        float(degraded("classical", hr, 2, 1, order=order, **settings).std()) * 255
        for order in ("noise-blur-down", "blur-down-noise")
    )
    assert before < 3
    assert after == pytest.approx(20, rel=0.05)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"order": "blur-noise"}, "and down among them, not 'blur-noise'"),
        ({"order": "down-sharpen"}, "blur, down, noise, jpeg"),
        ({"order": "down-down"}, "each once"),
        ({"size": "8"}, "size is odd"),
        ({"sigma_min": "3", "sigma_max": "2"}, "sigma_max no less"),
        ({"noise_max": "inf"}, "noise_max no less and finite, not 0 and inf"),
        ({"noise_min": "-1"}, "noise_min is at least 0"),
        ({"jpeg_max": "101"}, "at most 100"),
        ({"kernel": "box"}, "gaussian, aniso"),
    ],
)
def test_what_cannot_be_is_refused(settings, words):
    with pytest.raises(UsageError, match=words):
        made("classical", **settings)


def test_it_is_refused_before_anything_is_written(pictures):
    with pytest.raises(UsageError, match="'classical' cannot be built: order joins some of"):
        small_job(pictures, degradation="classical:order=blur")


# What it belongs to


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_s_lr_depends_on_it_and_its_seed_alone(name):
    hr = torch.cat([read_rgb(FACE, 4), read_rgb(FACE, 4).flip(-1), read_rgb(FACE, 4).flip(-2)])
    function = made(name).function
    whole = function(hr, 4, seeds=seeds(5, 6, 7))
    assert torch.equal(function(hr[1:2], 4, seeds=seeds(6)), whole[1:2])
    assert torch.equal(function(hr.flip(0), 4, seeds=seeds(7, 6, 5)), whole.flip(0))
    assert not torch.equal(function(hr, 4, seeds=seeds(5, 6, 8))[2], whole[2])
    assert not torch.equal(made(name, seed=1).function(hr, 4, seeds=seeds(5, 6, 7))[0], whole[0])


def batch_of(store, seed, step, size, world=None):
    drawn = samples(seed, seed, step, size, store.slots)
    mine = (world or World()).share(size)
    return store.batch(drawn.slot[mine], drawn.random[mine], drawn.turn[mine], drawn.seeds[mine])


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_s_lr_is_the_same_in_any_batch_and_process(name):
    store = TileStore([FACE], [2, 4], made(name), 32, CPU)
    whole = batch_of(store, 0, 3, 4)
    assert whole.lr.shape == (4, 3, 8, 8)
    assert {scale: hr.shape[-1] for scale, hr in whole.hr.items()} == {2: 16, 4: 32}
    halves = [batch_of(store, 0, 3, 4, World(rank, 2)) for rank in (0, 1)]
    smaller = [batch_of(store, 0, step, 2) for step in (6, 7)]
    for parts in (halves, smaller):
        assert torch.equal(torch.cat([part.lr for part in parts]), whole.lr)
        assert torch.equal(torch.cat([part.hr[2] for part in parts]), whole.hr[2])
    again = TileStore([FACE], [2, 4], made(name), 32, CPU)
    assert torch.equal(batch_of(again, 0, 3, 4).lr, whole.lr)
    assert not torch.equal(batch_of(store, 1, 3, 4).lr, whole.lr)


@pytest.mark.parametrize("turn", [0, 1, 6])
def test_a_patch_with_its_margin_has_the_lr_of_the_whole_picture(turn):
    """Where filters alone are drawn: so the declared margin is wide enough, also at the picture's edges."""
    degradation = made("classical", order="blur-down", kernel="gaussian", sigma_min=1, sigma_max=3)
    store = TileStore([FACE], [4], degradation, 32, CPU)
    hr = read_rgb(FACE, 4)
    for top, left in ((0, 0), (7, 9), (104 // 4 - 8, 120 // 4 - 8)):
        batch = store.batch(np.array([0]), np.array([[top, left]], np.uint64), np.array([turn]), seeds(11))
        whole = degradation.function(hr, 4, seeds=seeds(11))[..., top : top + 8, left : left + 8]
        whole = whole.flip(-2) if turn & 2 else whole
        whole = whole.flip(-1) if turn & 1 else whole
        whole = whole.mT if turn & 4 else whole
        torch.testing.assert_close(batch.lr, whole, rtol=0, atol=1.01 / 255)
        assert float((batch.lr - whole).abs().mean()) < 0.02 / 255  # a tie or two rounded the other way


def test_a_margin_is_a_number_of_whole_lr_pixels():
    assert made("classical").margin(4) == 16
    assert made("classical").margin(3) == 15
    assert made("classical", order="down-blur").margin(3) == 27
    assert made("realesrgan").margin(4) == 52


FROZEN = """
import hashlib, sys, torch
from skimage import data
from srbench.images.stochastic import of_picture
from srbench.images.tiles import read_rgb
from srbench.registry import registry
from srbench.types import Picture
torch.set_num_threads(int(sys.argv[1]))
face = Picture("face", data.astronaut()[40:144, 160:280])
for name in ("classical", "realesrgan"):
    component = registry().find("degradation", name)
    lr = of_picture(component.make(**component.settings({})), face.name)(read_rgb(face, 4), 4)
    print(hashlib.sha256((lr * 255).round().byte().numpy().tobytes()).hexdigest())
"""


def test_the_lr_of_a_named_picture_is_frozen():
    """In any process and with any number of threads; another name or `seed` has another one."""
    elsewhere = subprocess.run(
        [sys.executable, "-c", FROZEN, "3"], capture_output=True, text=True, check=True
    )
    hr = read_rgb(FACE, 4)
    here = []
    for name in NAMES:
        lr = of_picture(made(name), "face")(hr, 4)
        here.append(hashlib.sha256((lr * 255).round().byte().numpy().tobytes()).hexdigest())
        assert not torch.equal(of_picture(made(name), "other")(hr, 4), lr)
        assert not torch.equal(of_picture(made(name, seed=1), "face")(hr, 4), lr)
    assert elsewhere.stdout.split() == here


def test_frozen_sets_stay_what_they_are():
    """Drawn with numpy 2.4 and torch 2.14: a version that draws otherwise moves scores, and must say so."""
    draws = Draws(7, 3)
    assert [draws.uniform(0, 1) for _ in range(3)] == [
        0.4821286018761155,
        0.7241355726248441,
        0.05025403948627161,
    ]
    lr = of_picture(made("classical"), "face")(read_rgb(FACE, 4), 4) * 255
    assert lr[0, :, 13, 10:14].round().int().tolist() == [
        [239, 255, 164, 252],
        [77, 119, 195, 221],
        [92, 121, 153, 126],
    ]


# Runs


@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_is_stopped_anywhere_has_the_bits_of_one_that_is_not(pictures, tmp_path, name):
    job = small_job(pictures, degradation=name, channels=("rgb",))
    train_whole_and_in_parts(job, tmp_path)
    whole, parts = (hashes(tmp_path / half) for half in ("whole", "parts"))
    assert whole == parts


@pytest.fixture
def lr_mean():
    """A metric that says what LR is."""

    @hookimpl
    def register_metrics(register):
        register("lr_mean", lambda sr, lr: lr.double().mean(dim=(2, 3)), better="neither")

    plugin = types.ModuleType("lr_mean")
    plugin.register_metrics = register_metrics
    host().add(plugin, Plugin("lr_mean", "lr-mean-dist", "1.0"))
    registry.cache_clear()
    yield
    host().manager.unregister(plugin)
    registry.cache_clear()


def test_seeds_of_a_run_train_on_other_lr_and_are_scored_on_the_same(
    pictures, tmp_path, monkeypatch, capsys, lr_mean
):
    """From the command line: run, eval and table; bicubic is scored on that LR too."""
    results = tmp_path / "results"
    text = "classical:order=blur-down-noise-jpeg,noise_max=25"
    line = small_arguments(pictures, results, "--channels", "rgb", "--degradation", text, "--eval-every", "3")
    for seed in ("0", "1"):  # one at a time: processes of their own would not know the metric of this test
        assert srbench([*line, "--seed", seed, "--metric", "psnr,lr_mean"], monkeypatch) == 0
    runs = [RunPaths(path) for path in sorted(results.glob("*-*"))]
    assert len(runs) == 3
    histories = [json.loads(run.history.read_text().splitlines()[0]) for run in runs if run.history.exists()]
    assert len({history["loss"]["rgb"] for history in histories}) == 2

    summaries = [json.loads(run.summary.read_text()) for run in runs]
    lr = [
        {
            row["plane"]: row["mean"]
            for row in one["scores"]
            if row["metric"] == "lr_mean" and row["scale"] == 4
        }
        for one in summaries
    ]
    assert lr[0] == lr[1] == lr[2]
    assert set(lr[0]) == {"r", "g", "b", "y"}
    canonical = (
        "classical:kernel=gaussian,sigma_min=0.2,sigma_max=none,size=15,resize=bicubic,noise_min=0.0,"
        "noise_max=25.0,jpeg_min=30,jpeg_max=95,order=blur-down-noise-jpeg,seed=0"
    )
    assert {p["degradation"] for one in summaries for p in one["protocols"].values()} == {canonical}

    capsys.readouterr()
    assert srbench(["table", "--results", str(results), "--format", "csv"], monkeypatch) == 0
    assert len(capsys.readouterr().out.splitlines()) > 3
    id_ = next(run.id for run in runs if run.history.exists())
    assert srbench(["eval", id_, "--results", str(results), "--metric", "psnr,ssim"], monkeypatch) == 0
    scored = json.loads(RunPaths(results / id_).summary.read_text())["scores"]
    assert any(row["metric"].startswith("ssim") for row in scored)


def test_a_run_of_one_plane_says_why_sr_is_not_degraded_as_lr_was(pictures, tmp_path, monkeypatch, capsys):
    line = small_arguments(
        pictures, tmp_path, "--channels", "r", "--degradation", "realesrgan", "--metric", "lr_consistency"
    )
    assert srbench(line, monkeypatch) == 0
    capsys.readouterr()
    assert srbench(["table", "--results", str(tmp_path)], monkeypatch) == 0
    assert "cannot be drawn for one plane of them" in " ".join(capsys.readouterr().out.split())


def test_two_processes_draw_what_one_draws(pictures, tmp_path):
    job = small_job(pictures, channels=("y",), degradation="classical", budget=Budget(steps=2))
    assert apart_by_two(job, tmp_path) < 1e-5
