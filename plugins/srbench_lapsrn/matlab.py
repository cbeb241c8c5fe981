"""The weights that LapSRN's authors released: MATLAB v5 files, read without unpickling anything."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import torch
from numpy.typing import NDArray
from torch import Tensor

_HDF5 = b"\x89HDF\r\n\x1a\n"
_MATLAB = b"MATLAB 5.0 MAT-file"


def read(path: Path, scale: int) -> dict[str, Tensor]:
    """The state dict of one `LapSRN` from a file of the authors.

    `net.params` lists names and values. Filters are stored height × width × in × out, transposed ones
    height × width × out × in, and trailing dimensions of one are dropped.

    Args:
        path: the file.
        scale: that it is for; only to say so where it is not.

    Raises:
        ValueError: it is no such file, or for another scale.
    """
    with path.open("rb") as file:
        start = file.read(520)
    if _HDF5 in (start[:8], start[512:520]):
        raise ValueError(
            "it is a MATLAB v7.3 file (HDF5), and those of the authors are v5; load it in MATLAB and "
            "save('new.mat', 'net', '-v7')"
        )
    if not start.startswith(_MATLAB):
        raise ValueError(
            f"it is no MATLAB v5 file (it begins with {start[:12]!r}), as the authors' LapSRN_x4.mat is"
        )
    values = _values(path)
    levels = {int(found[1]) for name in values if (found := re.match(r"level(\d+)_img_up_f$", name))}
    if not levels:
        raise ValueError("it holds no levelN_img_up_f, so it is no LapSRN")
    if 2 ** len(levels) != scale:
        raise ValueError(
            f"it is a LapSRN for ×{2 ** len(levels)}, not ×{scale}; give --scale {2 ** len(levels)}"
        )
    return dict(_parameter(name, value) for name, value in values.items())


def _values(path: Path) -> dict[str, NDArray[np.float32]]:
    """Name → value of everything in `net.params`."""
    try:
        params: Any = scipy.io.loadmat(path, variable_names=["net"])["net"]["params"][0, 0]
        return {
            str(one["name"].item()): np.asarray(one["value"], dtype=np.float32) for one in params.reshape(-1)
        }
    except Exception as error:  # scipy raises whatever a damaged file leads it into
        raise ValueError(
            f"its net.params, a list of names and values, cannot be found ({type(error).__name__}: {error})"
        ) from error


def _parameter(name: str, value: NDArray[np.float32]) -> tuple[str, Tensor]:
    """`level1_conv1_f` → `level1_conv1.weight`, in PyTorch's order."""
    stem, _, kind = name.rpartition("_")
    if kind == "b":
        return f"{stem}.bias", torch.from_numpy(value.reshape(-1).copy())
    filters = value.reshape(*value.shape, *(1,) * (4 - value.ndim))
    return f"{stem}.weight", torch.from_numpy(filters.transpose(3, 2, 0, 1).copy())
