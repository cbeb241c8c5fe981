"""Two tiny runs that were really trained and scored, with pictures kept of one test picture: for figures."""

from pathlib import Path

import pytest
from small import MODEL, picture_folder, srbench


def pictured(root: Path) -> Path:
    """A store below `root` with bicubic and LapSRN r,g,b by two losses, scored on two pictures of ~60 pixels.

    The third run is of FSRCNN on luma.
    """
    pictures = picture_folder(root / "pictures")
    halves = ",".join(f"{half}={pictures / half}" for half in ("train", "val", "test"))
    line = [
        "-q", "run", "--dataset", f"folder:{halves}", "--batch", "4", "--patch", "16", "--steps", "6",
        "--eval-every", "2", "--precision", "fp32", "--metric", "psnr,detail", "--save-images", "1",
        "--results", str(root / "results"),
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        assert srbench([*line, "--model", MODEL, "--loss", "charbonnier,l2"], patch) == 0
        assert srbench([*line, "--model", "fsrcnn:d=4,s=2,m=1", "--scale", "4"], patch) == 0
    return root / "results"
