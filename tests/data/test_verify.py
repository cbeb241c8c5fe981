"""A set against what is published of it: each thing that can be wrong is named, and nothing else is."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from published import CROPS, crop, dataset, facts_of, faults, jpeg, pixels_of, swap, write

from srbench.data.figures import bicubic_psnr
from srbench.data.traces import fingerprint, place_inside, was_jpeg
from srbench.data.verdict import Verdict
from srbench.data.verify import verify
from srbench.facts import DatasetFacts, Figure, Known
from srbench.types import Dataset, Picture
from srbench_datasets import facts as public
from srbench_datasets.folder import folder


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return write(tmp_path_factory.mktemp("published") / "ours")


@pytest.fixture(scope="module")
def facts(original):
    return facts_of(original)


@pytest.fixture
def copy(original, tmp_path):
    return shutil.copytree(original, tmp_path / "ours")


def judge(facts: DatasetFacts, here) -> Verdict:
    return verify("ours", facts, dataset(here))


def test_the_published_set_is_verified(facts, original):
    verdict = judge(facts, original)
    assert verdict.is_verified
    assert verdict.findings == ()
    assert [(line.what, line.fits) for line in verdict.lines] == [
        ("test pictures", True),
        ("pictures of a published size", True),
        ("bicubic ×2, grey kept, luma dB", True),
        ("bicubic ×4, grey kept, luma dB", True),
    ]
    assert Verdict.of(verdict.data()) == verdict


def test_names_formats_and_odd_last_rows_are_no_fault(facts, copy):
    (copy / "cat.png").rename(copy / "img_001_SRF_2_HR.png")
    Image.open(copy / "cup.png").save(copy / "cup.bmp")
    (copy / "cup.png").unlink()
    odd = np.pad(pixels_of(copy / "face.png"), ((0, 1), (0, 1), (0, 0)), mode="edge")
    Image.fromarray(odd).save(copy / "face.png")
    verdict = judge(facts, copy)
    assert verdict.is_verified, verdict.reason
    assert verdict.findings == ()


def test_one_of_each_is_named_picture_by_picture(facts, copy):
    jpeg(copy / "cat.png")
    swap(copy / "cup.png")
    crop(copy / "face.png", 156, 160, top=4)
    crop(copy / "tissue.png", 48, 64, top=7, left=20, to=copy / "tissue_b.png")
    assert faults(judge(facts, copy)) == {
        "cat": "JPEG copy: its pixels are rounded as JPEG does",
        "cup": "swapped channels: BGR where RGB should be",
        "face": "wrong crop: 160×156, published 160×160",
        "tissue_b": "extra picture: a crop of tissue, from row 7, column 20",
    }


@pytest.mark.parametrize(("order", "said"), [((2, 1, 0), "BGR"), ((1, 2, 0), "GBR"), ((0, 2, 1), "RBG")])
def test_swapped_channels_say_what_is_where(facts, copy, order, said):
    swap(copy / "cat.png", order)
    assert faults(judge(facts, copy)) == {"cat": f"swapped channels: {said} where RGB should be"}


@pytest.mark.parametrize("quality", [50, 75, 90, 95])
def test_jpeg_copies_of_any_usual_quality(facts, copy, quality):
    jpeg(copy / "cup.png", quality)
    assert list(faults(judge(facts, copy))) == ["cup"]
    assert "JPEG copy" in faults(judge(facts, copy))["cup"]


def test_a_file_that_is_a_jpeg_whatever_it_is_called(facts, copy):
    Image.open(copy / "cup.png").save(copy / "cup.jpg", quality=100)
    (copy / "cup.png").unlink()
    (copy / "cup.jpg").rename(copy / "cup.png")
    assert faults(judge(facts, copy)) == {"cup": "JPEG copy: the file is a JPEG"}


def test_missing_extra_double_grey_and_resized_pictures(facts, copy):
    (copy / "cat.png").unlink()
    shutil.copy(copy / "cup.png", copy / "zebra.png")
    Image.open(copy / "face.png").convert("L").save(copy / "face.png")
    Image.open(copy / "tissue.png").resize((80, 80)).save(copy / "tissue.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(copy / "z.png")
    verdict = judge(facts, copy)
    assert faults(verdict) == {
        "cat": "missing",
        "zebra": "extra picture: cup a second time",
        "z": "extra picture",
        "face": "grey copy: its colours are gone",
        "tissue": "resized: 80×80, published 160×160",
    }
    assert verdict.reason.startswith(
        "test pictures 5, published 4; pictures of a published size 2, published 3;"
    )


def test_other_pixels_are_judged_by_their_own_figure(facts, copy):
    """A picture one level brighter scores the same: another edition. A blurred one does not."""
    pixels = pixels_of(copy / "cat.png")
    Image.fromarray(np.minimum(pixels, 254) + 1).save(copy / "cat.png")
    verdict = judge(facts, copy)
    assert verdict.is_verified
    (finding,) = verdict.findings
    assert str(finding) == "cat: its pixels are not the published ones; its figure is the same"
    blurred = (pixels[:-1].astype(int) + pixels[1:]) // 2
    Image.fromarray(np.concatenate([blurred, blurred[-1:]]).astype(np.uint8)).save(copy / "cat.png")
    (cause,) = faults(judge(facts, copy)).values()
    assert "dB, so smoother than published (another resampler" in cause


# Sets of which only count and figures are published: causes are tried on the figures


def test_swapped_throughout(original, copy):
    for path in copy.iterdir():
        swap(path)
    assert "swapped channels throughout" in faults(judge(facts_of(original, known=False), copy))[""]


def test_one_swapped_of_few(original, copy):
    swap(copy / "cup.png")
    assert "swapped channels, perhaps" in faults(judge(facts_of(original, known=False), copy))["cup"]


def test_figures_that_are_of_rgb(original):
    known = facts_of(original, known=False)
    values = [
        bicubic_psnr(pixels, known.figures, grey=False, planes=("r", "g", "b")) for pixels in CROPS.values()
    ]
    figures = [
        replace(one, psnr=float(mean)) for one, mean in zip(known.figures, np.mean(values, 0), strict=True)
    ]
    assert faults(judge(replace(known, figures=tuple(figures)), original)) == {
        "": "RGB against luma: the published figures are what RGB gives here"
    }


def test_enlarged_copies_are_another_resampler(original, copy):
    known = facts_of(original, known=False)
    for path in copy.iterdir():
        Image.open(path).resize((80, 80), Image.BICUBIC).resize((160, 160), Image.BICUBIC).save(path)
    assert set(faults(judge(known, copy))) == set(CROPS)
    assert "enlarged copy, by another resampler" in faults(judge(known, copy))["cat"]


def test_jpeg_traces_are_looked_for_where_figures_are_off(original, copy):
    known = facts_of(original, known=False)
    for path in copy.iterdir():
        jpeg(path, 60)
    assert faults(judge(known, copy)) == dict.fromkeys(
        CROPS, "JPEG copy: its pixels are rounded as JPEG does"
    )


def test_what_no_cause_explains_has_a_direction(original, copy):
    known = facts_of(original, known=False)
    noise = np.random.default_rng(0)
    for path in copy.iterdir():
        noisy = pixels_of(path) + noise.normal(0, 6, (160, 160, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path)
    assert "sharper or noisier than published" in faults(judge(known, copy))[""]


def test_sizes_that_occur_are_enough(copy):
    known = DatasetFacts("free", {"test": 4}, sizes=((160, 161),))
    assert judge(known, copy).is_verified
    crop(copy / "cat.png", 150, 160)
    assert faults(judge(known, copy)) == {"cat": "wrong crop: 160×150 is no size of the set"}


def test_training_halves_are_counted(original):
    known = DatasetFacts("free", {"train": 5, "test": 4})
    half = dataset(original).test
    verdict = verify("ours", known, Dataset(train=half, test=half))
    assert verdict.reason == "train pictures 4, published 5"
    assert verify("ours", known, Dataset(test=half), ("test",)).is_verified


def test_a_rule_on_grey_files_counts_for_the_published_file(copy):
    """The one picture that is published grey may be stored with three planes, and is judged as grey."""
    Image.open(copy / "cat.png").convert("L").save(copy / "cat.png")
    known = facts_of(copy)
    known = replace(known, pictures={**known.pictures, "cat": replace(known.pictures["cat"], grey=True)})
    Image.open(copy / "cat.png").convert("RGB").save(copy / "cat.png")
    assert judge(known, copy).is_verified
    unknown = replace(known, pictures={})
    assert not judge(unknown, copy).is_verified  # studio range: luma of an RGB file reads higher


# Laws of the parts


@settings(max_examples=25)
@given(height=st.integers(1, 30), width=st.integers(1, 30), top=st.integers(0, 130), left=st.integers(0, 130))
def test_a_crop_is_found_where_it_was_cut(height, width, top, left):
    whole = np.random.default_rng(0).integers(0, 256, (160, 160, 3), dtype=np.uint8)
    part = whole[top : top + height, left : left + width]
    place = place_inside(part, whole)
    assert place is not None
    assert np.array_equal(
        whole[place[0] : place[0] + part.shape[0], place[1] : place[1] + part.shape[1]], part
    )
    if part.shape[0] * part.shape[1] > 4:
        assert place == (top, left)
        changed = part.copy()
        changed[-1, 0, 0] ^= 1
        assert place_inside(changed, whole) is None
    assert place_inside(whole, part) is None or part.shape == whole.shape


def test_fingerprints_tell_shape_and_pixels_apart():
    """Golden: `printf '2×1\\x01\\x02\\x03\\x04\\x05\\x06' | sha256sum` begins with these digits."""
    pixels = np.arange(1, 7, dtype=np.uint8)
    assert fingerprint(pixels.reshape(1, 2, 3)) == "07794bee020207c1"
    assert fingerprint(pixels.reshape(1, 2, 3)) != fingerprint(pixels.reshape(2, 1, 3))


@pytest.mark.parametrize("pixels", CROPS.values(), ids=CROPS.keys())
def test_uncompressed_pictures_carry_no_trace(pixels):
    assert not was_jpeg(pixels)
    assert not was_jpeg(np.zeros_like(pixels))
    assert not was_jpeg(pixels[:5, :5])


def test_figures_need_a_picture_larger_than_its_border():
    (value,) = bicubic_psnr(CROPS["cat"][:8, :8], [Figure(4, 0)], grey=False)
    assert np.isnan(value)


# The real ones


@pytest.fixture(params=["set5", "set14"])
def real(request, assets, tmp_path):
    return request.param, shutil.copytree(assets / "data" / request.param, tmp_path / request.param)


def test_real_sets_are_verified_and_each_fault_in_them_is_named(real):
    name, here = real
    known = getattr(public, name.upper())
    verdict = verify(name, known, folder(test=here))
    assert verdict.is_verified, verdict.reason
    assert verdict.findings == ()
    first, second, third, fourth = {
        "set5": ("baby", "bird", "head", "butterfly"),
        "set14": ("baboon", "comic", "monarch", "zebra"),
    }[name]
    jpeg(here / f"{first}.png")
    swap(here / f"{second}.png")
    height, width = pixels_of(here / f"{third}.png").shape[:2]
    crop(here / f"{third}.png", height - 8, width - 4)
    crop(here / f"{fourth}.png", 100, 120, top=9, left=30, to=here / "extra.png")
    assert faults(verify(name, known, folder(test=here))) == {
        first: "JPEG copy: its pixels are rounded as JPEG does",
        second: "swapped channels: BGR where RGB should be",
        third: f"wrong crop: {width - 4}×{height - 8}, published {width}×{height}",
        "extra": f"extra picture: a crop of {fourth}, from row 9, column 30",
    }


def test_a_second_compression_of_what_was_jpeg_shows_in_its_figure(assets, tmp_path):
    here = shutil.copytree(assets / "data" / "set5", tmp_path / "set5")
    jpeg(here / "woman.png")
    (cause,) = faults(verify("set5", public.SET5, folder(test=here))).values()
    assert cause.startswith("its pixels are not the published ones; bicubic ×2 -0.")
    assert "JPEG" in cause


def test_pictures_known_by_name_alone_are_held_to_their_size(copy):
    known = DatasetFacts("free", {"test": 4}, pictures={name: Known(160, 160) for name in CROPS})
    (copy / "cat.png").rename(copy / "cat_HR.png")
    assert judge(known, copy).is_verified
    crop(copy / "cat_HR.png", 160, 128)
    assert faults(judge(known, copy)) == {"cat_HR": "wrong crop: 128×160, published 160×160"}


def test_pixels_in_memory_are_judged_too(facts):
    pictures = [Picture(name, pixels) for name, pixels in CROPS.items()]
    assert verify("ours", facts, Dataset(test=pictures)).is_verified
