"""The classic models: laws that all of them keep, their published sizes, and each one's own arithmetic."""

import importlib
import math
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from small import StopAt, picture_folder, small_job
from torch import nn

from srbench.api import resize_bicubic
from srbench.errors import UsageError
from srbench.evaluate.scoring import Scoring, resolve_metrics
from srbench.executors.local import Settings, execute
from srbench.plan import Request, plan
from srbench.prove.hashes import hashes
from srbench.registry import registry
from srbench.store.layout import RunPaths
from srbench.store.runs import read_record
from srbench.train.loop import Cadence
from srbench.train.stop import Stop
from srbench_classics.plugin import CHANNELS, SCALES
from srbench_classics.recipes import RECIPES

SMALL = {
    "srcnn": {"n1": 4, "n2": 4},
    "fsrcnn": {"d": 8, "s": 4, "m": 1},
    "espcn": {"n1": 4, "n2": 4},
    "vdsr": {"layers": 3, "features": 4},
    "edsr": {"blocks": 1, "features": 4},
    "srresnet": {"blocks": 1, "features": 4},
    "rrdbnet": {"blocks": 1, "features": 4, "growth": 4},
}
"""Settings with which each model is quick."""

every_model = pytest.mark.parametrize("name", SMALL)


def build(name, planes, scale, **params):
    return importlib.import_module(f"srbench_classics.{name}").build(planes, scale, **params)


def small(name, planes=1, scale=2, seed=0):
    torch.manual_seed(seed)
    return build(name, planes, scale, **SMALL[name])


def pixels(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


# What all of them keep


def test_the_plugin_registers_these_and_no_others():
    found = [registry().find("model", name) for name in SMALL]
    assert list(CHANNELS) == list(RECIPES) == list(SMALL)
    assert all(one.scales == SCALES and one.tileable and one.size_multiple == 1 for one in found)
    assert {one.name: one.channels for one in found} == CHANNELS


@every_model
@settings(max_examples=15)
@given(data=st.data())
def test_any_size_comes_out_enlarged_by_the_scale(name, data):
    """Down to one pixel, odd and uneven, at every scale, in one plane and in three."""
    scale, planes = data.draw(st.sampled_from(SCALES)), data.draw(st.sampled_from((1, 3)))
    batch, height, width = (data.draw(st.integers(1, most)) for most in (2, 7, 7))
    network = small(name, planes, scale).eval()
    with torch.inference_mode():
        sr = network(pixels(batch, planes, height, width))
    assert sr.shape == (batch, planes, height * scale, width * scale)
    assert sr.dtype == torch.float32
    assert sr.isfinite().all()


@every_model
@pytest.mark.parametrize("planes", [1, 3])
def test_every_parameter_has_a_gradient(name, planes):
    network = small(name, planes, 4)
    lr = pixels(2, planes, 6, 7)
    (network(lr) - pixels(2, planes, 24, 28, seed=1)).square().mean().backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@every_model
def test_pictures_of_a_batch_do_not_see_each_other(name):
    network, lr = small(name, 3, 3).eval(), pixels(3, 3, 6, 5)
    with torch.inference_mode():
        alone = torch.cat([network(one) for one in lr.split(1)])
        torch.testing.assert_close(network(lr), alone, rtol=0, atol=1e-6)


@every_model
def test_the_seed_says_all(name):
    first, again, other = (small(name, seed=seed).state_dict() for seed in (7, 7, 8))
    assert all(torch.equal(value, again[key]) for key, value in first.items())
    assert any(not torch.equal(value, other[key]) for key, value in first.items())


@every_model
def test_the_state_is_all_that_a_network_knows(name):
    """After a step, since batch normalisation moves its statistics too."""
    network, other = small(name, 3), small(name, 3, seed=1)
    network(pixels(2, 3, 6, 6)).sum().backward()
    other.load_state_dict(network.state_dict())
    lr = pixels(1, 3, 5, 6, seed=2)
    with torch.inference_mode():
        assert torch.equal(network.eval()(lr), other.eval()(lr))


@every_model
def test_one_small_batch_is_learnt(name):
    network = small(name, 1, 2)
    hr = F.interpolate(pixels(2, 1, 4, 4), scale_factor=4, mode="bilinear")
    lr = resize_bicubic(hr, 8, 8)
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = (network(lr) - hr).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


@every_model
def test_memory_format_and_bf16_change_only_digits(name):
    """As training has it: channels_last, under autocast, and gradients that are numbers."""
    network, lr = small(name, 3, 4), pixels(2, 3, 8, 8)
    expected = network(lr)
    network.to(memory_format=torch.channels_last)
    lr = lr.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(network(lr), expected, rtol=0, atol=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = network(lr)
    spread = expected.std().item()
    torch.testing.assert_close(cast.float(), expected, rtol=0.02, atol=0.05 * spread)
    cast.float().square().mean().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


@every_model
def test_a_run_trains_stops_and_ends_with_the_bits_of_an_uninterrupted_one(name, pictures, tmp_path):
    typed = f"{name}:{','.join(f'{key}={value}' for key, value in SMALL[name].items())}"
    job = small_job(pictures, models=(typed,))
    how = Settings(
        torch.device("cpu"), "exact", Cadence(eval_every=3, save_every_s=0),
        Scoring(*resolve_metrics(["psnr"])), quiet=True,
    )  # fmt: skip
    assert job.spec.channels == CHANNELS[name]
    execute([job], tmp_path / "whole", how, Stop())
    execute([job], tmp_path / "parts", how, StopAt(10))
    assert 0 < read_record(RunPaths(tmp_path / "parts" / job.spec.id)).step < 6
    execute([job], tmp_path / "parts", how, Stop())
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")


# Their sizes


def counted(network):
    """Parameters, and those that are weights of convolutions: what the first papers count."""
    convolutions = (nn.Conv2d, nn.ConvTranspose2d)
    weights = [one.weight for one in network.modules() if isinstance(one, convolutions)]
    return sum(one.numel() for one in network.parameters()), sum(one.numel() for one in weights)


@pytest.mark.parametrize(
    ("name", "params", "published"),
    [
        ("srcnn", {}, 8_032),  # arXiv:1501.00092, section 4.3.2, 9-1-5
        ("srcnn", {"f2": 5}, 57_184),  # the same, 9-5-5; also arXiv:1608.00367, table 1
        ("fsrcnn", {}, 12_464),  # arXiv:1608.00367, table 1, FSRCNN(56, 12, 4)
        ("vdsr", {}, 664_704),  # 665K in arXiv:1803.08664, table 1, and elsewhere
    ],
)
def test_published_counts_of_weights(name, params, published):
    """Luma, without biases and slopes, as these papers count; none depends on the scale."""
    for scale in SCALES:
        assert counted(build(name, 1, scale, **params))[1] == published


@pytest.mark.parametrize(
    ("name", "params", "scale", "exact", "published"),
    [
        # Millions with the digits published. EDSR: README of sanghyun-son/EDSR-PyTorch, the authors' code.
        ("edsr", {}, 2, 1_369_859, "1.37"),
        ("edsr", {}, 3, 1_554_499, "1.55"),
        ("edsr", {}, 4, 1_517_571, "1.52"),
        ("edsr", {"blocks": 32, "features": 256, "residual_scale": 0.1}, 2, 40_729_603, "40.7"),
        ("edsr", {"blocks": 32, "features": 256, "residual_scale": 0.1}, 3, 43_680_003, "43.7"),
        ("edsr", {"blocks": 32, "features": 256, "residual_scale": 0.1}, 4, 43_089_923, "43.1"),
        # As exact as it is printed by programs that load ESRGAN's and Real-ESRGAN's ×4 weights.
        ("rrdbnet", {}, 4, 16_697_987, "16.697987"),
    ],
)
def test_published_counts_of_parameters(name, params, scale, exact, published):
    with torch.device("meta"):
        found, _ = counted(build(name, 3, scale, **params))
    assert found == exact
    assert f"{found / 1e6:.{len(published.split('.')[1])}f}" == published


@pytest.mark.parametrize("scale", SCALES)
def test_counts_follow_from_the_figures_of_the_papers(scale):
    """Layer by layer: side², channels in, channels out, a bias each; what has no published exact count."""

    def conv(side, inputs, outputs):
        return side**2 * inputs * outputs + outputs

    assert counted(build("espcn", 1, scale))[0] == conv(5, 1, 64) + conv(3, 64, 32) + conv(3, 32, scale**2)
    stages = [3] if scale == 3 else [2] * int(math.log2(scale))
    enlarge = sum(conv(3, 64, 64 * factor**2) + 64 for factor in stages)
    block, norm, slopes = 2 * conv(3, 64, 64), 2 * 2 * 64, 64
    ends = conv(9, 3, 64) + slopes + conv(9, 64, 3)
    plain = ends + 16 * (block + slopes) + conv(3, 64, 64) + enlarge
    assert counted(build("srresnet", 3, scale, batch_norm=False))[0] == plain
    # "1.5M" for ×4: Lim et al. 2017, arXiv:1707.02921, table 1, SRResNet reproduced.
    assert counted(build("srresnet", 3, scale))[0] == plain + 16 * norm + norm // 2


# Each one's own arithmetic


def delta(conv):
    """Make a convolution hand on its first channel."""
    nn.init.zeros_(conv.weight)
    conv.weight.data[0, 0, conv.kernel_size[0] // 2, conv.kernel_size[1] // 2] = 1


@pytest.mark.parametrize("f2", [1, 5])
@pytest.mark.parametrize("scale", SCALES)
def test_srcnn_that_hands_on_is_bicubic_in_place(scale, f2):
    """To the last row and column: padding and filters are centred."""
    network = build("srcnn", 1, scale, f2=f2)
    for conv in (network.extract, network.map, network.reconstruct):
        delta(conv)
    lr = 0.5 + 0.1 * pixels(1, 1, 6, 5)  # bicubic may ring below 0, where ReLU would cut
    torch.testing.assert_close(network(lr), resize_bicubic(lr, 6 * scale, 5 * scale), rtol=0, atol=1e-6)


def test_srcnn_continues_a_picture_by_its_edge_pixels():
    """So a plain picture stays plain; zeros around it would darken the border of a filter that sums."""
    network = build("srcnn", 1, 2)
    for conv in (network.extract, network.map, network.reconstruct):
        nn.init.constant_(conv.weight, 1 / conv.weight[0].numel())
    torch.testing.assert_close(network(torch.full((1, 1, 4, 4), 0.3)), torch.full((1, 1, 8, 8), 0.3))


def test_srcnn_and_the_enlargement_of_fsrcnn_begin_as_narrow_normal_distributions():
    """SRCNN, section 3.3: standard deviation 0.001, biases 0."""
    torch.manual_seed(0)
    srcnn, fsrcnn = build("srcnn", 1, 3, f2=5), build("fsrcnn", 1, 3)
    for layer in (srcnn.extract, srcnn.map, srcnn.reconstruct, fsrcnn.deconvolution):
        assert layer.weight.std().item() == pytest.approx(0.001, rel=0.1)
        assert abs(layer.weight.mean().item()) < 1e-4
        assert not layer.bias.any()


@pytest.mark.parametrize("scale", SCALES)
def test_fsrcnn_s_filters_lie_around_the_middle_of_their_lr_pixel(scale):
    """Exactly where scale is odd, and half an SR pixel before it where there is no pixel in the middle."""
    network = build("fsrcnn", 1, scale, d=1, s=1, m=1)
    nn.init.zeros_(network.deconvolution.weight)
    network.deconvolution.weight.data[0, 0, 4, 4] = 1
    network.features = nn.Identity()
    lit = network(pixels(1, 1, 4, 5)).squeeze().nonzero()
    assert set(lit[:, 0].tolist()) == {row * scale + (scale - 1) // 2 for row in range(4)}
    assert set(lit[:, 1].tolist()) == {column * scale + (scale - 1) // 2 for column in range(5)}


def test_vdsr_without_its_last_layer_is_bicubic():
    network, lr = build("vdsr", 3, 3, layers=3, features=4), pixels(2, 3, 5, 6)
    last = network.residual[-1]
    nn.init.zeros_(last.weight)
    assert torch.equal(network(lr), resize_bicubic(lr, 15, 18))
    nn.init.constant_(last.bias, 0.25)
    torch.testing.assert_close(network(lr), resize_bicubic(lr, 15, 18) + 0.25)


def test_vdsr_begins_as_he_et_al_draw():
    """Standard deviation √(2 / (9 · channels in)), biases 0."""
    torch.manual_seed(0)
    convs = [one for one in build("vdsr", 1, 2).residual if isinstance(one, nn.Conv2d)]
    assert len(convs) == 20
    for conv in convs:
        drawn = math.sqrt(2 / (9 * conv.in_channels))
        assert conv.weight.std().item() == pytest.approx(drawn, rel=0.2 if conv.in_channels == 1 else 0.1)
        assert not conv.bias.any()


@pytest.mark.parametrize(("planes", "expected"), [(3, [0.4488, 0.4371, 0.4040]), (1, [0.0])])
def test_edsr_sees_colours_less_the_mean_of_div2k_and_luma_as_it_is(planes, expected):
    """Without biases, the picture that is all mean is the one that comes out as it went in."""
    network = small("edsr", planes)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
    mean = torch.tensor(expected).view(1, planes, 1, 1)
    torch.testing.assert_close(network(mean.expand(1, planes, 4, 4)), mean.expand(1, planes, 8, 8))
    assert "mean" not in network.state_dict()


def convolved(state, name, x):
    weight = state[f"{name}.weight"]
    return F.conv2d(x, weight, state[f"{name}.bias"], padding=weight.shape[-1] // 2)


@pytest.mark.parametrize(("scale", "factors"), [(2, [2]), (3, [3]), (4, [2, 2])])
def test_edsr_is_its_figure(scale, factors):
    """Figure 3 and block c of figure 2, written out."""
    torch.manual_seed(0)
    network = build("edsr", 3, scale, blocks=2, features=8, residual_scale=0.3)
    state, lr = network.state_dict(), pixels(1, 3, 5, 6)
    mean = torch.tensor([0.4488, 0.4371, 0.4040]).view(3, 1, 1)
    first = x = convolved(state, "head", lr - mean)
    for block in range(2):
        inner = convolved(state, f"body.{block}.residual.0", x).relu()
        x = x + 0.3 * convolved(state, f"body.{block}.residual.2", inner)
    x = first + convolved(state, "body.2", x)
    for number, factor in enumerate(factors):
        x = F.pixel_shuffle(convolved(state, f"enlarge.{2 * number}", x), factor)
    torch.testing.assert_close(network(lr), convolved(state, "tail", x) + mean, rtol=0, atol=1e-5)


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize(("scale", "factors"), [(3, [3]), (4, [2, 2])])
def test_srresnet_is_its_figure(scale, factors, batch_norm):
    """Figure 4, written out, with statistics and slopes that show."""
    torch.manual_seed(0)
    network = build("srresnet", 3, scale, blocks=2, features=8, batch_norm=batch_norm)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point() and tensor.ndim == 1:
                tensor.copy_(torch.rand_like(tensor) + 0.1)
    state, lr = network.eval().state_dict(), pixels(1, 3, 5, 6)

    def normed(name, number, x):
        x = convolved(state, f"{name}.{number}", x)
        if not batch_norm:
            return x
        of = {
            key: state[f"{name}.{number + 1}.{key}"]
            for key in ("running_mean", "running_var", "weight", "bias")
        }
        return F.batch_norm(x, of["running_mean"], of["running_var"], of["weight"], of["bias"])

    first = x = F.prelu(convolved(state, "head.0", lr), state["head.1.weight"])
    step = 2 if batch_norm else 1
    for block in range(2):
        name = f"body.{block}.residual"
        inner = F.prelu(normed(name, 0, x), state[f"{name}.{step}.weight"])
        x = x + normed(name, step + 1, inner)
    x = first + normed("body", 2, x)
    for number in range(len(factors)):
        shuffled = F.pixel_shuffle(convolved(state, f"enlarge.{3 * number}", x), factors[number])
        x = F.prelu(shuffled, state[f"enlarge.{3 * number + 2}.weight"])
    torch.testing.assert_close(network(lr), convolved(state, "tail", x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scale", SCALES)
def test_rrdbnet_is_the_one_that_spandrel_runs(scale):
    """The same weights in the same order give the same pictures as the network that reads ESRGAN's files."""
    theirs = pytest.importorskip("spandrel.architectures.ESRGAN").ESRGAN(num_blocks=2, scale=scale)
    mine, lr = build("rrdbnet", 3, scale, blocks=2), pixels(2, 3, 5, 6)
    state = theirs.state_dict()
    mine.load_state_dict(dict(zip(mine.state_dict(), state.values(), strict=True)))
    with torch.inference_mode():
        torch.testing.assert_close(mine(lr), theirs(lr), rtol=0, atol=1e-5)


def test_rrdbnet_s_dense_blocks_begin_small():
    """A tenth of what He et al. draw, biases 0."""
    torch.manual_seed(0)
    network = build("rrdbnet", 3, 4, blocks=1)
    for dense in network.body[0].residual:
        for conv in dense.convs:
            assert conv.weight.std().item() == pytest.approx(
                0.1 * math.sqrt(2 / (9 * conv.in_channels)), rel=0.05
            )
            assert not conv.bias.any()


# What they refuse, and how they are trained


@pytest.mark.parametrize(
    ("name", "scale", "params", "words"),
    [
        ("srcnn", 1, {}, "srcnn needs a scale of at least 2, not 1"),
        ("srcnn", 2, {"f1": 8}, "an odd f1, not 8"),
        ("fsrcnn", 10, {}, "leave gaps at ×10"),
        ("fsrcnn", 2, {"s": 0}, "fsrcnn needs s of at least 1, not 0"),
        ("espcn", 2, {"n2": 0}, "espcn needs n2 of at least 1, not 0"),
        ("vdsr", 2, {"layers": 1}, "layers of at least 2, the first and the last, not 1"),
        ("edsr", 6, {}, "edsr enlarges by 3 or by doublings, so its scale is 3 or a power of 2, not 6"),
        ("edsr", 2, {"residual_scale": 0.0}, "a finite residual_scale above 0, not 0"),
        ("srresnet", 1, {}, "3 or a power of 2, not 1"),
        ("srresnet", 2, {"blocks": 0}, "srresnet needs blocks of at least 1, not 0"),
        ("rrdbnet", 2, {"growth": 0}, "rrdbnet needs growth of at least 1, not 0"),
        ("rrdbnet", 2, {"residual_scale": math.nan}, "a finite residual_scale above 0, not nan"),
    ],
)
def test_what_cannot_be_is_refused(name, scale, params, words):
    with pytest.raises(ValueError, match=words):
        build(name, 1, scale, **params)


@every_model
@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_recipes_are_what_srbench_can_do(name, recipe, pictures):
    """At every scale as they stand, but for the patch of 128 that ESRGAN's paper has at ×4."""
    for scale in SCALES:
        request = Request((name,), datasets=(f"folder:root={pictures}",), scales=(scale,), recipe=recipe)
        if (name, recipe, scale) == ("rrdbnet", "paper", 3):
            with pytest.raises(UsageError, match="128"):
                plan(request)
        else:
            (job,) = [one for one in plan(request) if one.spec.trained]
            assert job.spec.patch == RECIPES[name][recipe]["patch"]
            assert (job.spec.ema is None) == (recipe == "paper")


@every_model
def test_the_docs_have_its_size_channels_and_differences(name):
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| `{name}` \| [A-Z].*$", page, re.M)
    with torch.device("meta"):
        count, _ = counted(build(name, 3 if CHANNELS[name] == "rgb" else 1, 4))
    assert f"| {count:,} | `{CHANNELS[name]}` | {', '.join(map(str, SCALES))} |" in row
    assert f"\n### {name}\n" in page


@every_model
def test_the_docs_show_the_paper_s_recipe(name):
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| `{name}` \| `.*$", page, re.M)
    recipe = {"clip": "", **RECIPES[name]["paper"]}
    clip = f", `--clip {recipe['clip']}`" if recipe["clip"] else ""
    assert row == (
        f"| `{name}` | `{recipe['loss']}` | `{recipe['optimizer']}`{clip} | {recipe['lr']:g} "
        f"| `{recipe['schedule']}` | {recipe['batch']} | {recipe['patch']} | {recipe['steps']:,} |"
    )
