"""A stored run in Python: its networks ready to predict, its history and its scores."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from srbench.spec import RunSpec
from srbench.store.history import read_lines
from srbench.store.layout import default_results
from srbench.store.runs import StoredRun, current_status, find_run
from srbench.store.scores import Score, read_scores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from srbench.python.module import SuperResolution


@dataclass(frozen=True)
class LoadedRun:
    """A run of the store; from `load_run`."""

    stored: StoredRun

    @property
    def id(self) -> str:
        """The run id."""
        return self.stored.id

    @property
    def directory(self) -> Path:
        """Where its files lie."""
        return self.stored.paths.directory

    @property
    def spec(self) -> RunSpec:
        """What it is: model, loss, dataset, seed and all settings.

        Raises:
            StoreError: what is stored is damaged, or of a newer srbench.
        """
        return RunSpec.from_stored(self.stored.record.spec)

    @property
    def status(self) -> str:
        """`done`, `running`, `interrupted` or `failed`, when it was loaded."""
        return current_status(self.stored)

    @property
    def step(self) -> int:
        """The last step with a checkpoint, when it was loaded; 0 for a model that is not trained."""
        return self.stored.record.step

    def history(self) -> pd.DataFrame:
        """A row an evaluation: `step`, `epoch`, `on`, `loss.PLANE`, `psnr.SCALE.PLANE` in dB, and so on."""
        return pd.json_normalize(read_lines(self.stored.paths.history))

    def scores(self) -> pd.DataFrame:
        """A row a picture, plane, scale and metric, with the columns of scores.parquet.

        Raises:
            StoreError: the file is damaged.
        """
        scores, _ = read_scores(self.stored.paths)
        return pd.DataFrame([asdict(one) for one in scores], columns=list(Score.__dataclass_fields__))

    def model(self, device: str = "auto") -> "SuperResolution":
        """Its networks with the newest sound checkpoint's weights, as a module that upscales RGB pictures.

        Args:
            device: `auto`, `cpu`, `cuda` or `cuda:1`.

        Raises:
            CheckpointError: it has no checkpoint.
            UsageError: it is a folder of pictures, which has no networks, or there is no such device.
        """
        from srbench.python.module import module_of

        return module_of(self.spec, self.stored.paths, device)

    def upscale(self, picture: "NDArray[Any]", device: str = "auto") -> "NDArray[np.uint8]":
        """A picture, enlarged by the run's scale.

        Args:
            picture: (H, W, 3) RGB or (H, W) grey; 8-bit, or floating point in [0, 1].
            device: as for `model`.

        Returns:
            (H·scale, W·scale, 3), 8-bit RGB; (H·scale, W·scale) of a run on a single plane.

        Raises:
            UsageError: it is no such picture.
        """
        from srbench.python.module import upscaled

        return upscaled(self.model(device), picture)


def load_run(run: str, *, results: str | Path | None = None) -> LoadedRun:
    """A run of the store.

    Args:
        run: its id, the beginning of it, or its name.
        results: the store; None: SRBENCH_RESULTS, else `results/` in the working directory.

    Raises:
        UsageError: no run fits, or several do.
        StoreError: it cannot be read.
    """
    return LoadedRun(find_run(Path(results) if results is not None else default_results(), run))
