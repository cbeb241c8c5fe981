"""Upscaled pictures → PNG files that say what they were made of."""

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from srbench.errors import StoreError
from srbench.files import write_atomic
from srbench.images.deep import PNG_SIGNATURE, encode_deep_png
from srbench.upscale.naming import named
from srbench.upscale.raster import Raster

_KEYWORD = "srbench"
_LONGEST = 1 << 20  # of chunks before the pixels: more is read of none


def write_raster(path: Path, picture: Raster, mark: str) -> None:
    """Write a picture as PNG of its own depth, whole or not at all.

    Args:
        path: the file.
        picture: 8-bit or 16-bit.
        mark: ASCII text that says what it was made of.

    Raises:
        StoreError: it cannot be written.
    """
    parts = [picture.colour[..., None] if picture.is_grey else picture.colour]
    if picture.alpha is not None:
        parts.append(picture.alpha[..., None])
    samples = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
    if picture.is_deep:
        content = encode_deep_png(samples, profile=picture.profile, text=(_KEYWORD, mark))
    else:
        text = PngImagePlugin.PngInfo()
        text.add_text(_KEYWORD, mark)
        buffer = io.BytesIO()
        image = Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)
        image.save(buffer, "PNG", pnginfo=text, icc_profile=picture.profile)
        content = buffer.getvalue()
    try:
        write_atomic(path, content)
    except StoreError as error:
        reason = error.__cause__.strerror if isinstance(error.__cause__, OSError) else error
        raise StoreError(
            f"{named(path)} cannot be written ({reason}). Name a folder by -o where it can be, or free some "
            "space there."
        ) from error


def mark_of(path: Path) -> str | None:
    """What a picture says it was made of; None: nothing, or it is no such picture."""
    try:
        with path.open("rb") as file:
            if file.read(len(PNG_SIGNATURE)) != PNG_SIGNATURE:
                return None
            while len(head := file.read(8)) == 8:
                size, kind = int.from_bytes(head[:4], "big"), head[4:]
                if kind == b"IDAT":
                    return None
                data = file.read(min(size, _LONGEST))
                keyword, _, text = data.partition(b"\0")
                if kind == b"tEXt" and keyword == _KEYWORD.encode():
                    return text.decode("latin-1")
                file.seek(size - len(data) + 4, os.SEEK_CUR)  # the rest, and the checksum
    except OSError:
        pass
    return None
