"""A patch that does not suit a loss is one sentence before anything is written."""

import types

import pytest
import torch
from small import picture_folder, small_arguments, small_job, srbench
from torch import nn

from srbench.api import SizeError, UsageError, hookimpl
from srbench.metrics.backbones import set_weights_dir
from srbench.plugins import Plugin, host
from srbench.registry import registry


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def refused(arguments, results, monkeypatch, capsys):
    """What a command line is refused with: exit code 2, one paragraph, and an empty store."""
    assert srbench(arguments, monkeypatch) == UsageError.exit_code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert not results.exists()
    return captured.err.strip().splitlines()


def line(pictures, results, loss, patch, *more):
    arguments = small_arguments(pictures, results, *more)
    arguments[arguments.index("charbonnier")] = loss
    arguments[arguments.index("--patch") + 1] = str(patch)
    return arguments


@pytest.mark.parametrize(
    ("loss", "patch", "more", "said"),
    [
        (
            "charbonnier+0.1*laplacian", 8, (),
            "Loss 'laplacian' cannot work with --patch 8, which gives it pictures of 4×4 pixels at ×2 of ×4: "
            "laplacian with levels=3 needs at least 8 pixels a side, not 4×4. Take --patch 16.",
        ),
        (
            "laplacian:levels=5", 16, ("--channels", "y"),
            "Loss 'laplacian' cannot work with --patch 16, which gives it pictures of 16×16 pixels: "
            "laplacian with levels=5 needs at least 32 pixels a side, not 16×16. Take --patch 64.",
        ),
        (
            "laplacian:levels=12", 16, (),
            "Loss 'laplacian' cannot work with --patch 16, which gives it pictures of 16×16 pixels: "
            "laplacian with levels=12 needs at least 4096 pixels a side, not 16×16. Take another --patch, or "
            "other parameters of the loss.",
        ),
        (
            "ffl:patch_factor=3", 16, (),
            "Loss 'ffl' cannot work with --patch 16, which gives it pictures of 16×16 pixels: ffl with "
            "patch_factor=3 needs sides that are multiples of 3, not 16×16 pixels. Take --patch 24.",
        ),
    ],
)  # fmt: skip
def test_the_sentence_names_the_loss_what_it_needs_and_a_patch_that_suits(
    loss, patch, more, said, pictures, tmp_path, monkeypatch, capsys
):
    results = tmp_path / "results"
    assert refused(line(pictures, results, loss, patch, *more), results, monkeypatch, capsys) == [said]


def test_the_patch_it_names_does_suit(pictures, tmp_path, monkeypatch):
    assert srbench(line(pictures, tmp_path / "results", "ffl:patch_factor=3", 24), monkeypatch) == 0


def test_lpips_on_patches_that_its_backbone_cannot_take(pictures, assets, tmp_path, monkeypatch, capsys):
    results = tmp_path / "results"
    arguments = line(
        pictures, results, "l1+lpips:net=squeeze", 32, "--lpips-weights", str(assets / "weights")
    )
    try:
        (said,) = refused(arguments, results, monkeypatch, capsys)
    finally:
        set_weights_dir(None)
    assert said == (
        "Loss 'lpips' cannot work with --patch 32, which gives it pictures of 16×16 pixels at ×2 of ×4: "
        "LPIPS (squeeze) needs at least 17 pixels a side, not 16×16. Take --patch 36."
    )


def test_a_matrix_is_refused_before_its_first_run(pictures, tmp_path, monkeypatch, capsys):
    results = tmp_path / "results"
    (said,) = refused(line(pictures, results, "l1,laplacian", 8), results, monkeypatch, capsys)
    assert said.startswith("Loss 'laplacian' cannot work with --patch 8")


def test_the_microscope_says_so_too(tmp_path, monkeypatch, capsys):
    said = refused(["-q", "probe", "--loss", "l1,ffl:patch_factor=7"], tmp_path / "none", monkeypatch, capsys)
    assert said == [
        "Loss 'ffl:patch_factor=7' cannot be probed on patches of 64×64 pixels: ffl with patch_factor=7 "
        "needs sides that are multiples of 7, not 64×64 pixels."
    ]


class Choosy(nn.Module):
    """Takes no picture smaller than 12 pixels, counts its calls, and draws from the global generator."""

    calls = 0

    def __init__(self, wide: bool = False) -> None:
        super().__init__()
        self.wide = wide

    def forward(self, sr, hr, lr, scale, step):
        type(self).calls += 1
        if self.wide:
            raise ValueError("a bug, and no word on sizes")
        assert sr.shape[-1] == lr.shape[-1] * scale
        assert step == 0
        if sr.shape[-1] < 12:
            raise SizeError("choosy needs 12 pixels")
        return (sr - hr).abs().mean() * torch.rand(())


@pytest.fixture
def choosy():
    @hookimpl
    def register_losses(register):
        register("choosy", Choosy)
        register("choosy_last", Choosy, scales="last")

    made = types.ModuleType("made")
    made.register_losses = register_losses
    host().add(made, Plugin("made", "made-dist", "1.0"))
    registry.cache_clear()
    yield
    host().manager.unregister(made)
    registry.cache_clear()


def test_a_loss_is_tried_at_the_scales_it_will_see_and_at_no_other(choosy, pictures):
    with pytest.raises(UsageError, match=r"8×8 pixels at ×2 of ×4: choosy needs 12 pixels. Take --patch 24"):
        small_job(pictures, losses=("choosy",))
    small_job(pictures, losses=("choosy_last",))
    small_job(pictures, losses=("choosy",), scales=(2,))  # 16 pixels at ×2, the only scale


def test_trying_a_loss_moves_no_generator(choosy, pictures):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    calls = Choosy.calls
    small_job(pictures, losses=("choosy_last",))
    assert Choosy.calls == calls + 1
    assert torch.equal(torch.get_rng_state(), before)


def test_a_fault_of_a_loss_is_left_to_training_which_shows_its_trace(choosy, pictures):
    assert small_job(pictures, losses=("choosy:wide=true",)).spec.trained
