"""Numbers made with scikit-image, Pillow, SciPy and numpy alone are each explained by how they were made."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from skimage import color, metrics
from small import MODEL, picture_folder, small_job, small_request

from srbench.datasets import build_dataset
from srbench.errors import DatasetError, StoppedError, UsageError
from srbench.evaluate.scoring import Scoring, resolve_metrics
from srbench.evaluate.upscalers import network_upscaler_of
from srbench.executors.local import Settings, execute
from srbench.explain import Number, explain
from srbench.explain.sources import FolderSource, RunSource
from srbench.foreign.jobs import weights_jobs
from srbench.inference import Inference
from srbench.metrics.backbones import set_weights_dir
from srbench.plan import plan
from srbench.spec import RunSpec
from srbench.store.runs import find_run
from srbench.train.loop import Cadence
from srbench.train.stop import Stop

CPU = torch.device("cpu")


# --- other people's code: nothing below this line and above the next is srbench's


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def keys_kernel(x, a):
    x = abs(x)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    return np.where(x <= 1, near, np.where(x < 2, a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a, 0))


def resize_axis(x, size, a, antialias, edge):
    """Along the first axis, pixel by pixel."""
    n = len(x)
    stretch = min(size / n, 1) if antialias else 1
    rows = []
    for at in (np.arange(size) + 0.5) * n / size - 0.5:
        taps = np.arange(int(np.floor(at - 2 / stretch)), int(np.ceil(at + 2 / stretch)) + 1)
        weights = keys_kernel(stretch * (taps - at), a)
        mirrored = taps % (2 * n)
        mirrored = np.where(mirrored < n, mirrored, 2 * n - 1 - mirrored)
        there = mirrored if edge == "mirror" else np.clip(taps, 0, n - 1)
        rows.append(np.tensordot(weights / weights.sum(), x[there], axes=1))
    return np.array(rows)


def resize(x, height, width, *, a=-0.5, antialias=True, edge="mirror"):
    """Levels (H, W, C) → levels, unrounded: MATLAB's imresize by default."""
    down = resize_axis(x.astype(float), height, a, antialias, edge)
    return resize_axis(down.swapaxes(0, 1), width, a, antialias, edge).swapaxes(0, 1)


def to_8_bits(x):
    return np.floor(np.clip(x, 0, 255) + 0.5)


def cut(x, border):
    return x[border : len(x) - border, border : x.shape[1] - border]


def studio(rgb):
    return color.rgb2ycbcr(rgb / 255)[..., 0]


def full(rgb):
    return rgb @ np.array([0.299, 0.587, 0.114])


def psnr(sr, hr, border, luma=lambda x: x):
    return metrics.peak_signal_noise_ratio(cut(luma(hr), border), cut(luma(sr), border), data_range=255)


def ssim(sr, hr, border, luma=lambda x: x, **options):
    return metrics.structural_similarity(
        cut(luma(hr), border), cut(luma(sr), border), data_range=255, **options
    )


GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def filtered_ssim(sr, hr, border, mode):
    """SSIM everywhere with SciPy's Gaussian under an edge rule: `nearest`, or `constant` for zeros."""
    x, y = cut(studio(sr), border), cut(studio(hr), border)

    def blur(z):
        return ndimage.gaussian_filter(z, 1.5, truncate=3.5, mode=mode)

    mx, my = blur(x), blur(y)
    vx, vy, cxy = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return (((2 * mx * my + c1) * (2 * cxy + c2)) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean()


def pillow_sr(hr, scale):
    """LR and SR by Pillow, as a script of a few lines would make them."""
    image = Image.fromarray(hr)
    small = image.resize((image.width // scale, image.height // scale), Image.Resampling.BICUBIC)
    return np.asarray(small.resize(image.size, Image.Resampling.BICUBIC))


# --- srbench again


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """HR pictures in colour and in grey, and SR of both by Pillow at ×2."""
    root = tmp_path_factory.mktemp("pictures")
    for kind, colour in (("colour", True), ("grey", False)):
        picture_folder(root / kind, colour=colour)
        for path in (root / kind / "test").glob("*.png"):
            sr = pillow_sr(read(path), 2)
            if not colour:  # a network on RGB gives three planes that are not quite alike
                sr = np.stack([sr, np.clip(sr.astype(int) + 2, 0, 255).astype(np.uint8), sr], axis=-1)
            target = root / kind / "sr" / path.name
            target.parent.mkdir(exist_ok=True)
            Image.fromarray(sr).save(target)
    return root


@pytest.fixture(scope="module")
def results(root, tmp_path_factory) -> Path:
    """Bicubic at ×2 and ×4, and a LapSRN of six steps."""
    folder = tmp_path_factory.mktemp("results")
    jobs = [*plan(small_request(root / "colour", models=("bicubic",), scales=(2, 4)))]
    jobs.append(small_job(root / "colour"))
    execute(jobs, folder, Settings(CPU, "exact", Cadence(), Scoring((), {}), quiet=True), Stop())
    return folder


def hr_set(root, kind="colour"):
    return build_dataset(f"folder:test={root / kind / 'test'}").test


def pairs(root, kind="colour"):
    """SR of the folder and HR, as levels."""
    for path in sorted((root / kind / "test").glob("*.png")):
        yield read(root / kind / "sr" / path.name).astype(float), read(path).astype(float)


def originals(root):
    return [read(path).astype(float) for path in sorted((root / "colour" / "test").glob("*.png"))]


def explained(source, **typed):
    numbers = [Number.parse(metric, text) for metric, text in typed.items()]
    return explain(source, numbers, lambda: None, quiet=True)


def in_folder(root, kind="colour", **typed):
    return explained(FolderSource(root / kind / "sr", hr_set(root, kind), 2), **typed)


def of_run(root, results, prefix, scale=None, **typed):
    return explained(RunSource(find_run(results, prefix), hr_set(root), scale, CPU), **typed)


def assert_explains(found, expected):
    """The protocol is among those that explain the number, and first where the digits leave no doubt."""
    assert found.explaining, found.candidates[0]
    hits = [one for one in found.explaining if expected.items() <= dict(one.labels).items()]
    assert hits, [one.labels for one in found.explaining]
    assert len(found.explaining) <= 3
    if len(found.explaining) == 1:
        assert found.candidates[0] is hits[0]


STUDIO, FULL = "luma in studio range", "luma in full range"

PSNRS = {
    "scikit-image's rgb2ycbcr": (
        lambda sr, hr: psnr(sr, hr, 2, studio),
        {"plane": STUDIO, "border": "border = scale"},
    ),
    "the same, rounded": (
        lambda sr, hr: psnr(sr, hr, 2, lambda x: to_8_bits(studio(x))),
        {"plane": f"{STUDIO} rounded to 8 bits (MATLAB on uint8)", "border": "border = scale"},
    ),
    "full range by hand, nothing cropped": (
        lambda sr, hr: psnr(sr, hr, 0, full),
        {"plane": FULL, "border": "no border"},
    ),
    "Pillow's convert('L')": (
        lambda sr, hr: psnr(
            sr, hr, 2, lambda x: np.asarray(Image.fromarray(x.astype(np.uint8)).convert("L"), dtype=float)
        ),
        {"plane": f"{FULL} rounded to 8 bits (Pillow, OpenCV)", "border": "border = scale"},
    ),
    "scikit-image's rgb2gray, scale + 6 cropped": (
        lambda sr, hr: psnr(sr, hr, 8, lambda x: 255 * color.rgb2gray(x / 255)),
        {"plane": "luma by BT.709 (scikit-image's rgb2gray)", "border": "border = scale + 6"},
    ),
    "scikit-image on RGB as it comes": (
        lambda sr, hr: psnr(sr, hr, 0),
        {"plane": "RGB", "border": "no border"},
    ),
    "mean of three planes": (
        lambda sr, hr: np.mean([psnr(sr[..., c], hr[..., c], 2) for c in range(3)]),
        {"plane": "RGB, the mean of three PSNRs", "border": "border = scale"},
    ),
    "green": (
        lambda sr, hr: psnr(sr[..., 1], hr[..., 1], 8),
        {"plane": "plane g", "border": "border = scale + 6"},
    ),
}


@pytest.mark.parametrize("name", PSNRS)
def test_psnr_of_a_folder(root, name):
    score, expected = PSNRS[name]
    value = np.mean([score(sr, hr) for sr, hr in pairs(root)])
    found = in_folder(root, psnr=f"{value:.4f}")
    assert_explains(found, {"scale": "×2", **expected})
    coarse = in_folder(root, psnr=f"{value:.2f}")
    assert any(expected.items() <= dict(one.labels).items() for one in coarse.explaining)


SSIMS = {
    "scikit-image with a Gaussian window": (
        lambda sr, hr: ssim(sr, hr, 2, studio, **GAUSSIAN),
        {"plane": STUDIO, "border": "border = scale", "window": "SSIM where the Gaussian window fits inside"},
    ),
    "scikit-image's defaults on RGB": (
        lambda sr, hr: ssim(sr, hr, 0, channel_axis=-1),
        {
            "plane": "RGB",
            "border": "no border",
            "window": "SSIM with a uniform 7×7 window (scikit-image's default)",
        },
    ),
    "edges repeated": (
        lambda sr, hr: filtered_ssim(sr, hr, 2, "nearest"),
        {"plane": STUDIO, "border": "border = scale", "window": "SSIM with edges repeated (MATLAB)"},
    ),
    "zeros around the picture": (
        lambda sr, hr: filtered_ssim(sr, hr, 0, "constant"),
        {
            "plane": STUDIO,
            "border": "no border",
            "window": "SSIM with zeros around the picture (PyTorch code)",
        },
    ),
}


@pytest.mark.parametrize("name", SSIMS)
def test_ssim_of_a_folder(root, name):
    score, expected = SSIMS[name]
    value = np.mean([score(sr, hr) for sr, hr in pairs(root)])
    assert_explains(in_folder(root, ssim=f"{value:.5f}"), expected)


def test_two_numbers_must_come_from_one_protocol(root):
    """With the digits of a paper each alone has several explanations; together they have one."""
    sr_hr = list(pairs(root))
    of_psnr = f"{np.mean([psnr(sr, hr, 2, full) for sr, hr in sr_hr]):.2f}"
    of_ssim = f"{np.mean([ssim(sr, hr, 2, full, **GAUSSIAN) for sr, hr in sr_hr]):.4f}"
    together = in_folder(root, psnr=of_psnr, ssim=of_ssim)
    assert_explains(together, {"plane": FULL, "border": "border = scale"})
    assert len(together.explaining) < len(in_folder(root, psnr=of_psnr).explaining)
    assert together.within["psnr"] < together.tried["psnr"]
    assert together.tried["ssim"] == 4 * together.within["psnr"]  # SSIM is scored only where PSNR agrees


def test_grey_files_kept_as_they_are(root):
    """Pillow's `L` of SR against the grey file itself."""
    values = [
        psnr(np.asarray(Image.fromarray(sr.astype(np.uint8)).convert("L"), dtype=float), hr, 2)
        for sr, hr in pairs(root, "grey")
    ]
    found = in_folder(root, "grey", psnr=f"{np.mean(values):.4f}")
    kept = [
        one for one in found.explaining if one.labels["plane"] == f"{STUDIO}, grey files kept as they are"
    ]
    assert kept
    assert {one.labels["border"] for one in found.explaining} == {"border = scale"}


def test_grey_files_as_rgb(root):
    values = [psnr(studio(sr), studio(np.stack([hr] * 3, axis=-1)), 2) for sr, hr in pairs(root, "grey")]
    found = in_folder(root, "grey", psnr=f"{np.mean(values):.4f}")
    assert_explains(found, {"plane": STUDIO, "border": "border = scale"})


@pytest.mark.filterwarnings("ignore::UserWarning:torchvision.*")
@pytest.mark.parametrize("fed", ["fed in [−1, 1]", "fed in [0, 1] where [−1, 1] is due"])
def test_lpips_by_the_package_itself(root, assets, fed):
    """`lpips.LPIPS` with the backbone of torchvision's names, called as its README does, and the usual way to
    forget the range."""
    import lpips as package
    from safetensors.torch import load_file

    network = package.LPIPS(net="squeeze", pnet_rand=True, verbose=False).eval()
    weights = load_file(assets / "weights" / "lpips" / "squeezenet1_1-features.safetensors")
    backbone = network.net.state_dict()
    with torch.no_grad():
        for key in backbone:
            _, number, *rest = key.split(".")
            backbone[key].copy_(weights[".".join(["features", number, *rest])])
    values = []
    for sr, hr in pairs(root):
        x, y = (torch.from_numpy(z / 255).permute(2, 0, 1)[None].float() for z in (sr, hr))
        with torch.no_grad():
            values.append(float(network(x, y, normalize=fed == "fed in [−1, 1]")))
    set_weights_dir(assets / "weights")
    try:
        found = in_folder(root, lpips=f"{np.mean(values):.5f}")
    finally:
        set_weights_dir(None)
    assert_explains(found, {"net": "LPIPS (squeeze)", "range": fed, "LPIPS border": "no border"})
    assert any("LPIPS (vgg) cannot be computed" in note for note in found.notes)


# --- runs: how LR was made, which output, how SR was made


def matlab(hr, scale):
    return resize(hr, len(hr) // scale, hr.shape[1] // scale)


def opencv(hr, scale):
    return resize(hr, len(hr) // scale, hr.shape[1] // scale, a=-0.75, antialias=False, edge="clamp")


def by_pillow(hr, scale):
    image = Image.fromarray(hr.astype(np.uint8))
    size = image.width // scale, image.height // scale
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC)).astype(float)


DEGRADATIONS = {
    "LR by MATLAB's bicubic, rounded": lambda hr, scale: to_8_bits(matlab(hr, scale)),
    "LR by MATLAB's bicubic, not rounded": matlab,
    "LR by bicubic without antialiasing, a = −0.5, rounded": lambda hr, scale: to_8_bits(
        resize(hr, len(hr) // scale, hr.shape[1] // scale, antialias=False)
    ),
    "LR by bicubic without antialiasing, a = −0.75, rounded (OpenCV)": lambda hr, scale: to_8_bits(
        opencv(hr, scale)
    ),
    "LR by bicubic without antialiasing, a = −0.75, not rounded (PyTorch)": opencv,
    "LR by Pillow's bicubic": by_pillow,
}


@pytest.mark.parametrize("label", DEGRADATIONS)
def test_lr_of_another_toolbox(root, results, label):
    values = []
    for hr in originals(root):
        sr = to_8_bits(resize(DEGRADATIONS[label](hr, 2), *hr.shape[:2]))
        values.append(psnr(sr, hr, 2, studio))
    # Three digits: networks take LR in float32, so that half levels of SR may fall to the other side.
    found = of_run(root, results, "bicubic-x2", psnr=f"{np.mean(values):.3f}")
    assert_explains(found, {"scale": "×2", "LR": label, "rounding": "SR rounded to 8 bits", "plane": STUDIO})


def test_sr_that_was_not_rounded(root, results):
    values = [
        psnr(np.clip(resize(to_8_bits(matlab(hr, 2)), *hr.shape[:2]), 0, 255), hr, 0)
        for hr in originals(root)
    ]
    found = of_run(root, results, "bicubic-x2", psnr=f"{np.mean(values):.4f}")
    assert_explains(found, {"rounding": "SR not rounded", "plane": "RGB", "border": "no border"})


def test_inner_output_and_true_scale(root, results):
    """×2 of a ×4 model: from LR at 1/4 against a smaller HR, and from LR at 1/2 against HR itself."""
    inner, true = [], []
    for hr in originals(root):
        half, quarter = to_8_bits(matlab(hr, 2)), to_8_bits(matlab(hr, 4))
        inner.append(psnr(to_8_bits(resize(quarter, *half.shape[:2])), half, 2, studio))
        true.append(psnr(to_8_bits(resize(half, *hr.shape[:2])), hr, 2, studio))
    for values, label in ((inner, "×2, inner output of ×4"), (true, "×2, from LR at 1/2")):
        found = of_run(root, results, "bicubic-x4", psnr=f"{np.mean(values):.4f}")
        assert_explains(found, {"scale": label, "plane": STUDIO})


def test_self_ensemble(root, results):
    """The mean over numpy's eight turns of the picture; only the network itself is srbench's."""
    run = find_run(results, "lapsrn")
    spec = RunSpec.from_stored(run.record.spec)
    networks = network_upscaler_of(spec, run.paths, CPU)[1].networks

    def network(lr):
        planes = [
            networks[name](torch.from_numpy(lr[None, None, ..., c].copy() / 255).float())[4][0, 0]
            for c, name in enumerate("rgb")
        ]
        return 255 * torch.stack(planes, dim=-1).detach().numpy().astype(float)

    values = []
    for hr in originals(root):
        lr = to_8_bits(matlab(hr, 4))
        total = np.zeros_like(hr)
        for turns in range(4):
            total += np.rot90(network(np.rot90(lr, turns)), -turns)
            total += np.rot90(network(np.rot90(lr, turns)[:, ::-1])[:, ::-1], -turns)
        values.append(psnr(to_8_bits(total / 8), hr, 4, studio))
    found = of_run(root, results, "lapsrn", scale=4, psnr=f"{np.mean(values):.4f}")
    assert_explains(found, {"pass": "self-ensemble of 8", "plane": STUDIO})


def test_foreign_weights_are_explained_by_what_eval_made_of_them(root, results, tmp_path):
    """Its networks are those of the file, and its self-ensemble is that of --self-ensemble."""
    (file,) = find_run(results, "lapsrn").paths.checkpoints.glob("*6/model.safetensors")
    jobs = weights_jobs(file, MODEL, [hr_set(root).typed], "bicubic", name="foreign")
    scoring = Scoring(*resolve_metrics(["psnr"]), inference=Inference(self_ensemble=True))
    execute(jobs, tmp_path, Settings(CPU, "exact", Cadence(), scoring, quiet=True), Stop())
    scores = find_run(tmp_path, "lapsrn").summary["scores"]
    (value,) = (one["mean"] for one in scores if (one["plane"], one["scale"]) == ("y", 4))
    first = of_run(root, tmp_path, "lapsrn", scale=4, psnr=f"{value:.4f}").candidates[0]
    assert first.explains
    assert (first.labels["pass"], first.departures) == ("self-ensemble of 8", 1)


def test_srbenchs_own_number_is_the_first(root, results):
    values = [
        psnr(to_8_bits(resize(to_8_bits(matlab(hr, 4)), *hr.shape[:2])), hr, 4, studio)
        for hr in originals(root)
    ]
    found = of_run(root, results, "bicubic-x4", psnr=f"{np.mean(values):.2f}")
    assert found.candidates[0].departures == 0


# --- no explanation, and what is refused


def test_nearest_is_named_where_nothing_explains(root):
    found = in_folder(root, psnr="99.99")
    assert found.explaining == []
    distances = [one.distance for one in found.candidates]
    assert distances == sorted(distances)
    values = [one.values["psnr"] for one in found.candidates]
    assert max(values) == values[0]


@pytest.mark.parametrize(
    ("text", "half_unit"), [("28.17", 0.005), ("28.1", 0.05), ("28", 0.5), (".8852", 0.00005), ("2.8e1", 0.5)]
)
def test_digits_typed_say_how_exact_a_number_is(text, half_unit):
    number = Number.parse("psnr", text)
    assert number.half_unit == pytest.approx(half_unit)
    assert number.distance(number.value + half_unit) <= 1
    assert number.distance(number.value + 1.01 * half_unit) > 1


@pytest.mark.parametrize(
    ("metric", "text", "words"),
    [
        ("psnr", "1e400", "digits that no number here has"),
        ("psnr", "28.4200000000", "with at most 9 after the point"),
        ("psnr", "-5", "outside of what it can be, 0 to 200"),
        ("ssim", "81.04", r"outside of what it can be, -1 to 1. Write it like 0\.8104"),
        ("ssim", "nan", r"--ssim 'nan' is not finite. Write it like 0\.8104"),
        ("lpips", "-0.1", "outside of what it can be, 0 to 10"),
    ],
)
def test_what_no_metric_can_be_is_refused(metric, text, words):
    with pytest.raises(UsageError, match=words):
        Number.parse(metric, text)


@pytest.mark.parametrize("text", ["high", "", "nan", "inf"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(UsageError, match=r"--psnr .* Write it like 28\.17"):
        Number.parse("psnr", text)


def test_folder_that_lacks_pictures_names_them(root, tmp_path):
    with pytest.raises(DatasetError, match=r"2 of the 2 pictures of test missing in .*: face, tissue"):
        FolderSource(tmp_path, hr_set(root), 2)
    with pytest.raises(UsageError, match="is no folder"):
        FolderSource(tmp_path / "nowhere", hr_set(root), 2)


def test_folder_of_another_size_names_both(root, tmp_path):
    for name in ("face", "tissue"):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
    with pytest.raises(
        DatasetError, match=r"face\.png is 8×8, and face of test at ×2 is 56×64.*--scale or --test may"
    ):
        FolderSource(tmp_path, hr_set(root), 2)


def test_scale_that_a_run_has_not_is_refused(root, results):
    with pytest.raises(UsageError, match=r"has no output of ×3; it has ×2, ×4"):
        of_run(root, results, "bicubic-x4", scale=3, psnr="30.1")


def test_pictures_equal_to_hr_have_no_number(root):
    with pytest.raises(UsageError, match="its pictures equal HR"):
        explained(FolderSource(root / "colour" / "test", hr_set(root), 2), psnr="30.1")


def test_pictures_left_out_of_a_mean_are_counted(root, tmp_path):
    shutil.copytree(root / "colour" / "sr", tmp_path / "sr")
    shutil.copy(root / "colour" / "test" / "face.png", tmp_path / "sr")
    (note,) = explained(FolderSource(tmp_path / "sr", hr_set(root), 2), psnr="30.1").notes
    assert note.startswith("Under some protocols up to 1 of 2 pictures are left out of the mean")
    assert not in_folder(root, psnr="30.1").notes


def test_no_number_and_no_lpips_are_refused(root):
    with pytest.raises(UsageError, match="no number to explain"):
        in_folder(root)
    with pytest.raises(
        UsageError, match=r"No LPIPS can be computed here\. LPIPS \(alex\) cannot be computed"
    ):
        in_folder(root, lpips="0.1")


def test_a_stop_ends_it_between_pictures(root, results):
    calls = []

    def check():
        calls.append(1)
        raise StoppedError("Stopped on Ctrl-C.")

    source = RunSource(find_run(results, "bicubic-x2"), hr_set(root), None, CPU)
    with pytest.raises(StoppedError):
        explain(source, [Number.parse("psnr", "30.12")], check, quiet=True)
    assert calls == [1]


def test_single_plane_runs_have_that_plane_alone(root, tmp_path):
    job = small_job(root / "colour", channels=("r",))
    execute([job], tmp_path, Settings(CPU, "exact", Cadence(), Scoring((), {}), quiet=True), Stop())
    source = RunSource(find_run(tmp_path, "lapsrn"), hr_set(root), 4, CPU)
    found = explained(source, psnr="20")
    assert {one.labels["plane"] for one in found.candidates} == {"plane r"}
    with pytest.raises(UsageError, match="LPIPS looks at RGB pictures, and this run has r alone"):
        explained(source, lpips="0.1")
