"""spandrel's architectures as models to train: each one's laws, its files, and runs that end bit for bit."""

import importlib
import logging
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from small import StopAt, picture_folder, settings, small_job, srbench, train_whole_and_in_parts

from srbench.cost import measure
from srbench.errors import UsageError
from srbench.executors.local import execute
from srbench.foreign.weights import read_weights
from srbench.plan.settings import Budget
from srbench.plan.terms import component_spec
from srbench.predict import NetworkUpscaler, predict
from srbench.progress import tell
from srbench.prove.hashes import hashes
from srbench.registry import registry
from srbench.store.layout import RunPaths
from srbench.store.runs import read_record
from srbench.testing.conformance import Fault, subject_of
from srbench.testing.models import tiles
from srbench.train.stop import Stop
from srbench_spandrel.architectures import ARCHITECTURES, PERMISSIVE, recipe
from srbench_spandrel.terms import terms

spandrel = pytest.importorskip("spandrel", reason='spandrel is not installed: pip install -e ".[spandrel]"')
from srbench_spandrel.network import SCALES, build  # noqa: E402

WINDOWS = {"embed_dim": 12, "num_heads": [2], "depths": [2], "window_size": 4, "img_size": 16}
STRIPES = {"embed_dim": 16, "num_heads": [2], "depth": [2], "split_size": [2, 4], "img_size": 16}
SMALL = {
    "atd": {**WINDOWS, "category_size": 256, "num_tokens": 8, "reducted_dim": 2, "convffn_kernel_size": 5},
    "compact": {"num_feat": 8, "num_conv": 2},
    "craft": {"embed_dim": 24, "num_heads": [6], "depths": [2]},
    "dat": STRIPES,
    "dctlsa": {"nf": 10},
    "drct": {**WINDOWS, "depths": [6], "gc": 4},
    "esrgan": {"num_filters": 8, "num_blocks": 1},
    "hat": {**WINDOWS, "compress_ratio": 3, "squeeze_factor": 6},
    "moesr": {"dim": 8, "n_blocks": 1, "n_block": 1},
    "mosr": {"dim": 8, "n_block": 1},
    "omnisr": {"num_feat": 8, "res_num": 1},
    "plksr": {"dim": 8, "n_blocks": 1, "kernel_size": 5},
    "rcan": {"n_resgroups": 1, "n_resblocks": 1, "n_feats": 16},
    "rgt": {**STRIPES, "embed_dim": 12},
    "safmn": {"dim": 8, "n_blocks": 1},
    "seemore": {"num_layers": 1, "embedding_dim": 8},
    "span": {"feature_channels": 8},
    "swin2sr": WINDOWS,
    "swinir": WINDOWS,
}
"""Settings with which each architecture is quick. spandrel finds them in a file again."""

FULL = dict(ARCHITECTURES)
MODEL = component_spec("model", "spandrel")
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:spandrel", "ignore:'saved_variables'", "ignore:Initializing zero-element"
)
every_architecture = pytest.mark.parametrize("arch", SMALL)


@pytest.fixture
def _small(monkeypatch):
    """Every architecture with one small size, the first of its own otherwise."""
    for arch, changes in SMALL.items():
        first = next(iter(FULL[arch].sizes.values()), {})
        multiple = min(FULL[arch].multiple, changes.get("window_size", 1))
        common = {**FULL[arch].common, **first, **changes}
        small = replace(FULL[arch], sizes={}, common=common, multiple=multiple)
        monkeypatch.setitem(ARCHITECTURES, arch, small)


@pytest.fixture(autouse=True)
def _nothing_told():
    tell.cache_clear()
    terms.cache_clear()


def made(arch, planes=3, scale=2, seed=0):
    torch.manual_seed(seed)
    return build(planes, scale, arch)


def settings_for(arch):
    known = ARCHITECTURES[arch]
    return {**known.common, known.scale: 2, **dict.fromkeys(known.planes, 3)}


def pixels(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def smooth(height, width):
    coarse = pixels(1, 3, height // 8, width // 8)
    return F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)


# What all of them keep


def test_there_are_small_settings_for_all_of_them():
    assert list(SMALL) == list(ARCHITECTURES)


@every_architecture
@pytest.mark.usefixtures("_small")
def test_any_size_comes_out_enlarged(arch):
    """Uneven, smaller than any window, several at once; in one plane where the architecture can."""
    for scale in SCALES:
        assert made(arch, scale=scale).eval()(pixels(1, 3, 17, 22)).shape == (1, 3, 17 * scale, 22 * scale)
    with torch.inference_mode():
        for height, width in ((5, 3), (1, 20), (1, 1)):
            sr = made(arch).eval()(pixels(2, 3, height, width))
            assert sr.shape == (2, 3, 2 * height, 2 * width)
            assert sr.isfinite().all()
    if ARCHITECTURES[arch].one_plane is None:
        with pytest.raises(ValueError, match=f"{arch} takes three planes and no others; take --channels rgb"):
            made(arch, planes=1)
    else:
        assert made(arch, planes=1).eval()(pixels(1, 1, 17, 22)).shape == (1, 1, 34, 44)


@every_architecture
@pytest.mark.usefixtures("_small")
def test_it_trains_deterministically_and_leaves_its_input_alone(arch):
    """In float32 and in bf16, channels_last, as srbench trains; what is to be trained has a gradient."""
    network = made(arch).to(memory_format=torch.channels_last)
    lr = pixels(2, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    before = lr.clone()
    grads = []
    torch.use_deterministic_algorithms(True)
    try:
        for dtype in (None, None, torch.bfloat16):
            network.zero_grad()
            torch.manual_seed(1)
            with torch.autocast("cpu", dtype=dtype, enabled=dtype is not None):
                sr = network(lr)
            (sr.float() - pixels(2, 3, 64, 64, seed=1)).abs().mean().backward()
            grads.append([one.grad.clone() for one in network.parameters() if one.requires_grad])
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.equal(lr, before)
    assert all(torch.equal(one, other) for one, other in zip(grads[0], grads[1], strict=True))
    assert all(one.isfinite().all() for one in grads[2])


@every_architecture
@pytest.mark.usefixtures("_small")
def test_its_weights_are_a_file_that_spandrel_knows(arch, tmp_path):
    """Names, scale, planes and licence are told, and the file's SR is the network's."""
    network = made(arch).eval()
    state = network.state_dict()
    save_file({name: one.contiguous() for name, one in state.items()}, tmp_path / "any.safetensors")
    torch.save({"params": state}, tmp_path / "any.pth")
    lr = smooth(48, 64)  # what neither pads
    with torch.no_grad():
        expected = network(lr).clamp(0, 1)
    for file in ("any.safetensors", "any.pth"):
        weights = read_weights(tmp_path / file, MODEL, None, None)
        assert (weights.scale, weights.channels) == (2, "rgb")
        assert weights.terms.startswith(f"{file}: ")
        assert FULL[arch].id in weights.terms
        assert f"code is under {FULL[arch].licence}" in weights.terms
        sr = predict(weights.networks, "rgb", lr, 2, weights.size_multiple)[2]
        torch.testing.assert_close(sr, expected, rtol=0, atol=5e-5)


@every_architecture
@pytest.mark.usefixtures("_small")
def test_it_gives_what_their_network_gives_of_the_unpadded_picture(arch):
    """Uneven sides: srbench pads, where it does, as the network itself would have done."""
    network = made(arch).eval()
    theirs = type(network).__mro__[2](**settings_for(arch)).eval()
    theirs.load_state_dict(network.state_dict())
    lr = smooth(64, 64)[..., :61, :53]
    multiple = registry().find("model", "spandrel").padded_to({"arch": arch})
    sr = predict({"rgb": network}, "rgb", lr, 2, multiple)[2]
    assert sr.shape == (1, 3, 122, 106)
    with torch.no_grad():
        if (
            arch == "drct"
        ):  # theirs takes no such sizes; away from borders the larger picture says what is right
            torch.testing.assert_close(
                sr[..., :80, :80], theirs(smooth(64, 64))[..., :80, :80], rtol=0, atol=0.01
            )
        else:
            torch.testing.assert_close(sr, theirs(lr.clone()), rtol=0, atol=5e-5)


# SPAN: what is trained in parts is scored as one


@pytest.mark.usefixtures("_small")
def test_span_scores_what_it_trains():
    network = made("span")
    lr = pixels(1, 3, 12, 13)
    for _ in range(2):  # at first, and after a step
        with torch.no_grad():
            torch.testing.assert_close(network.train()(lr), network.eval()(lr), rtol=0, atol=1e-4)
            for parameter in network.parameters():
                parameter += 0.01 * pixels(*parameter.shape, seed=3)
    other = made("span", seed=9)
    other.load_state_dict(network.state_dict())
    with torch.no_grad():
        assert torch.equal(other.eval()(lr), network.eval()(lr))


@pytest.mark.usefixtures("_small")
def test_span_stores_the_fused_convolution_of_its_weights():
    network = made("span")
    stored = network.state_dict()["conv_1.eval_conv.weight"].clone()
    with torch.no_grad():
        network.conv_1.sk.weight += 1
    now = network.state_dict()["conv_1.eval_conv.weight"]
    assert (now - stored)[:, :, 1, 1].sub(1).abs().max() < 1e-5  # the 1×1 beside it is the middle of the 3×3


@pytest.mark.usefixtures("_small")
def test_span_costs_what_is_left_of_it_in_scoring():
    """The paper's 411 K at ×2 and 426 K at ×4 are those of fused convolutions, without what is trained."""
    network = made("span")
    deployed = sum(one.numel() for one in network.deployed().parameters())
    upscaler = NetworkUpscaler({"rgb": network}, "rgb", 2, 1, True, torch.device("cpu"))
    assert measure(upscaler).parameters == deployed < sum(one.numel() for one in network.parameters()) / 3
    lr = pixels(1, 3, 9, 9)
    with torch.no_grad():
        assert torch.equal(network.deployed()(lr), network.eval()(lr))


def test_rcan_keeps_its_mean_colour():
    network = build(3, 2, "rcan")
    assert not any(one.requires_grad for one in network.sub_mean.parameters())


# Files of the architectures that are not trained here


def network_of(module, name=None, **settings):
    return getattr(importlib.import_module(f"spandrel.architectures.{module}"), name or module)(**settings)


OTHERS = {
    "DITN": (2, {"dim": 8, "ITL_blocks": 1, "SAL_blocks": 1, "UFONE_blocks": 1, "upscale": 2}),
    "FDAT": (
        2,
        {"scale": 2, "embed_dim": 16, "num_groups": 1, "depth_per_group": 1, "num_heads": 2}
        | {"window_size": 4, "mid_dim": 8, "aim_reduction_ratio": 8},
    ),
    "GRL": (
        2,
        {"embed_dim": 16, "depths": [2], "num_heads_window": [2], "num_heads_stripe": [2], "upscale": 2}
        | {"upsampler": "pixelshuffledirect", "mlp_ratio": 2, "anchor_window_down_factor": 2, "img_size": 16},
    ),
    "IPT": (2, {"patch_size": 12, "n_feats": 4, "num_layers": 1, "scale": [2]}),
    "MMRealSR": (
        4,
        {"num_in_ch": 3, "num_out_ch": 3, "scale": 4, "num_feat": 8, "num_block": 1, "num_grow_ch": 4}
        | {"num_feats": [4] * 4, "num_blocks": [1] * 4},
    ),
    "RealCUGAN": (2, {"name": "UpCunet2x"}),
    "SwiftSRGAN": (2, {"num_channels": 8, "num_blocks": 1, "upscale_factor": 2}),
}
"""spandrel's name → scale and small settings."""

NOT_SR = {
    **dict.fromkeys(
        ("DRUNet", "DnCNN", "FBCNN", "FFTformer", "KBNet", "NAFNet", "SAFMNBCIE", "SCUNet", "Uformer"),
        "removes noise, blur or JPEG's traces",
    ),
    **dict.fromkeys(("HVICIDNet", "MixDehazeNet", "RetinexFormer"), "removes darkness or haze"),
    **dict.fromkeys(("GFPGAN", "RestoreFormer"), "restores faces"),
    "LaMa": "fills holes",
    "AuraSR": "spandrel cannot tell its scale from a small network's file",
}


@pytest.mark.parametrize("identity", [one.architecture.id for one in spandrel.MAIN_REGISTRY.architectures()])
def test_every_architecture_of_the_installed_spandrel_is_scored_from_its_file(
    identity, tmp_path, monkeypatch, capsys
):
    """`eval --weights` tells scale, planes and licence, and puts a picture through it."""
    if identity in {known.id for known in FULL.values()}:
        pytest.skip("its file is written and read above")
    if identity in NOT_SR:
        pytest.skip(NOT_SR[identity])
    if identity not in OTHERS:
        pytest.skip("no small settings are known for it")
    scale, changes = OTHERS[identity]
    torch.manual_seed(0)
    state = {name: one.contiguous() for name, one in network_of(identity, **changes).state_dict().items()}
    save_file(state, tmp_path / "any.safetensors")
    torch.save({"params_ema": state}, tmp_path / "any.pth")
    pictures = picture_folder(tmp_path / "pictures")
    arguments = ["eval", "--weights", str(tmp_path / "any.safetensors"), "--model", "spandrel"]
    arguments += ["--metric", "psnr", "--results", str(tmp_path / "results")]
    assert srbench([*arguments, "--test", f"folder:test={pictures / 'test'}"], monkeypatch) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert f"any.safetensors: {spandrel.MAIN_REGISTRY.get(identity).architecture.name} ×" in told
    assert f"×{scale} for 3 plane(s)" in told
    assert f"code is under {PERMISSIVE}" in told
    one, other = (read_weights(tmp_path / file, MODEL, None, None) for file in ("any.safetensors", "any.pth"))
    assert (one.scale, one.channels) == (other.scale, other.channels) == (scale, "rgb")


# Sizes, as published


@pytest.mark.parametrize(
    ("arch", "size", "scale", "parameters"),
    [
        ("atd", "light", 4, 768_792),
        ("craft", None, 4, 753_344),
        ("dat", "light", 4, 572_766),
        ("dat", "s", 4, 11_212_131),
        ("dat", "base", 4, 14_802_051),
        ("drct", "base", 4, 14_139_579),
        ("esrgan", None, 4, 16_697_987),
        ("hat", "s", 4, 9_621_183),
        ("hat", "m", 4, 20_772_507),
        ("rcan", None, 4, 15_592_379),
        ("safmn", "base", 4, 239_520),
        ("seemore", "t", 4, 231_804),
        ("span", None, 2, 410_700),
        ("swinir", "light", 2, 910_152),
        ("swinir", "classical", 4, 11_900_199),
    ],
)
def test_a_size_has_as_many_parameters_as_published(arch, size, scale, parameters):
    """0.77, 0.75, 0.57, 11.21, 14.80, 14.13, 16.70, 9.62, 20.77, 15.59, 0.24, 0.23, 0.41, 0.91, 11.90 M."""
    told = (
        registry().find("model", "spandrel").told({"planes": 3, "scale": scale, "arch": arch, "size": size})
    )
    assert f"{parameters:,} parameters at ×{scale}" in told


# Names


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("spandrel", "it names no network to train"),
        ("spandrel:arch=swinr", "no architecture 'swinr' to train. Did you mean 'swinir'?"),
        ("spandrel:arch=swinir", "swinir: a size must be named. It has: light, classical"),
        ("spandrel:arch=swinir,size=lihgt", "Did you mean 'light'?"),
        ("spandrel:arch=span,size=s", "span has one size and takes no size=s"),
    ],
)
def test_a_wrong_name_is_met_before_anything_is_written(text, words, tmp_path, monkeypatch, capsys):
    arguments = ["run", "--model", text, "--metric", "psnr", "--results", str(tmp_path / "results")]
    assert srbench(arguments, monkeypatch) == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "results").exists()


def test_licences_are_listed_beside_the_plugins(monkeypatch, capsys):
    assert srbench(["plugins"], monkeypatch) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Apache 2.0: dat, esrgan, hat, rgt, span, swinir." in told
    assert "MIT: plksr." in told


@every_architecture
def test_docs_have_a_row_with_its_sizes_source_and_licence(arch):
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{arch}` |")]
    known = ARCHITECTURES[arch]
    assert row.endswith(f"| {known.patch} | {known.licence} |")
    assert f"| {known.source} |" in row
    assert all(f"`{size}` " in row for size in known.sizes)


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "spandrel.architectures.SwinIR", None)
    with pytest.raises(UsageError, match=r'pip install "srbench-harness\[spandrel\]" brings it'):
        build(3, 2, "swinir", "light")


def test_a_file_of_another_architecture_than_asked_for_is_refused(tmp_path):
    save_file(network_of("Compact", num_feat=8, num_conv=2).state_dict(), tmp_path / "any.safetensors")
    model = component_spec("model", "spandrel:arch=swinir,size=light")
    with pytest.raises(UsageError, match="it holds RealESRGAN Compact, and arch=swinir was asked for"):
        read_weights(tmp_path / "any.safetensors", model, None, None)


def test_recipes_follow_the_architecture_and_the_scale():
    assert recipe(4, "rcan", None)["patch"] == 192
    assert recipe(2, "swinir", "light")["patch"] == 128


# Runs


@pytest.mark.parametrize("arch", ["swinir", "span"])
@pytest.mark.usefixtures("_small")
def test_a_run_resumes_bit_for_bit_and_is_tabled_with_its_cost(arch, tmp_path, monkeypatch, caplog, capsys):
    pictures = picture_folder(tmp_path / "pictures")
    job = small_job(pictures, models=(f"spandrel:arch={arch}",), scales=(2,), losses=("l1",))
    caplog.set_level(logging.INFO, "srbench")
    train_whole_and_in_parts(job, tmp_path)
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")
    told = [one.message for one in caplog.records if "Its code is under Apache 2.0" in one.message]
    assert len(told) == 1  # once a process, before the first use

    whole = tmp_path / "whole"
    assert srbench(["table", "--cost", "--format", "json", "--results", str(whole)], monkeypatch) == 0
    assert "parameters" in capsys.readouterr().out

    # What it exports is a file that spandrel knows, and scores as the run does.
    export = tmp_path / "weights.safetensors"
    arguments = ["checkpoint", "export", job.spec.id, "--output", str(export), "--results", str(whole)]
    assert srbench(arguments, monkeypatch) == 0
    network = read_weights(export, MODEL, None, None).networks["rgb"]
    trained = read_weights(export, job.spec.model, 2, "rgb").networks["rgb"].eval()
    lr = smooth(24, 32)
    with torch.no_grad():
        torch.testing.assert_close(network(lr), trained(lr).clamp(0, 1), rtol=0, atol=5e-5)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["swinir,size=light", "span"])
def test_fifty_steps_of_the_published_size(model, tmp_path, monkeypatch, capsys):
    """Trained in one go and in parts, the average kept, scored, and tabled with its cost."""
    pictures = picture_folder(tmp_path / "pictures")
    job = small_job(
        pictures,
        models=(f"spandrel:arch={model}",),
        scales=(2,),
        losses=("l1",),
        settings={"batch": 2, "patch": 32, "lr": 2e-4},
        budget=Budget(steps=50),
    )
    how = settings(eval_every=20)
    execute([job], tmp_path / "whole", how, Stop())
    execute([job], tmp_path / "parts", how, StopAt(45))
    assert 0 < read_record(RunPaths(tmp_path / "parts" / job.spec.id)).step < 50
    execute([job], tmp_path / "parts", how, Stop())
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")
    arguments = ["table", "--cost", "--results", str(tmp_path / "whole")]
    assert srbench(arguments, monkeypatch) == 0
    assert ("910,152" if "swinir" in model else "410,700") in capsys.readouterr().out


# Tiles

QUICK = {"compact", "mosr", "plksr:tiny", "safmn:base", "seemore:t", "span"}
EVERY = [f"{arch}:{size}" if size else arch for arch, one in FULL.items() for size in one.sizes or (None,)]


@pytest.mark.parametrize(
    "known", [one if one in QUICK else pytest.param(one, marks=pytest.mark.slow) for one in EVERY]
)
def test_what_is_said_of_tiles_is_what_they_show(known):
    arch, _, size = known.partition(":")
    subject = subject_of("model", f"spandrel:arch={arch}" + (f",size={size}" if size else ""))
    may = subject.component.sees_tiles(subject.settings)
    anyhow = replace(subject, component=replace(subject.component, tileable=True))
    with nullcontext() if may else pytest.raises(Fault, match="a whole picture at once"):
        tiles(anyhow)


def test_a_run_of_one_that_sees_everything_refuses_tiles(tmp_path, monkeypatch, capsys):
    line = ["run", "--model", "spandrel:arch=safmn,size=base", "--steps", "1", "--tile", "64", "--scale", "2"]
    line += ["--dataset", f"folder:root={picture_folder(tmp_path)}", "--results", str(tmp_path / "results")]
    assert srbench(line, monkeypatch) == 2
    assert "--tile 64 cannot be: the plugin of this model says that it must see" in capsys.readouterr().err
