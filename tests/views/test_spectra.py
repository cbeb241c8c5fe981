"""Spectra: white noise is flat, blur takes its octave, and what every run has is what counts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from stored import lapsrn, runs_in, scored, store

from srbench.metrics.detail import detail_rings
from srbench.views.pictures import Gallery, Original, Shown
from srbench.views.scenes import scenes_of
from srbench.views.spectra import BICUBIC, HR, radial_power, spectra_of


def test_white_noise_has_its_variance_in_every_ring():
    noise = torch.from_numpy(np.random.default_rng(0).normal(0.5, 0.1, (1, 2, 512, 512)))
    power = radial_power(noise, 64)
    assert power.shape == (2, 32)
    np.testing.assert_allclose(power[:, 1:], 0.01, rtol=0.1)
    np.testing.assert_allclose(power[:, 1:].mean(axis=1), 0.01, rtol=0.01)


def test_a_wave_stands_in_its_ring():
    wave = torch.sin(2 * torch.pi * 8 / 64 * torch.arange(256)).expand(1, 1, 256, 256)
    assert radial_power(wave, 64)[0].argmax() == 8 - 1


def smooth(pixels):
    around = [np.roll(pixels.astype(float), shift, axis) for shift in (-1, 0, 1) for axis in (0, 1)]
    return np.mean(around, axis=0).round().astype(np.uint8)


@pytest.fixture
def made(tmp_path):
    """A run that has HR itself, and one that blurs it, which has red alone."""
    for seed in (0, 1):
        store(tmp_path, lapsrn(seed=seed), scored(lapsrn(seed=seed), level=28))
    (scene,) = scenes_of(runs_in(tmp_path))
    rng = np.random.default_rng(1)
    hr = {name: rng.integers(40, 215, (96, 128, 3)).astype(np.uint8) for name in ("one", "two")}
    originals = {name: Original(one, one[::4, ::4], smooth(one)) for name, one in hr.items()}
    originals["small"] = Original(*(np.zeros((16, 16, 3), np.uint8) for _ in range(3)))
    whole = {name: one.hr for name, one in originals.items()}
    soft = {name: smooth(one.hr) for name, one in originals.items() if name != "two"}
    shown = [
        Shown(scene.runs[0].id, "whole", 1, ("r", "g", "b", "y"), whole, {}),
        Shown(scene.runs[1].id, "soft", 1, ("r",), soft, {"two": "gone"}),
    ]
    return Gallery(scene, originals, shown, "", [])


def test_spectra_are_of_the_pictures_that_every_run_has(made):
    found = spectra_of(made)
    assert list(found.pictures) == ["one"]
    assert found.notes == [
        "two is left out of the spectra: soft has no picture of it.",
        "small is left out of the spectra: it is smaller than 32×32 pixels.",
    ]
    assert found.nyquist == 0.125
    names = [(one.plane, one.label) for one in found.spectra]
    assert names[:5] == [("r", HR), ("r", BICUBIC), ("r", "whole"), ("r", "soft"), ("g", HR)]
    red = {one.label: one for one in found.spectra if one.plane == "r"}
    np.testing.assert_array_equal(red["whole"].power, red[HR].power)
    high = red[HR].frequency > 0.3
    assert (red["soft"].power[high] < 0.5 * red[HR].power[high]).all()


def test_detail_by_octave_is_that_of_its_rings(made):
    found = spectra_of(made)
    red = [one for one in found.octaves if one.plane == "r"]
    assert [(one.low, one.high) for one in red if one.label == "soft"] == [(0.125, 0.25), (0.25, 0.5)]
    assert [one.detail for one in red if one.label == "whole"] == pytest.approx([1, 1])
    soft = [one.detail for one in red if one.label == "soft"]
    hr, sr = (
        torch.from_numpy(one.transpose(2, 0, 1)[None, :1] / 255)
        for one in (made.originals["one"].hr, made.shown[1].pictures["one"])
    )
    found = detail_rings(sr, hr, 4)
    gain, weight, low = found.gain[0, 0], found.weight[0, 0], found.frequency <= 0.25
    expected = [(gain * weight)[one].sum() / weight[one].sum() for one in (low, ~low)]
    assert soft == pytest.approx([one.item() for one in expected], abs=1e-6)
    assert soft[0] > soft[1] + 0.1


def test_nothing_left_is_said(made):
    found = spectra_of(replace(made, originals={"small": made.originals["small"]}))
    assert not found.spectra
    assert len(found.notes) == 1
