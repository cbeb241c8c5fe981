"""Picture files and 8-bit pixels ↔ float tensors: the one home of decoding, orientation and rounding."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFile, TiffImagePlugin, UnidentifiedImageError
from torch import Tensor

from srbench.errors import PictureError, SrbenchError
from srbench.files import write_atomic
from srbench.images.deep import deep_grey, deep_samples
from srbench.types import Picture

ORIENTATION = 0x0112
"""The EXIF and TIFF tag."""
_WIDTH, _HEIGHT, _BITS_PER_SAMPLE = 256, 257, 258  # TIFF tags
_PNG_END = b"IEND\xaeB\x60\x82"

# Rounding goes half up, as MATLAB's. Bicubic ×2 weights are multiples of 1/256, so sums exactly half-way
# between two levels occur (85 of Set14's 2.3 million LR values); this much slack lets a tie round up whatever
# the order of the sum left in its last digit. It is far above float64 noise (1e-13 levels).
_TIE_SLACK = 1e-9


def read_picture(picture: Picture) -> NDArray[np.uint8]:
    """The 8-bit pixels of a picture, upright, cut to its box.

    Stored numbers are kept: colour profiles and gamma chunks are ignored and an alpha channel is dropped, not
    blended with a background, as super-resolution toolboxes do. EXIF orientation is applied. 16 bits become 8
    by rounding v / 257. CMYK and palettes become RGB; of several frames or pages, the first is taken.

    Args:
        picture: a file, or pixels in memory; `box` names the tile that is meant.

    Returns:
        (H, W, 3) RGB, or (H, W) where the file has a single grey channel (with or without alpha); writable.

    Raises:
        PictureError: the file is missing, cut off, not a picture, too large or has a depth srbench does not
            read; or the box reaches outside it.
    """
    if isinstance(picture.hr, np.ndarray):
        pixels = _check_pixels(picture.name, picture.hr)
    else:
        path = Path(picture.hr)
        try:
            stat = path.stat()
        except OSError as error:
            raise _not_readable(path, error) from error
        pixels = _read_file(path, stat.st_mtime_ns, stat.st_size)
    if picture.box is None:
        return pixels.copy()
    top, left, height, width = picture.box
    rows, columns = pixels.shape[:2]
    if min(top, left) < 0 or min(height, width) < 1 or top + height > rows or left + width > columns:
        raise PictureError(
            f"{_origin(picture)} is {columns}×{rows}, but the tile {picture.name!r} needs {width}×{height} "
            f"pixels from column {left}, row {top}. Put back the file its dataset was cut from, or build "
            "the dataset again."
        )
    return pixels[top : top + height, left : left + width].copy()


def picture_size(picture: "Path | NDArray[np.uint8]") -> tuple[int, int]:
    """Height and width of a picture as it is decoded, upright; of a file, from its header alone.

    Raises:
        PictureError: the file is missing, or its size cannot be read.
    """
    if isinstance(picture, np.ndarray):
        return picture.shape[0], picture.shape[1]
    try:
        with _strict_and_silent(), Image.open(picture) as image:
            width, height = image.size
            if isinstance(image, TiffImagePlugin.TiffImageFile):
                # Newer Pillows give the size of a TIFF already turned, older ones do not; the tags are plain.
                width, height = image.tag_v2[_WIDTH], image.tag_v2[_HEIGHT]
            turned = image.getexif().get(ORIENTATION) in (5, 6, 7, 8)
    except (OSError, ValueError, KeyError, SyntaxError, Image.DecompressionBombError) as error:
        raise PictureError(
            f"{picture} is not a picture whose size can be read ({error}). Replace it, or take it out of "
            "the folder."
        ) from error
    return (width, height) if turned else (height, width)


def to_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """8-bit pixels as a float32 tensor in [0, 1].

    Args:
        pixels: (H, W, 3) RGB or (H, W) grey.

    Returns:
        (1, 3, H, W) or (1, 1, H, W), contiguous, each value k / 255.
    """
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return torch.from_numpy(np.array(planes[None], order="C")).float() / 255


def quantise(x: Tensor, levels: int = 255) -> Tensor:
    """What an 8-bit file would keep of `x`: clamped to [0, 1], rounded half up to k / 255.

    Args:
        x: any shape, floating point.
        levels: 65535 for what a 16-bit file would keep.

    Returns:
        The same shape and dtype. A value that is not finite becomes NaN, so that it cannot pass for white.
    """
    wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
    whole = (wide.clamp(0, 1) * levels + (0.5 + _TIE_SLACK)).floor()
    return torch.where(x.isfinite(), whole / levels, torch.nan).to(x.dtype)


def to_pixels(sr: Tensor) -> NDArray[np.uint8]:
    """A picture as 8-bit pixels, as a file holds it and as it is scored.

    Args:
        sr: (C, H, W) or (1, C, H, W) in [0, 1], C = 3 for RGB or 1 for grey. Rounded half up by `quantise`;
            what is not finite becomes black.

    Returns:
        (H, W, 3) RGB, or (H, W) grey.

    Raises:
        ValueError: `sr` has another shape; the message shows it.
    """
    planes = sr[0] if sr.ndim == 4 and sr.shape[0] == 1 else sr
    if planes.ndim != 3 or planes.shape[0] not in (1, 3):
        raise ValueError(f"a picture is (C, H, W) or (1, C, H, W) with C = 1 or 3, not {tuple(sr.shape)}")
    # In its own precision, as it is scored: in float64 a few of a million float32 pixels round the other way,
    # which moves a PSNR by up to 5e-5 dB.
    levels = (quantise(planes.detach()).double().nan_to_num(0) * 255).round().to(torch.uint8)
    pixels: NDArray[np.uint8] = levels.permute(1, 2, 0).cpu().numpy()
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def write_png(path: Path, sr: Tensor) -> None:
    """Write a picture as an 8-bit PNG, atomically.

    Args:
        path: the file; its folder is made where needed.
        sr: as for `to_pixels`.

    Raises:
        ValueError: `sr` has another shape; the message shows it.
        StoreError: the disk is full, or the folder cannot be written.
    """
    buffer = io.BytesIO()
    Image.fromarray(to_pixels(sr)).save(buffer, "PNG")
    write_atomic(path, buffer.getvalue())


@lru_cache(maxsize=2)  # consecutive tiles of one file, and of its LR, decode both once
def _read_file(path: Path, mtime_ns: int, size_bytes: int) -> NDArray[np.uint8]:
    """The pixels of one file; modification time and size are part of the key, so that a new file is seen."""
    del mtime_ns, size_bytes
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _not_readable(path, error) from error
    with decoding(path, content):
        return _decode(path, content)


def _decode(path: Path, content: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(content)) as image:
        orientation = image.getexif().get(ORIENTATION, 1)
        image.load()
        check_whole(path, image, content)
        # Pillow reads 16-bit colour by dropping the low byte, which darkens by half a level; others keep it.
        deep = deep_samples(image, content, sample_bits(path, image))
        if deep is not None:
            pixels = _to_8_bits(deep[..., 0] if deep.shape[2] < 3 else deep[..., :3])
        else:
            pixels = _pixels_of(path, image)
            if image.format == "TIFF":  # Pillow has turned it while loading
                orientation = 1
    if pixels.size == 0:
        raise unsupported(path, "no pixels")
    return np.ascontiguousarray(turn_upright(pixels, orientation))


def check_whole(path: Path | str, image: Image.Image, content: bytes) -> None:
    """Refuse a PNG that is cut off: Pillow is content with pixels that look whole.

    Raises:
        PictureError: it is.
    """
    if image.format == "PNG" and _PNG_END not in content:
        raise PictureError(f"{path} is cut off: its end marker is missing. Copy or download it again.")


def sample_bits(path: Path | str, image: Image.Image) -> tuple[int, ...]:
    """Bits of each sample of a TIFF; of other kinds, 8.

    Raises:
        PictureError: they are more than srbench reads.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return (8,)
    bits: tuple[int, ...] = image.tag_v2.get(_BITS_PER_SAMPLE, (1,))
    if not set(bits) <= {1, 2, 4, 8, 16}:
        raise unsupported(path, f"{max(bits)} bits a sample")
    return bits


@contextmanager
def decoding(path: Path | str, content: bytes) -> Iterator[None]:
    """Decode `content` in the block: strictly, in silence, and whatever goes wrong is said of `path`.

    Raises:
        PictureError: it is not a picture, cut off, too large, or cannot be decoded.
    """
    try:
        with _strict_and_silent():
            yield
    except SrbenchError:
        raise
    except UnidentifiedImageError as error:
        raise PictureError(
            f"{path} is not a picture srbench can read (it begins with {content[:12]!r}). Replace it with a "
            "PNG, JPEG, BMP, TIFF or WebP file, or leave it out."
        ) from error
    except Image.DecompressionBombError as error:
        raise PictureError(
            f"{path} is refused: as large as a decompression bomb ({error}). If it is genuine, cut it into "
            "smaller pictures."
        ) from error
    except Exception as error:  # decoders raise whatever a broken file leads them into
        raise PictureError(
            f"{path} cannot be decoded ({error}): it is damaged, cut off or of a rare kind. Copy it again, "
            "or convert it to an 8-bit PNG."
        ) from error


@contextmanager
def _strict_and_silent() -> Iterator[None]:
    """Pillow without its warnings on metadata, and strict even where another package told it not to be."""
    lenient = ImageFile.LOAD_TRUNCATED_IMAGES
    # The filter is narrow on purpose: catch_warnings is not safe between threads, and a filter left behind
    # would silence Pillow's remarks and no more.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = lenient


def _pixels_of(path: Path, image: Image.Image) -> NDArray[np.uint8]:
    """The loaded image as (H, W) or (H, W, 3), by its mode."""
    mode = image.mode
    if mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    if mode in ("LA", "La"):
        return np.asarray(image.convert("LA"))[..., 0]
    if mode == "RGBa":  # premultiplied: RGBA divides alpha out again
        return np.asarray(image.convert("RGBA"))[..., :3]
    deep = deep_grey(image)
    if deep is not None:
        return _to_8_bits(deep)
    if mode in ("I", "F"):
        raise unsupported(path, "32-bit samples, whose white is not defined")
    return np.asarray(image.convert("RGB"))


def _to_8_bits(samples: NDArray[np.uint16]) -> NDArray[np.uint8]:
    # v / 257 rounded; 257 is odd, so there are no ties.
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def turn_upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo the camera's orientation, EXIF values 1 to 8; any other value means upright."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _check_pixels(name: str, pixels: NDArray[Any]) -> NDArray[np.uint8]:
    grey_or_rgb = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if pixels.dtype != np.uint8 or not grey_or_rgb or pixels.size == 0:
        raise PictureError(
            f"Picture {name!r} is an array of {pixels.dtype} with shape {pixels.shape}; srbench takes uint8, "
            "(H, W, 3) RGB or (H, W) grey. Convert it in the dataset plugin that makes it."
        )
    return pixels


def _origin(picture: Picture) -> str:
    return f"Picture {picture.name!r}" if isinstance(picture.hr, np.ndarray) else str(picture.hr)


def _not_readable(path: Path, error: OSError) -> PictureError:
    if isinstance(error, FileNotFoundError):
        return PictureError(f"{path} does not exist. Put it back, or correct the folder the dataset reads.")
    reason = error.strerror or str(error)
    return PictureError(f"{path} cannot be read ({reason}). Correct its permissions, or take it out.")


def unsupported(path: Path | str, what: str) -> PictureError:
    """What is said of a picture with samples that srbench does not read."""
    return PictureError(f"{path} has {what}, which srbench does not read. Convert it to an 8-bit PNG.")
