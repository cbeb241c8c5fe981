"""Odd pictures through the command line: each has its right result, or one clear line."""

import io

import numpy as np
import pytest
import tifffile
import torch
from odd import PHOTOGRAPH, bicubic, chunk, cmyk_profile, header, png, read_deep
from PIL import Image, ImageCms
from small import srbench
from stored import bicubic as baseline
from stored import store

from srbench.predict import NetworkUpscaler
from srbench.registry import registry
from srbench.upscale import upscale_files
from srbench.upscale.enlarge import Enlarger
from srbench.upscale.naming import Task


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A store with bicubic ×2, for which the right result of any picture is known."""
    root = tmp_path_factory.mktemp("results")
    store(root, baseline(2))
    return root


@pytest.fixture
def upscale(results, tmp_path, monkeypatch, capsys):
    """Upscale a file; its result's path, or the one line that is said in place of it."""

    def run(path):
        line = [
            "-q",
            "upscale",
            "bicubic",
            str(path),
            "-o",
            str(tmp_path / "large"),
            "--results",
            str(results),
        ]
        code = srbench(line, monkeypatch)
        said = capsys.readouterr()
        if code == 0:
            target = tmp_path / "large" / f"{path.stem}_x2.png"
            assert said.out == f"{target}\n"
            assert not said.err
            return target
        assert code == 1
        assert not said.out
        assert not list((tmp_path / "large").iterdir())
        (line,) = said.err.splitlines()
        assert str(path) in line
        return line

    return run


def saved(path, image, **how):
    image.save(path, **how)
    return path


def pixels(path, mode):
    """Pixels of a result, which must have that mode."""
    with Image.open(path) as image:
        assert (image.format, image.mode) == ("PNG", mode)
        return np.asarray(image).astype(float)


def disc(side=24):
    """True inside a disc, and a smooth edge from 0 to 255."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return np.clip((side / 3 - np.hypot(y, x)) * 100 + 128, 0, 255).astype(np.uint8)


def test_a_photograph_is_what_bicubic_makes_of_it(upscale, tmp_path):
    made = upscale(saved(tmp_path / "a.png", Image.fromarray(PHOTOGRAPH)))
    assert np.abs(pixels(made, "RGB") - bicubic(PHOTOGRAPH)).max() <= 1
    with Image.open(made) as image:
        assert (image.width, image.height) == (2 * PHOTOGRAPH.shape[1], 2 * PHOTOGRAPH.shape[0])


def test_alpha_is_enlarged_and_hidden_colours_do_not_bleed(upscale, tmp_path):
    """A green disc on magenta that nobody sees: bicubic of both would have purple edges."""
    alpha = disc()
    colour = np.where(alpha[..., None] > 0, [10, 200, 30], [255, 0, 255]).astype(np.uint8)
    made = pixels(upscale(saved(tmp_path / "a.png", Image.fromarray(np.dstack([colour, alpha])))), "RGBA")
    assert np.abs(made[..., 3] - bicubic(alpha)).max() <= 1
    assert (made[..., :3][made[..., 3] > 0] == [10, 200, 30]).all()


def test_grey_with_alpha_stays_so(upscale, tmp_path):
    grey = PHOTOGRAPH[:24, :24, 0]
    alpha = np.maximum(disc(), 1)  # nothing is hidden
    made = pixels(upscale(saved(tmp_path / "a.png", Image.fromarray(np.dstack([grey, alpha])))), "LA")
    assert np.abs(made - np.dstack([bicubic(grey), bicubic(alpha)])).max() <= 1


def test_grey_stays_grey(upscale, tmp_path):
    grey = PHOTOGRAPH[..., 1]
    made = pixels(upscale(saved(tmp_path / "a.jpg", Image.fromarray(grey), quality=100)), "L")
    assert np.abs(made - bicubic(grey)).max() <= 3  # JPEG's own error


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("run", ["größe-x2-0", "超解像-x2-0"])
def test_what_a_run_of_any_name_made_is_known_again(tmp_path, depth, run):
    source, target = tmp_path / "a.png", tmp_path / "a_x2.png"
    Image.fromarray(np.zeros((4, 4), f"uint{depth}")).save(source)
    model = registry().find("model", "bicubic").make(planes=3, scale=2)
    enlarger = Enlarger(NetworkUpscaler({"rgb": model}, "rgb", 2, 1, True, torch.device("cpu")), run)

    def upscaled():
        tasks = [Task(source, target)]
        (done,) = upscale_files(enlarger, tasks, {"run": run}, lambda: None, quiet=True)
        assert done.error is None
        return done.is_new

    assert upscaled()
    assert not upscaled()


def test_grey_of_16_bits_is_not_cut_to_8_on_the_way(upscale, tmp_path):
    """A ramp within one and a half levels of 8 bits: these would make two or three levels of it."""
    ramp = np.linspace(30000, 30400, 30 * 30).reshape(30, 30).astype(np.uint16)
    made = read_deep(upscale(saved(tmp_path / "a.png", Image.fromarray(ramp))))
    assert made.dtype == np.uint16
    assert made.shape == (60, 60, 1)
    assert np.abs(made[..., 0].astype(float) - bicubic(ramp, 65535)).max() <= 1
    assert len(np.unique(made)) > 256


@pytest.mark.parametrize(("channels", "colour_type"), [(3, 2), (4, 6), (2, 4)])
def test_colour_and_alpha_of_16_bits_stay_too(upscale, tmp_path, channels, colour_type):
    rng = np.random.default_rng(channels)
    samples = rng.integers(1, 65536, (20, 21, channels))
    (tmp_path / "a.png").write_bytes(png(samples, colour_type))
    made = read_deep(upscale(tmp_path / "a.png"))
    assert np.abs(made.astype(float) - bicubic(samples, 65535)).max() <= 1
    with Image.open(tmp_path / "large" / "a_x2.png") as image:
        image.load()  # Pillow reads it as well


def test_a_colour_key_of_16_bits_becomes_alpha(upscale, tmp_path):
    samples = np.full((8, 8, 3), 40000)
    samples[:, 4:] = (7, 8, 9)
    (tmp_path / "a.png").write_bytes(png(samples, 2, chunk(b"tRNS", bytes([0, 7, 0, 8, 0, 9]))))
    made = read_deep(upscale(tmp_path / "a.png"))
    assert (made[:, :6, 3] > 60000).all()
    assert (made[:, 10:, 3] == 0).all()
    assert (made[..., :3] == 40000).all()


@pytest.mark.parametrize("premultiplied", [False, True])
def test_a_16_bit_tiff_keeps_colour_and_alpha(upscale, tmp_path, premultiplied):
    colour = np.full((6, 7, 3), (60000, 30000, 10000), np.uint16)
    alpha = np.full((6, 7, 1), 32768, np.uint16)
    stored = (colour * (32768 / 65535)).round().astype(np.uint16) if premultiplied else colour
    kind = "assocalpha" if premultiplied else "unassalpha"
    samples = np.concatenate([stored, alpha], axis=2)
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", extrasamples=[kind])
    made = read_deep(upscale(tmp_path / "a.tif")).astype(int)
    assert np.abs(made - np.array([60000, 30000, 10000, 32768])).max() <= 1


@pytest.mark.parametrize("depth", ["8", "16"])
def test_a_grey_tiff_keeps_its_depth(upscale, tmp_path, depth):
    grey = PHOTOGRAPH[..., 0].astype(f"uint{depth}") * (1 if depth == "8" else 200)
    tifffile.imwrite(tmp_path / "a.tif", grey)
    made = read_deep(upscale(tmp_path / "a.tif"))
    assert made.dtype == grey.dtype
    assert np.abs(made[..., 0].astype(float) - bicubic(grey, 2 ** int(depth) - 1)).max() <= 1


def test_a_palette_becomes_colour_and_its_transparent_entry_alpha(upscale, tmp_path):
    index = (disc() > 127).astype(np.uint8)
    image = Image.fromarray(index).convert("P")
    image.putpalette([255, 0, 255, 10, 200, 30])
    made = pixels(upscale(saved(tmp_path / "a.png", image, transparency=0)), "RGBA")
    assert np.abs(made[..., 3] - bicubic(index * 255)).max() <= 1
    assert (made[..., :3] == [10, 200, 30]).all()  # magenta was hidden everywhere
    plain = pixels(upscale(saved(tmp_path / "b.png", image)), "RGB")
    assert np.abs(plain - bicubic(np.array([[255, 0, 255], [10, 200, 30]])[index])).max() <= 1


def test_two_levels_are_grey_and_a_grey_key_is_alpha(upscale, tmp_path):
    black_and_white = Image.fromarray(disc() > 127)
    made = pixels(upscale(saved(tmp_path / "a.png", black_and_white)), "L")
    assert np.abs(made - bicubic((disc() > 127) * 255)).max() <= 1
    keyed = Image.fromarray(np.where(disc() > 127, 90, 0).astype(np.uint8))
    made = pixels(upscale(saved(tmp_path / "b.png", keyed, transparency=0)), "LA")
    assert (made[..., 0] == 90).all()
    assert np.abs(made[..., 1] - bicubic((disc() > 127) * 255)).max() <= 1


def test_cmyk_becomes_rgb(upscale, tmp_path):
    """By the formula of perfect inks, where there is no profile."""
    inks = (40, 120, 200, 60)
    image = Image.new("CMYK", (16, 16), inks)
    made = pixels(upscale(saved(tmp_path / "a.jpg", image, quality=100)), "RGB")
    right = [(255 - ink) * (255 - inks[3]) / 255 for ink in inks[:3]]
    assert np.abs(made - right).max() <= 3


def test_cmyk_with_a_profile_is_what_the_profile_says(upscale, tmp_path):
    """Of a press with grey inks: one ink in full, at L* 75, is sRGB 185; the formula says cyan."""
    image = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    path = saved(tmp_path / "a.jpg", image, quality=100, icc_profile=cmyk_profile())
    made = upscale(path)
    assert np.abs(pixels(made, "RGB") - 185).max() <= 3
    with Image.open(made) as result:
        assert "icc_profile" not in result.info
    damaged = upscale(saved(tmp_path / "b.jpg", image, quality=100, icc_profile=b"no profile" * 20))
    assert np.abs(pixels(damaged, "RGB") - [0, 255, 255]).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "tif", "deep.tif"])
def test_a_turned_picture_is_turned_upright_and_the_tag_is_gone(upscale, tmp_path, orientation, kind):
    """What EXIF 2.32 says of row 0 and column 0 in the eight values."""
    upright = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.T, 6: np.rot90(upright), 7: upright[::-1, ::-1].T, 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    path = tmp_path / f"a.{kind.split('.')[-1]}"
    if kind == "deep.tif":
        deep = np.stack([stored.astype(np.uint16) * 257] * 3, axis=2)
        tifffile.imwrite(path, deep, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
        made = read_deep(upscale(path))[..., 0] / 257
    else:
        exif = Image.Exif()
        exif[274] = orientation
        Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
        made = pixels(upscale(path), "L")
    assert np.abs(made - bicubic(upright)).max() <= 1
    with Image.open(tmp_path / "large" / "a_x2.png") as image:
        assert not image.getexif()


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (3, 5000)])
def test_any_size_is_upscaled(upscale, tmp_path, shape):
    grey = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    made = pixels(upscale(saved(tmp_path / "a.png", Image.fromarray(grey))), "L")
    assert made.shape == (2 * shape[0], 2 * shape[1])
    for start in range(0, shape[1], 500):  # the whole matrix of 5000 columns would take 400 MB
        first = max(start - 4, 0)
        right = bicubic(grey[:, first : start + 504])[:, 2 * (start - first) :][:, :1000]
        assert np.abs(made[:, 2 * start : 2 * start + 1000] - right).max() <= 1


@pytest.mark.parametrize("depth", [8, 16])
def test_a_colour_profile_goes_with_the_picture(upscale, tmp_path, depth):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = tmp_path / "a.png"
    if depth == 8:
        Image.fromarray(PHOTOGRAPH).save(path, icc_profile=profile)
    else:
        from zlib import compress

        path.write_bytes(png(PHOTOGRAPH.astype(int) * 257, 2, chunk(b"iCCP", b"any\0\0" + compress(profile))))
    with Image.open(upscale(path)) as image:
        assert image.info["icc_profile"] == profile
    assert np.abs(read_deep(tmp_path / "large" / "a_x2.png") / (257 if depth == 16 else 1)
                  - bicubic(PHOTOGRAPH)).max() <= 1  # fmt: skip


def test_a_profile_of_other_colours_is_left_out(upscale, tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = saved(tmp_path / "a.png", Image.fromarray(PHOTOGRAPH[..., 0]), icc_profile=profile)
    with Image.open(upscale(path)) as image:
        assert "icc_profile" not in image.info


@pytest.mark.parametrize("kind", ["gif", "png", "webp", "tif"])
def test_an_animation_is_refused_in_one_line(upscale, tmp_path, kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / f"a.{kind}", save_all=True, append_images=frames[1:])
    line = upscale(tmp_path / f"a.{kind}")
    assert "has 3 frames or pages, and srbench upscales still pictures. Save those that are meant" in line


def test_the_pictures_beside_a_photograph_are_left_alone(upscale, tmp_path):
    """Phones store a depth map or a preview as a second frame of a JPEG."""
    photograph, second = Image.fromarray(PHOTOGRAPH), Image.new("RGB", (8, 8))
    photograph.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second], quality=95)
    assert pixels(upscale(tmp_path / "a.jpg"), "RGB").shape == (64, 80, 3)


@pytest.mark.parametrize(
    ("kind", "kept"), [("png", -60), ("png", -12), ("png", 60), ("jpg", -60), ("webp", -60), ("tif", 1500)]
)
def test_a_truncated_file_is_refused_in_one_line(upscale, tmp_path, kind, kept):
    path = saved(tmp_path / f"a.{kind}", Image.fromarray(PHOTOGRAPH))
    path.write_bytes(path.read_bytes()[:kept])
    assert "Copy" in upscale(path) or "Replace" in upscale(path)


def jpeg_header(side):
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "JPEG")
    content = buffer.getvalue()
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + side.to_bytes(2, "big") * 2 + content[at + 4 :]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (header(100_000, 100_000) + bytes(3) + b"\x09IDAT", "is refused: as large as a decompression bomb"),
        (
            header(13_000, 13_000) + bytes(3) + b"\x09IDAT",
            "says that it is 13000×13000, which its 41 bytes cannot hold",
        ),
        (jpeg_header(13_000), "says that it is 13000×13000, which its"),
    ],
    ids=["too large", "png", "jpeg"],
)
def test_a_header_that_lies_is_refused_before_memory_is_taken(upscale, tmp_path, content, said, monkeypatch):
    monkeypatch.setattr(Image.core, "new", lambda *size: pytest.fail(f"memory is taken for {size}"))
    path = tmp_path / "a.png"
    path.write_bytes(content)
    assert said in upscale(path)


def test_text_named_png_is_refused_in_one_line(upscale, tmp_path):
    path = tmp_path / "a.png"
    path.write_text("no picture")
    assert "is not a picture srbench can read (it begins with b'no picture')" in upscale(path)


def test_samples_of_unknown_white_are_refused_in_one_line(upscale, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 4), np.float32))
    assert "has 32 bits a sample, which srbench does not read" in upscale(tmp_path / "a.tif")


def test_what_is_no_file_is_refused_in_one_line(upscale, tmp_path):
    import os

    assert "cannot be read: No such file or directory." in upscale(tmp_path / "none.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert "cannot be read: it is no regular file." in upscale(tmp_path / "pipe.png")
