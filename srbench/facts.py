"""What is known of a public data set; a plugin gives it with the set, by `facts=` of `register_datasets`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Half = Literal["train", "val", "test"]


@dataclass(frozen=True)
class Archive:
    """A file that a source offers for download.

    Args:
        url: http or https address of a zip or tar (plain, gz, bz2 or xz).
        folders: folder in the archive → folder of the set. The first is found wherever it lies, so `Set5/HR`
            means `benchmark/Set5/HR` too; all below it is taken.
        md5: as its source or others have published it; None where nobody has, and the first download's
            SHA-256 is recorded instead.
        size_mb: of the download, in units of 1,000,000 bytes; None where unknown.
    """

    url: str
    folders: Mapping[str, str]
    md5: str | None = None
    size_mb: int | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class Known:
    """A picture as published.

    Args:
        width: in pixels. A copy with one more column or row is taken for the same: the public sets are about
            with and without their odd last ones.
        height: likewise.
        fingerprint: of its pixels, as `srbench data verify --json` prints it; None where unknown.
        psnr: its own figure by `Figure(2, …)`, as printed there; None where unknown.
        from_jpeg: it has been a JPEG file once, so that a trace of that means nothing.
        grey: it is a single-channel file.
    """

    width: int
    height: int
    fingerprint: str | None = None
    psnr: float | None = None
    from_jpeg: bool = False
    grey: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height


@dataclass(frozen=True)
class Figure:
    """A published mean PSNR of bicubic over the test half, and the rules it was made by.

    Luma (BT.601, studio range) of RGB that was degraded by MATLAB's bicubic, enlarged by it again and
    rounded to 8 bits.

    Args:
        scale: downscaling and enlargement.
        psnr: in dB.
        grey: single-channel files scored as they are (`keep`) or as three equal planes (`rgb`).
        border: pixels left out a side; None: `scale`.
        rounded: whether LR is rounded to 8 bits.
    """

    scale: int
    psnr: float
    grey: Literal["rgb", "keep"] = "keep"
    border: int | None = None
    rounded: bool = True

    @property
    def rules(self) -> str:
        """Scale and rules in a few words, such as `bicubic ×2, grey kept`."""
        words = [f"bicubic ×{self.scale}", f"grey {'kept' if self.grey == 'keep' else 'as RGB'}"]
        words += [] if self.border is None else [f"border {self.border}"]
        words += [] if self.rounded else ["LR unrounded"]
        return ", ".join(words)


@dataclass(frozen=True)
class DatasetFacts:
    """What is known of a public data set.

    Args:
        terms: licence or terms of use, in a few words.
        counts: half → number of pictures.
        archives: where it can be downloaded; empty where its terms forbid that.
        by_hand: how to get it where `archives` is empty: a sentence with the address.
        pictures: name → picture, where known. They are recognised by fingerprint, then by name.
        sizes: (width, height) of all pictures that occur, where these are few and the pictures not known.
        figures: published bicubic figures of the test half.
        from_jpeg: all its pictures were JPEG files once, and may be so here.
    """

    terms: str
    counts: Mapping[Half, int]
    archives: tuple[Archive, ...] = ()
    by_hand: str = ""
    pictures: Mapping[str, Known] = field(default_factory=dict)
    sizes: tuple[tuple[int, int], ...] = ()
    figures: tuple[Figure, ...] = ()
    from_jpeg: bool = False

    @property
    def size_mb(self) -> int | None:
        """Megabytes to download; None where unknown."""
        sizes = [archive.size_mb for archive in self.archives]
        return sum(size for size in sizes if size) if sizes and None not in sizes else None
