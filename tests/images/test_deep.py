"""16-bit PNG files are read by libpng and by Pillow as they were meant."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odd import read_deep
from PIL import Image

from srbench.images.deep import encode_deep_png


@given(
    seed=st.integers(0, 99), height=st.integers(1, 140), width=st.integers(1, 9), channels=st.integers(1, 4),
    smooth=st.booleans(),
)  # fmt: skip
@settings(max_examples=40)
def test_what_is_written_is_read(tmp_path_factory, seed, height, width, channels, smooth):
    samples = np.random.default_rng(seed).integers(0, 65536, (height, width, channels), np.uint16)
    if smooth:  # so that both filters are taken
        samples = (samples >> 12).cumsum(axis=seed % 2).astype(np.uint16)
    path = tmp_path_factory.getbasetemp() / "a.png"
    path.write_bytes(encode_deep_png(samples, profile=b"profile", text=("key", "value")))
    np.testing.assert_array_equal(read_deep(path), samples)
    with Image.open(path) as image:
        image.load()
        assert image.size == (width, height)
        assert (image.info["key"], image.info["icc_profile"]) == ("value", b"profile")


@pytest.mark.parametrize("axis", [0, 1])
def test_a_ramp_is_compressed_along_either_axis(axis):
    """Unfiltered it would be 40,000 bytes and more."""
    ramp = np.arange(200 * 100, dtype=np.uint16).reshape(200, 100) * 3
    content = encode_deep_png((ramp if axis else ramp.T)[..., None])
    assert len(content) < 1500
    with Image.open(io.BytesIO(content)) as image:
        np.testing.assert_array_equal(np.asarray(image), ramp if axis else ramp.T)
