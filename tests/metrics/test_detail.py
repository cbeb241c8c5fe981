"""Detail on Set14: the figures that define it, cases of known truth, and LapSRN by its authors' weights.

Figures are means over pictures, of the red plane of the whole picture and of SR rounded to 8 bits.
"""

from functools import partial

import numpy as np
import pytest
import torch
from degraded import (
    as_tensor,
    blurred,
    by_bicubic,
    invented,
    moved,
    noise,
    read_planes,
    share_left_by_blur,
    sharpened,
    to_8_bits,
)
from scipy.stats import mannwhitneyu, spearmanr
from skimage.restoration import denoise_tv_chambolle

from srbench.foreign.weights import read_weights
from srbench.images.resize import bicubic
from srbench.metrics.detail import Detail, detail
from srbench.metrics.protocol import prepare
from srbench.metrics.verdict import lagging, verdict
from srbench.plan.terms import component_spec
from srbench.predict import predict

SCALES = (2, 4)

CASES = {
    "HR": lambda hr, scale: hr,
    "blur 0.5": lambda hr, scale: blurred(hr, 0.5),
    "blur 0.7": lambda hr, scale: blurred(hr, 0.7),
    "blur 1.0": lambda hr, scale: blurred(hr, 1.0),
    "noise": lambda hr, scale: hr + noise(hr),
    "blur 1.0 + noise": lambda hr, scale: blurred(hr, 1.0) + noise(hr),
    "bicubic": by_bicubic,
    "half way to bicubic": partial(by_bicubic, recovered=0.5),
    "moved": lambda hr, scale: moved(hr),
    "total variation": lambda hr, scale: denoise_tv_chambolle(hr, weight=0.1),
    # Beyond the figures, to be told apart:
    "blur 0.25": lambda hr, scale: blurred(hr, 0.25),
    "blur 0.25 + noise": lambda hr, scale: blurred(hr, 0.25) + noise(hr),
    "sharpened": sharpened,
    "invented": invented,
    "invented over a third of HR": lambda hr, scale: hr / 3 + invented(hr, scale) * 2 / 3,
}


def near(value, tolerance):
    return pytest.approx(value, abs=tolerance)


def below(value):
    """Of what cannot be negative."""
    return pytest.approx(0, abs=value)


# detail ×2 and ×4, invented ×4, presence ×2 and ×4
FIGURES = {
    "HR": (near(1, 1e-5), near(1, 1e-5), below(1e-5), near(1, 1e-5), near(1, 1e-5)),
    "blur 0.5": (near(0.52, 0.03), near(0.68, 0.03), below(0.1), near(0.52, 0.03), near(0.68, 0.03)),
    "blur 0.7": (near(0.28, 0.03), near(0.49, 0.03), below(0.1), near(0.28, 0.03), near(0.49, 0.03)),
    "blur 1.0": (near(0.09, 0.03), near(0.29, 0.03), below(0.1), near(0.09, 0.03), near(0.29, 0.03)),
    "noise": (near(1, 0.03), near(1, 0.03), below(0.1), near(1.01, 0.04), near(1, 0.03)),
    "blur 1.0 + noise": (
        near(0.095, 0.03), near(0.29, 0.03), below(0.1), near(0.13, 0.05), near(0.30, 0.04),
    ),
    "bicubic": (
        near(0.061, 0.015), near(0.025, 0.01), near(0.14, 0.03), near(0.22, 0.04), near(0.14, 0.03),
    ),
    "half way to bicubic": (
        near(0.53, 0.03), near(0.515, 0.03), below(0.12), near(0.54, 0.03), near(0.52, 0.03),
    ),
    "moved": (near(0.96, 0.03), near(0.98, 0.03), near(0.16, 0.05), near(0.99, 0.03), near(0.99, 0.03)),
    "total variation": (
        near(0.25, 0.05), near(0.30, 0.05), near(0.21, 0.05), near(0.36, 0.05), near(0.37, 0.05),
    ),
}  # fmt: skip

WORDS = {
    "HR": "faithful",
    "blur 0.5": "over-smoothed",
    "blur 0.7": "over-smoothed",
    "blur 1.0": "over-smoothed",
    "noise": "faithful",
    "blur 1.0 + noise": "over-smoothed",
    "bicubic": "over-smoothed",
    "half way to bicubic": "over-smoothed",
    "moved": "faithful",
    "total variation": "over-smoothed",
    "blur 0.25": "faithful",
    "blur 0.25 + noise": "faithful",
    "sharpened": "over-sharpened",
    "invented": "invented detail",
    "invented over a third of HR": "invented detail",
}


@pytest.fixture(scope="module")
def read(assets):
    """Pictures of a set by its name, read once."""
    kept = {}

    def of(name):
        folder = assets / "data" / name
        if not folder.is_dir():
            pytest.skip(f"{folder} is not there")
        if name not in kept:
            kept[name] = read_planes(folder)
        return kept[name]

    return of


@pytest.fixture(scope="module")
def scored(read):
    """`Detail` of the red planes of Set14, (14,) each, for a case and a scale; measured once."""
    kept = {}

    def of(case, scale):
        if (case, scale) not in kept:
            kept[case, scale] = measured(read("set14"), partial(CASES[case], scale=scale), scale)
        return kept[case, scale]

    return of


def measured(pictures, degrade, scale, plane=0):
    """`Detail` of one plane of each picture, (pictures,) float64 arrays."""
    found = []
    for picture in pictures:
        hr = picture[plane]
        found.append(detail(as_tensor(to_8_bits(degrade(hr))), as_tensor(hr), scale))
    return Detail(*(torch.cat(values).flatten().numpy() for values in zip(*found, strict=True)))


@pytest.mark.parametrize("case", FIGURES)
def test_figures_of_set14(scored, case):
    two, four = (scored(case, scale) for scale in SCALES)
    fields = (two.detail, four.detail, four.invented, two.presence, four.presence)
    assert tuple(float(np.mean(values)) for values in fields) == FIGURES[case]
    for found in (two, four):
        assert (found.invented >= 0).all()
        np.testing.assert_allclose(found.presence, np.hypot(np.maximum(found.detail, 0), found.invented))


def test_bicubic_is_weaker_than_its_error_asks_for_and_nothing_is_misplaced(scored):
    """Bicubic's slope is 1.2 to 1.5; its shift is none, and that of a picture moved by (½, ½) is found."""
    for scale in SCALES:
        assert 1.2 < scored("bicubic", scale).slope.mean() < 1.5
        assert scored("bicubic", scale).shift.mean() < 0.05
        assert scored("moved", scale).shift.mean() == near(0.5**0.5, 0.02)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("sigma", [0.25, 0.5, 0.7, 1.0, 1.5])
def test_blur_leaves_its_frequency_response(read, scored, scale, sigma):
    """detail = Σ exp(−2π²σ²k²/n²)/k ÷ Σ 1/k over the band, within 0.05 in the mean over a set."""
    expected = near(share_left_by_blur(sigma, scale), 0.05)
    assert measured(read("set5"), partial(blurred, sigma=sigma), scale).detail.mean() == expected
    if f"blur {sigma}" in CASES:
        assert scored(f"blur {sigma}", scale).detail.mean() == expected


# Cases of known truth


@pytest.fixture(scope="module")
def graded(read):
    """Set14 at one scale, each picture blurred and mixed with bicubic by degrees of its own.

    Returns:
        {"blur" or "recovered": (degrees, true share of detail left, `Detail`)}, flat arrays.
    """
    kept = {}

    def of(scale):
        if scale not in kept:
            pictures, random = read("set14"), np.random.default_rng(scale)
            sigmas, shares = (
                (np.arange(2)[:, None] + random.random((2, len(pictures)))) / 2 for _ in range(2)
            )
            sigmas = 0.2 + 1.2 * sigmas
            blur = [
                measured([picture], partial(blurred, sigma=sigma), scale)
                for row in sigmas for picture, sigma in zip(pictures, row, strict=True)
            ]  # fmt: skip
            mixed = [
                measured([picture], partial(by_bicubic, scale=scale, recovered=share), scale)
                for row in shares for picture, share in zip(pictures, row, strict=True)
            ]  # fmt: skip
            joined = [Detail(*map(np.concatenate, zip(*found, strict=True))) for found in (blur, mixed)]
            left = np.array([share_left_by_blur(sigma, scale) for sigma in sigmas.flat])
            kept[scale] = {
                "blur": (sigmas.flatten(), left, joined[0]),
                "recovered": (shares.flatten(), shares.flatten(), joined[1]),
            }
        return kept[scale]

    return of


@pytest.mark.parametrize("scale", SCALES)
def test_detail_follows_the_degree_of_blur_and_of_recovery(graded, scale):
    found = graded(scale)
    sigmas, _, of_blur = found["blur"]
    shares, _, of_mixture = found["recovered"]
    assert spearmanr(sigmas, of_blur.detail).statistic <= -0.99
    assert spearmanr(shares, of_mixture.detail).statistic >= 0.99


@pytest.mark.parametrize("scale", SCALES)
def test_over_smoothed_pictures_are_told_from_the_others(graded, scored, scale):
    """Area under the ROC curve. Over-smoothed: less than 0.7 of the detail is left, with or without noise."""
    lost, kept = [], []
    for _, left, found in graded(scale).values():
        both = np.stack([found.detail, found.presence])
        lost.append(both[:, left < 0.7])
        kept.append(both[:, left >= 0.7])
    for case, word in WORDS.items():
        side = lost if word == "over-smoothed" else kept
        if word != "invented detail":
            side.append(np.stack([scored(case, scale).detail, scored(case, scale).presence]))
    (lost_detail, lost_presence), (kept_detail, kept_presence) = (
        np.concatenate(one, axis=1) for one in (lost, kept)
    )
    made = [scored(case, scale).presence for case, word in WORDS.items() if word == "invented detail"]
    assert area(kept_detail, lost_detail) >= 0.99
    assert area(np.concatenate([kept_presence, *made]), lost_presence) >= 0.985


def area(higher, lower):
    """The share of pairs in which `higher` is the higher."""
    return mannwhitneyu(higher, lower).statistic / (len(higher) * len(lower))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("case", WORDS)
def test_no_run_gets_a_wrong_verdict(scored, case, scale):
    found = scored(case, scale)
    said = verdict(found.presence, found.detail, found.slope)
    assert said.word == WORDS[case]
    assert (said.presence.n, said.presence.left_out) == (14, 0)


def test_the_one_blurred_channel_is_named(read):
    """SR has three quarters of what bicubic lacks, and one channel is blurred further; over sets of 7 and 14.

    Two of the pictures are grey ones. What is not blurred does not lag.
    """
    pictures = read("set14")
    exact, cases, sets = 0, 0, (slice(None), slice(7), slice(7, None))
    for scale in SCALES:
        channels = [
            {sigma: measured(pictures, partial(_three_quarters, scale=scale, sigma=sigma), scale, plane)
             for sigma in (0, 0.4, 0.7)}
            for plane in range(3)
        ]  # fmt: skip
        for chosen in sets:
            alike = {plane: channels[at][0] for at, plane in enumerate("rgb")}
            content = {plane: found.content[chosen] for plane, found in alike.items()}
            assert not lagging({plane: found.detail[chosen] for plane, found in alike.items()}, content)
            for (at, plane), sigma in ((one, sigma) for one in enumerate("rgb") for sigma in (0.4, 0.7)):
                values = {**alike, plane: channels[at][sigma]}
                lags = lagging({one: found.detail[chosen] for one, found in values.items()}, content)
                exact += [lag.plane for lag in lags] == [plane]
                cases += 1
    assert exact / cases >= 0.95


def _three_quarters(hr, scale, sigma):
    mixed = by_bicubic(hr, scale, recovered=0.75)
    return blurred(mixed, sigma) if sigma else mixed


# A real network


@pytest.mark.parametrize(
    ("scale", "figures"), [(2, (0.34, 0.41, 0.55)), (4, (0.23, 0.35, 0.42))], ids=["x2", "x4"]
)
def test_the_authors_lapsrn_is_over_smoothed(assets, read, scale, figures):
    """Luma with bicubic chroma, a border of `scale` cropped; the figures are of the plane y.

    Red, green and blue have up to 0.05 less of it (×2: detail 0.32, 0.32, 0.30), their chroma being bicubic.
    """
    file = assets / "weights" / "lapsrn" / f"LapSRN_x{scale}.mat"
    if not file.exists():
        pytest.skip(f"{file} is not there")
    weights = read_weights(file, component_spec("model", "lapsrn"), scale, "y")
    networks = {plane: network.eval() for plane, network in weights.networks.items()}
    found = []
    for picture in read("set14"):
        hr = torch.from_numpy(picture)[None].float()
        sr = predict(networks, "y", bicubic()(hr, scale), scale, weights.size_multiple)[scale]
        found.append(detail(*prepare(sr, hr, ("r", "g", "b", "y"), scale), scale))
    values = Detail(*(torch.cat(one).numpy() for one in zip(*found, strict=True)))  # (14, 4)
    means = [float(one[:, 3].mean()) for one in values]
    assert tuple(means[:3]) == tuple(near(figure, 0.03) for figure in figures)
    assert means[3] == near(0.96, 0.05)
    for plane in range(4):
        said = verdict(values.presence[:, plane], values.detail[:, plane], values.slope[:, plane])
        assert said.word == "over-smoothed"
