"""Picture files: every odd kind decodes to the right 8-bit pixels, or is refused in one clear paragraph."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile
from skimage import data

from srbench.errors import PictureError
from srbench.images.png import quantise, read_picture, to_tensor, write_png
from srbench.types import Picture

PHOTO = data.chelsea()[100:148, 120:184].copy()
GREY = PHOTO[..., 1].copy()


def read(path, box=None):
    return read_picture(Picture(path.stem, path, box))


def deep_png(samples):
    """A 16-bit PNG of (H, W, C) samples; Pillow writes none with colour."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width, channels = samples.shape
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def deep_samples(channels):
    return np.random.default_rng(0).integers(0, 65536, (12, 17, channels), dtype=np.uint16)


def rounded(samples):
    return np.round(samples / 257).astype(np.uint8)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp", "ppm", "gif"])
def test_lossless_colour_comes_back_exactly(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    pixels = PHOTO // 64 * 64 if suffix == "gif" else PHOTO
    Image.fromarray(pixels).save(path, **({"lossless": True} if suffix == "webp" else {}))
    np.testing.assert_array_equal(read(path), pixels)


def test_grey_file_stays_one_plane(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    Image.fromarray(GREY).save(tmp_path / "a.jpg", quality=100)
    np.testing.assert_array_equal(read(tmp_path / "a.png"), GREY)
    assert read(tmp_path / "a.jpg").shape == GREY.shape


def test_jpeg_decodes_as_pillow_does(tmp_path):
    Image.fromarray(PHOTO).save(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read(tmp_path / "a.jpg"), np.asarray(Image.open(tmp_path / "a.jpg")))


def test_alpha_is_dropped_and_stored_colours_stay(tmp_path):
    alpha = np.linspace(0, 255, GREY.size).reshape(GREY.shape).astype(np.uint8)
    Image.fromarray(np.dstack([PHOTO, alpha])).save(tmp_path / "rgba.png")
    Image.fromarray(np.dstack([GREY, alpha])).save(tmp_path / "la.png")
    np.testing.assert_array_equal(read(tmp_path / "rgba.png"), PHOTO)
    np.testing.assert_array_equal(read(tmp_path / "la.png"), GREY)


@pytest.mark.parametrize("transparency", [None, 3, bytes(range(0, 256, 2))])
def test_palette_becomes_rgb_with_or_without_transparency(tmp_path, transparency):
    image = Image.fromarray(PHOTO).quantize(128)
    expected = np.asarray(image.convert("RGB"))
    image.save(tmp_path / "a.png", **({} if transparency is None else {"transparency": transparency}))
    np.testing.assert_array_equal(read(tmp_path / "a.png"), expected)


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk_becomes_rgb(tmp_path, suffix):
    options = {"quality": 100, "subsampling": 0} if suffix == "jpg" else {}
    Image.fromarray(PHOTO).convert("CMYK").save(tmp_path / f"a.{suffix}", **options)
    difference = read(tmp_path / f"a.{suffix}").astype(int) - PHOTO
    assert abs(difference).max() <= (6 if suffix == "jpg" else 0)


def test_one_bit_becomes_black_and_white(tmp_path):
    bits = GREY > 128
    for suffix in ("png", "tif"):
        Image.fromarray(bits).save(tmp_path / f"a.{suffix}")
        np.testing.assert_array_equal(read(tmp_path / f"a.{suffix}"), bits * np.uint8(255))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bit_png_is_rounded_not_cut(tmp_path, channels):
    """Pillow alone would drop the low byte of colour: 0x01ff → 1 where 511 / 257 rounds to 2."""
    samples = deep_samples(channels)
    samples[0, 0], samples[0, 1] = 0x01FF, 0xFFFF
    (tmp_path / "a.png").write_bytes(deep_png(samples))
    expected = rounded(samples[..., 0] if channels < 3 else samples[..., :3])
    np.testing.assert_array_equal(read(tmp_path / "a.png"), expected)


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_16_bit_grey_tiff_is_rounded(tmp_path, photometric):
    samples = deep_samples(1)[..., 0]
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric=photometric)
    expected = rounded(samples if photometric == "minisblack" else 65535 - samples)
    np.testing.assert_array_equal(read(tmp_path / "a.tif"), expected)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_colour_tiff_is_rounded(tmp_path, planar, channels):
    samples = deep_samples(channels)
    stored = samples if planar == "contig" else np.moveaxis(samples, -1, 0)
    extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    tifffile.imwrite(
        tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, compression="zlib", **extra
    )
    np.testing.assert_array_equal(read(tmp_path / "a.tif"), rounded(samples[..., :3]))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "deep.tif"])
def test_orientation_of_the_camera_is_undone(tmp_path, orientation, suffix):
    """The picture a viewer shows: a bright corner stored anywhere comes back at the top left."""
    upright = np.zeros((24, 40, 3), np.uint8)
    upright[:8, :8] = 255
    upright[:8, 8:16, 0] = 255
    turns = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1),
        6: lambda p: np.rot90(p, 1),
        7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
        8: lambda p: np.rot90(p, -1),
    }
    stored = np.ascontiguousarray(turns[orientation](upright))
    path = tmp_path / f"a.{suffix}"
    if suffix == "deep.tif":
        deep = stored.astype(np.uint16) * 257
        tifffile.imwrite(path, deep, photometric="rgb", extratags=[(0x0112, "H", 1, orientation)])
    else:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options = {"quality": 100, "subsampling": 0} if suffix == "jpg" else {}
        Image.fromarray(stored).save(path, exif=exif, **options)
    pixels = read(path)
    assert pixels.shape == upright.shape
    assert abs(pixels.astype(int) - upright).max() <= 4


def test_box_is_cut_from_file_and_from_array(tmp_path):
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    for hr in (tmp_path / "a.png", PHOTO):
        tile = read_picture(Picture("tile", hr, (3, 5, 10, 20)))
        np.testing.assert_array_equal(tile, PHOTO[3:13, 5:25])


def test_pixels_may_be_changed_without_touching_the_next_reading(tmp_path):
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    read(tmp_path / "a.png")[:] = 0
    np.testing.assert_array_equal(read(tmp_path / "a.png"), PHOTO)


def test_a_file_written_anew_is_read_anew(tmp_path):
    path = tmp_path / "a.png"
    for pixels in (PHOTO, PHOTO[:-1]):
        Image.fromarray(pixels).save(path)
        np.testing.assert_array_equal(read(path), pixels)


@pytest.mark.parametrize("box", [(0, 0, 49, 64), (-1, 0, 8, 8), (0, 60, 8, 8), (0, 0, 0, 8)])
def test_box_outside_the_file_names_both_sizes(tmp_path, box):
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    with pytest.raises(PictureError, match=r"a\.png is 64×48, but the tile 'a' needs"):
        read(tmp_path / "a.png", box)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(PictureError, match=r"a\.png does not exist\. Put it back"):
        read(tmp_path / "a.png")


def test_folder_is_not_a_picture(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(PictureError, match=r"a\.png cannot be read \(Is a directory\)"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("content", [b"hello, this is text", b"", b"<svg/>"])
def test_text_named_png_is_not_a_picture(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(PictureError, match=r"a\.png is not a picture srbench can read.*Replace it"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(("suffix", "options"), [("jpg", {}), ("jpg", {"progressive": True}), ("png", {})])
def test_truncated_file_is_never_accepted(tmp_path, suffix, options, lenient, monkeypatch):
    """Wherever it is cut, to the very last byte, and even where another package made Pillow lenient."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(PHOTO).save(path, **options)
    whole = path.read_bytes()
    for missing in (1, 2, 5, 9, 13, 40, len(whole) // 2, len(whole) - 40):
        path.write_bytes(whole[:-missing])
        with pytest.raises(PictureError, match=rf"a\.{suffix} .*[Cc]opy|not a picture"):
            read(path)


def test_truncated_16_bit_png_is_refused(tmp_path):
    content = deep_png(deep_samples(3))
    for missing in (1, 13, 100):
        (tmp_path / "a.png").write_bytes(content[:-missing])
        with pytest.raises(PictureError, match=r"a\.png .*[Cc]opy"):
            read(tmp_path / "a.png")


def test_decompression_bomb_is_refused(tmp_path):
    """A few kilobytes that claim 20000 × 20000 pixels."""
    Image.new("1", (20000, 20000)).save(tmp_path / "a.png")
    with pytest.raises(PictureError, match=r"a\.png is refused.*bomb"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_depth_without_a_white_is_refused(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "a.tif", GREY.astype(dtype))
    with pytest.raises(PictureError, match=r"a\.tif has 32.*Convert it to an 8-bit PNG"):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize("pixels", [PHOTO / 255, PHOTO[..., :2], PHOTO[:0], PHOTO[None]])
def test_array_of_another_kind_is_named(pixels):
    with pytest.raises(PictureError, match=r"Picture 'a' is an array of .* takes uint8"):
        read_picture(Picture("a", pixels))


def test_damaged_metadata_warns_nobody(tmp_path):
    """Pillow warns of a broken EXIF block; warnings are errors here."""
    buffer = io.BytesIO()
    Image.fromarray(PHOTO).save(buffer, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01")
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    assert read(tmp_path / "a.jpg").shape == PHOTO.shape


def test_to_tensor_gives_planes_in_unit_range():
    rgb, grey = to_tensor(PHOTO), to_tensor(GREY)
    assert (rgb.shape, grey.shape) == ((1, 3, 48, 64), (1, 1, 48, 64))
    assert rgb.dtype == torch.float32
    assert rgb.is_contiguous()
    torch.testing.assert_close(rgb[0, 1], torch.from_numpy(GREY) / 255, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_level_is_a_fixed_point(dtype):
    levels = torch.arange(256, dtype=dtype) / 255
    assert torch.equal(quantise(levels), levels)


@given(st.floats(-1, 2, width=32), st.sampled_from([torch.float32, torch.float64]))
def test_quantise_gives_the_nearest_level_inside_the_range(value, dtype):
    x = torch.tensor([value], dtype=dtype)
    level = quantise(x) * 255
    assert quantise(x).dtype == dtype
    assert abs(level - level.round()).item() < 1e-4
    assert abs(level / 255 - x.clamp(0, 1)).item() <= 0.5 / 255 + 1e-6


def test_ties_round_up():
    ties = (torch.arange(255, dtype=torch.float64) + 0.5) / 255
    for nudge in (-1e-16, 0, 1e-16):
        assert torch.equal(
            (quantise(ties + nudge) * 255).round(), torch.arange(1.0, 256, dtype=torch.float64)
        )


def test_what_is_not_finite_cannot_pass_for_white():
    assert quantise(torch.tensor([torch.inf, -torch.inf, torch.nan])).isnan().all()


@pytest.mark.parametrize("pixels", [PHOTO, GREY])
def test_written_picture_comes_back(tmp_path, pixels):
    for picture in (to_tensor(pixels), to_tensor(pixels)[0]):
        write_png(tmp_path / "new" / "a.png", picture)
        np.testing.assert_array_equal(read(tmp_path / "new" / "a.png"), pixels)


def test_written_picture_is_clamped_and_nan_is_black(tmp_path):
    write_png(tmp_path / "a.png", torch.tensor([[[-1.0, 2.0, torch.nan, 0.5]]]))
    np.testing.assert_array_equal(read(tmp_path / "a.png"), [[0, 255, 0, 128]])


def test_write_refuses_another_shape():
    with pytest.raises(ValueError, match=r"not \(2, 3, 4, 4\)"):
        write_png(None, torch.zeros(2, 3, 4, 4))


def test_a_file_holds_the_levels_that_are_scored(tmp_path):
    """Half-way values in float32, which lie beside half-way in float64."""
    sr = ((torch.arange(255) + 0.5) / 255).reshape(1, 1, 1, -1)
    write_png(tmp_path / "a.png", sr)
    found = read_picture(Picture("a", tmp_path / "a.png"))
    assert torch.equal(to_tensor(found), quantise(sr))
    assert not torch.equal(quantise(sr.double()).float(), quantise(sr))
