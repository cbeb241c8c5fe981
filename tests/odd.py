"""Odd picture files, and what they must become, computed without the code under test."""

import struct
import zlib
from pathlib import Path

import numpy as np
import torch
from skimage import data

from srbench.images.resize import resize_bicubic

PHOTOGRAPH = data.astronaut()[60:92, 180:220]


def bicubic(samples, levels=255, scale=2):
    """(H, W) or (H, W, C) → what an untiled bicubic makes of it in float64, rounded half up."""
    planes = samples[..., None] if samples.ndim == 2 else samples
    x = torch.from_numpy(planes.astype(np.float64)).permute(2, 0, 1)[None] / levels
    sr = resize_bicubic(x, x.shape[-2] * scale, x.shape[-1] * scale)[0].clamp(0, 1) * levels
    large = (sr + 0.5).floor().permute(1, 2, 0).numpy()
    return large[..., 0] if samples.ndim == 2 else large


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(samples, colour_type: int, *chunks: bytes) -> bytes:
    """A 16-bit PNG of (H, W, C) samples, unfiltered, with more chunks before the pixels."""
    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    return b"".join(
        [
            header(width, height, 16, colour_type),
            *chunks,
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        ]
    )


def header(width: int, height: int, bits: int = 8, colour_type: int = 2) -> bytes:
    """How such a PNG begins."""
    first = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", first)


def read_deep(path: Path):
    """The samples of a 16-bit PNG, (H, W, C), by libpng."""
    from torchvision.io import decode_image

    content = torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8)
    return decode_image(content, mode="UNCHANGED").numpy().transpose(1, 2, 0)


def cmyk_profile() -> bytes:
    """An ICC profile of a press whose inks are grey: four inks → Lab by a table of two points each."""
    corners = np.array(
        [
            (round(255 * (1 - 0.25 * (c + m + y + k))), 128, 128)
            for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)
        ],
        np.uint8,
    )  # fmt: skip
    ramp = bytes(range(256))
    table = (
        b"mft1" + bytes(4) + bytes([4, 3, 2, 0])
        + b"".join(struct.pack(">i", 65536 * (row == column)) for row in range(3) for column in range(3))
        + ramp * 4 + corners.tobytes() + ramp * 3
    )  # fmt: skip
    white = b"XYZ " + bytes(4) + struct.pack(">iii", 63190, 65536, 54061)
    tags = [(b"A2B0", table), (b"wtpt", white)]
    start = 128 + 4 + 12 * len(tags)
    entries, body = b"", b""
    for name, content in tags:
        entries += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = start + len(body)
    head = (
        struct.pack(">I", size) + bytes(4) + bytes([2, 0x40, 0, 0]) + b"prtrCMYKLab " + bytes(12) + b"acsp"
        + bytes(28) + struct.pack(">iii", 63190, 65536, 54061) + bytes(48)
    )  # fmt: skip
    return head + struct.pack(">I", len(tags)) + entries + body
