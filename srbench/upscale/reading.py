"""Picture files → everything that is kept of them."""

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from srbench.errors import PictureError
from srbench.files import read_regular
from srbench.images.deep import deep_grey, deep_samples
from srbench.images.png import ORIENTATION, check_whole, decoding, sample_bits, turn_upright, unsupported
from srbench.memory import available_bytes
from srbench.upscale.naming import named
from srbench.upscale.raster import Raster

_SERIES = ("GIF", "PNG", "WEBP", "AVIF", "TIFF")
"""Formats that may hold several pictures of one rank. Others hold a preview or a depth map beside the one."""


_DENSEST = {"PNG": 8 * 1032, "JPEG": 8 * 64 * 8}
"""Pixels that a byte can hold at most: deflate shrinks to a 1032nd, and a JPEG has a bit for each block of
64, or the eighth of one in the rare files that are coded arithmetically."""


def read_raster(path: Path, allow: Callable[[int, int], None] = lambda height, width: None) -> Raster:
    """A picture file with its alpha, all its bits and its colour profile, turned upright.

    Palettes become RGB, CMYK becomes sRGB (by its profile where it has one), transparent palette entries and
    colour keys become alpha.

    Args:
        path: the file.
        allow: called with height and width as the header has them, before pixels are decoded; raises to stop.

    Raises:
        PictureError: it is missing, not a picture, cut off, one of several frames or pages, or of a depth
            that srbench does not read.
    """
    name = named(path)
    content = _content(path, name)
    with decoding(name, content), Image.open(io.BytesIO(content)) as image:
        allow(image.height, image.width)
        frames = getattr(image, "n_frames", 1) if image.format in _SERIES else 1
        if frames > 1:
            raise PictureError(
                f"{name} has {frames} frames or pages, and srbench upscales still pictures. Save those that "
                "are meant as files of their own."
            )
        if image.width * image.height > _DENSEST.get(str(image.format), math.inf) * len(content):
            raise PictureError(
                f"{name} says that it is {image.width}×{image.height}, which its {len(content):,} bytes "
                "cannot hold: it is cut off. Copy or download it again."
            )
        orientation = image.getexif().get(ORIENTATION, 1)
        image.load()
        check_whole(name, image, content)
        deep = deep_samples(image, content, sample_bits(name, image))
        if deep is not None:
            colour, alpha = _parts(deep)
        else:
            colour, alpha = _parts(_samples(name, image))
            if image.format == "TIFF":  # Pillow has turned it while loading
                orientation = 1
        picture = Raster(
            np.ascontiguousarray(turn_upright(colour, orientation)),
            None if alpha is None else np.ascontiguousarray(turn_upright(alpha, orientation)),
        )
        profile = None if image.mode == "CMYK" else image.info.get("icc_profile")
        return Raster(picture.colour, picture.alpha, picture.fitting(profile))


def _content(path: Path, name: str) -> bytes:
    try:
        # Before it is read: a file may be larger than memory, whatever it holds.
        if path.stat().st_size > available_bytes() // 4:
            raise PictureError(f"{name} is larger than this machine's memory allows. Cut it into pieces.")
        return read_regular(path)
    except OSError as error:
        raise PictureError(f"{name} cannot be read: {error.strerror or error}.") from error


def _parts(samples: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """(H, W, C) → colour and alpha."""
    channels = samples.shape[2]
    colour = samples[..., 0] if channels < 3 else samples[..., :3]
    return colour, samples[..., -1] if channels in (2, 4) else None


def _samples(name: str, image: Image.Image) -> NDArray[Any]:
    """The loaded image as (H, W, C), by its mode."""
    deep = deep_grey(image)
    if deep is not None:
        return deep[..., None]
    if image.mode in ("I", "F"):
        raise unsupported(name, "32-bit samples, whose white is not defined")
    if image.mode == "CMYK":
        return np.asarray(_from_cmyk(image))
    is_grey = image.mode in ("1", "L", "LA", "La")
    target = ("L" if is_grey else "RGB") + ("A" if image.has_transparency_data else "")
    if image.mode == "1" and target == "LA":
        image = image.convert("L")
    pixels = np.asarray(image.convert(target))
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _from_cmyk(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile:
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                image, own, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError):  # a damaged profile is as none
            pass
    return image.convert("RGB")
