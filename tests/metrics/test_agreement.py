"""PSNR, SSIM and LPIPS equal scikit-image and the lpips package for any size, dtype, batch and device."""

import warnings

import lpips as package
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchvision import models

from srbench.metrics.backbones import set_weights_dir
from srbench.metrics.lpips import lpips
from srbench.metrics.psnr import psnr
from srbench.metrics.ssim import ssim

PHOTO = torch.from_numpy(data.astronaut().copy()).permute(2, 0, 1)[None].double() / 255
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]

on_each_device = pytest.mark.parametrize("device", DEVICES)


@st.composite
def pairs(draw, smallest=1, largest=70, planes=(1, 4)):
    """SR and HR of one shape and dtype: noise, or crops of a photograph with noise upon them."""
    shape = [draw(st.integers(1, 3)), draw(st.integers(*planes))]
    shape += [draw(st.integers(smallest, largest)) for _ in range(2)]
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    hr = torch.rand(shape, generator=generator, dtype=torch.float64)
    if draw(st.booleans()):
        top, left = draw(st.integers(0, 400)), draw(st.integers(0, 400))
        crop = PHOTO[..., top : top + shape[2], left : left + shape[3]]
        hr = crop[:, [n % 3 for n in range(shape[1])]].expand(shape[0], -1, -1, -1)
    noise = draw(st.sampled_from([0.5, 0.1, 1 / 255]))
    sr = (hr + noise * (torch.rand(shape, generator=generator, dtype=torch.float64) - 0.5)).clamp(0, 1)
    dtype = draw(st.sampled_from(DTYPES))
    return sr.to(dtype), hr.to(dtype)


def by_plane(score, sr, hr):
    """`score` of each plane as float64 arrays, (N, C)."""
    arrays = [x.double().numpy() for x in (sr, hr)]
    number, channels = sr.shape[:2]
    values = [[score(arrays[0][n, c], arrays[1][n, c]) for c in range(channels)] for n in range(number)]
    return torch.tensor(values, dtype=torch.float64)


@on_each_device
@settings(max_examples=60)
@given(pair=pairs())
def test_psnr_is_scikit_images(device, pair):
    sr, hr = pair
    with np.errstate(divide="ignore"):
        golden = by_plane(lambda a, b: float(peak_signal_noise_ratio(b, a, data_range=1)), sr, hr)
    torch.testing.assert_close(psnr(sr.to(device), hr.to(device)).cpu(), golden, rtol=0, atol=1e-6)


@on_each_device
@settings(max_examples=40)
@given(pair=pairs(smallest=11), edge=st.sampled_from(["valid", "replicate"]))
def test_ssim_is_scikit_images(device, pair, edge):
    """For `replicate`, of pictures padded by the window's reach."""
    sr, hr = pair

    def score(a, b):
        if edge == "replicate":
            a, b = (np.pad(x, 5, mode="edge") for x in (a, b))
        return structural_similarity(
            a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1
        )

    golden = by_plane(score, sr, hr)
    torch.testing.assert_close(ssim(sr.to(device), hr.to(device), edge).cpu(), golden, rtol=0, atol=1e-6)


@pytest.fixture(scope="module")
def squeeze(tmp_path_factory):
    """The package's own network on a random backbone, which srbench finds as its weights."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    features = models.get_model("squeezenet1_1", weights=None).features.state_dict(prefix="features.")
    save_file(features, folder / "squeezenet1_1-features.safetensors")
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = package.LPIPS(net="squeeze", pnet_rand=True, verbose=False)
    set_weights_dir(folder)
    tf32, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False  # as every scoring has it
    yield network
    torch.backends.cudnn.allow_tf32 = tf32
    set_weights_dir(None)


@on_each_device
@settings(max_examples=15)
@given(pair=pairs(smallest=17, planes=(3, 3)))
def test_lpips_is_the_packages(squeeze, device, pair):
    sr, hr = pair
    with torch.no_grad():
        golden = squeeze(2 * sr.float() - 1, 2 * hr.float() - 1).flatten().double()
    torch.testing.assert_close(
        lpips(sr.to(device), hr.to(device), "squeeze").cpu(), golden, rtol=0, atol=1e-5
    )
