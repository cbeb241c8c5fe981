"""Spectra as a figure: HR and every run on each plane, LR's Nyquist marked, legible."""

import numpy as np
import pytest
from legible import check

from srbench.errors import UsageError
from srbench.plots.spectrum import draw
from srbench.plots.style import paper
from srbench.views.spectra import BICUBIC, HR, OctaveDetail, Spectra, Spectrum


def spectra(count, long="run", planes="rgby", scale=4):
    frequency = np.arange(1, 33) / 64
    runs = {HR: "HR", BICUBIC: "bicubic", **{f"id {at}": f"{long} {at}" for at in range(count)}}
    ends = {2: [(0.25, 0.5)], 4: [(0.125, 0.25), (0.25, 0.5)], 3: [(1 / 6, 0.25), (0.25, 0.5)]}[scale]
    return Spectra(
        [
            Spectrum(key, label, plane, frequency, frequency ** (-2.0 - at / 5))
            for plane in planes
            for at, (key, label) in enumerate(runs.items())
        ],
        [
            OctaveDetail(key, label, plane, low, high, 0.5 / (at + 1))
            for plane in planes
            for at, (key, label) in enumerate(list(runs.items())[1:])
            for low, high in ends
        ],
        0.5 / scale,
        ["one", "two"],
        ["a note."],
    )


def drawn(found, **how):
    with paper():
        return draw(found, title="test sample ×4", scale=4, **how)


def test_every_plane_has_hr_bicubic_and_each_run_with_lr_s_nyquist():
    figure = drawn(spectra(2), width="page")
    power, octaves = figure.axes[:4], figure.axes[4:]
    assert [one.get_title() for one in power] == ["r", "g", "b", "y"]
    for axes in power:
        assert len(axes.lines) == 4 + 1
        np.testing.assert_allclose(axes.lines[0].get_ydata(), -20 * np.log10(np.arange(1, 33) / 64))
        assert set(axes.lines[-1].get_xdata()) == {0.125}
    assert [text.get_text() for text in octaves[0].get_xticklabels()] == ["1/8–1/4", "1/4–1/2"]


@pytest.mark.parametrize("width", ["column", "page"])
@pytest.mark.parametrize(
    ("count", "long", "planes"), [(1, "run", "y"), (3, "run", "rgb"), (12, "a_long_name " * 9, "rgby")]
)
def test_its_text_is_legible(count, long, planes, width):
    check(drawn(spectra(count, long, planes), width=width))


def test_planes_that_are_asked_for_are_shown_and_others_are_not_there():
    figure = drawn(spectra(1), width="column", planes=["b"])
    assert [one.get_ylabel() for one in figure.axes[::2]] == ["b: power, dB"]
    with pytest.raises(UsageError, match="No run has the plane 'y'. There are: r, g"):
        drawn(spectra(1, planes="rg"), planes=["y"])


def test_ends_of_octaves_at_odd_scales_are_told():
    figure = drawn(spectra(1, scale=3), planes=["y"])
    assert figure.axes[1].get_xticklabels()[0].get_text() == "1/6–1/4"


def test_nothing_to_draw_says_why():
    with pytest.raises(UsageError, match=r"There is no spectrum to draw\. all is small\."):
        drawn(Spectra([], [], 0.125, [], ["all is small."]))
