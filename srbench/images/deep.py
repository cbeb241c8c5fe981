"""16-bit samples of picture files: what Pillow would cut to 8 bits is decoded and written here."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PHOTOMETRIC, _EXTRA_SAMPLES = 262, 338  # TIFF tags
_PREMULTIPLIED = 1  # of extra samples
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # PNG: channels → colour type
_ROWS = 64  # compressed at a time


def deep_samples(image: Image.Image, content: bytes, bits: tuple[int, ...]) -> NDArray[np.uint16] | None:
    """The samples of a file that Pillow would read by dropping the low byte, which darkens by half a level.

    Args:
        image: the opened file.
        content: its bytes.
        bits: a sample, of a TIFF.

    Returns:
        (H, W, C), as stored, not turned upright: grey, grey and alpha, RGB, or RGB and alpha, which is not
        premultiplied. None: Pillow reads all that there is.
    """
    if content.startswith(PNG_SIGNATURE) and content[24] == 16:
        return _with_key(_decode_png(content), image.info.get("transparency"))
    if set(bits) == {16} and image.mode in ("RGB", "RGBA", "RGBX"):
        return _decode_tiff(content)
    return None


def deep_grey(image: Image.Image) -> NDArray[np.uint16] | None:
    """The (H, W) samples of a loaded 16-bit grey image, white at 65535; None: it is none."""
    if not (image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM")):
        return None
    samples = np.asarray(image).astype(np.uint16)
    white_is_zero = isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == 0
    return np.bitwise_not(samples) if white_is_zero else samples


def encode_deep_png(
    samples: NDArray[np.uint16], *, profile: bytes | None = None, text: tuple[str, str] | None = None
) -> bytes:
    """16-bit samples as a PNG file, which Pillow writes of grey alone.

    Args:
        samples: (H, W, C): grey, grey and alpha, RGB, or RGB and alpha.
        profile: an ICC profile to embed.
        text: a keyword and ASCII text to embed.
    """
    height, width, channels = samples.shape
    header = struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPES[channels], 0, 0, 0)
    parts = [PNG_SIGNATURE, _chunk(b"IHDR", header)]
    if profile is not None:
        parts.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile)))
    if text is not None:
        parts.append(_chunk(b"tEXt", "\0".join(text).encode("ascii")))
    compressor = zlib.compressobj()
    parts += [
        _chunk(b"IDAT", data) for rows in _filtered(samples) if (data := compressor.compress(rows.tobytes()))
    ]
    return b"".join([*parts, _chunk(b"IDAT", compressor.flush()), _chunk(b"IEND", b"")])


def _filtered(samples: NDArray[np.uint16]) -> Iterator[NDArray[np.uint8]]:
    """Rows as PNG compresses them: each minus its left neighbour or the row above, whichever leaves less."""
    height, width, channels = samples.shape
    above = np.zeros((1, width * channels * 2), np.uint8)
    for top in range(0, height, _ROWS):
        rows = samples[top : top + _ROWS].astype(">u2").view(np.uint8).reshape(-1, width * channels * 2)
        left = rows.copy()
        left[:, 2 * channels :] -= rows[:, : -2 * channels]
        up = rows - np.concatenate([above, rows[:-1]])
        costs = [np.abs(one.view(np.int8).astype(np.int16)).sum(axis=1) for one in (left, up)]
        is_up = (costs[1] < costs[0])[:, None]
        yield np.concatenate([np.where(is_up, 2, 1).astype(np.uint8), np.where(is_up, up, left)], axis=1)
        above = rows[-1:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _decode_png(content: bytes) -> NDArray[np.uint16]:
    from torchvision.io import decode_image

    samples: NDArray[np.uint16] = decode_image(
        torch.frombuffer(bytearray(content), dtype=torch.uint8), mode="UNCHANGED"
    ).numpy()
    return samples.transpose(1, 2, 0)


def _with_key(samples: NDArray[np.uint16], key: Any) -> NDArray[np.uint16]:
    """Samples with alpha where one colour is transparent: a number of grey, three of RGB."""
    if key is None or samples.shape[2] not in (1, 3):
        return samples
    opaque = (samples != np.array(key)).any(axis=2, keepdims=True)
    return np.concatenate([samples, np.where(opaque, 65535, 0).astype(np.uint16)], axis=2)


def _decode_tiff(content: bytes) -> NDArray[np.uint16]:
    """The samples of the first page."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(content)) as file:
        page = file.pages.first
        samples: NDArray[Any] = page.asarray()
        if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
            samples = np.moveaxis(samples, 0, -1)
        extra = page.tags.get(_EXTRA_SAMPLES)
    if samples.shape[2] < 4 or extra is None or not np.ravel(extra.value)[0]:  # none, or of unknown meaning
        return samples[..., :3].astype(np.uint16)
    if np.ravel(extra.value)[0] != _PREMULTIPLIED:
        return samples[..., :4].astype(np.uint16)
    alpha = samples[..., 3:4].astype(np.float64)
    colour = (samples[..., :3] * (65535 / np.maximum(alpha, 1))).round().clip(0, 65535)
    return np.concatenate([colour, alpha], axis=2).astype(np.uint16)
