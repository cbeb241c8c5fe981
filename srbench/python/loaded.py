"""A stored run in Python: its networks ready to predict, its history and its scores."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from srbench.errors import UsageError
from srbench.spec import RunSpec
from srbench.store.history import read_lines
from srbench.store.layout import default_results
from srbench.store.runs import StoredRun, current_status, find_run
from srbench.store.scores import Score, read_scores

if TYPE_CHECKING:
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

    def upscale(
        self,
        picture: "NDArray[Any]",
        device: str = "auto",
        *,
        self_ensemble: bool = False,
        tile: int | None = None,
        overlap: int | None = None,
    ) -> "NDArray[Any]":
        """A picture of any size, enlarged by the run's scale, as `srbench upscale` does with files.

        Args:
            picture: (H, W, 3) RGB, (H, W, 4) RGB and alpha, or (H, W) grey: 8-bit, 16-bit, or floating point
                in [0, 1].
            device: as for `model`.
            self_ensemble: the mean over the picture mirrored and turned in all 8 ways.
            tile: side of the tiles it is put through the networks in; None: what memory holds, and no seam.
            overlap: pixels that tiles share, as for `srbench upscale`.

        Returns:
            (H·scale, W·scale), with 3 or 4 planes where `picture` has them: 16-bit of a 16-bit picture, else
            8-bit. A run on the plane r, g or b gives it as grey: (H·scale, W·scale), where there is no alpha.

        Raises:
            UsageError: it is no such picture, or tiles cannot be.
            PictureError: memory does not hold the result.
        """
        from srbench.inference import Inference
        from srbench.python.module import enlarger_of
        from srbench.upscale.arrays import upscaled

        try:
            inference = Inference(tile, overlap, self_ensemble)
        except ValueError as error:
            raise UsageError(f"tile and overlap cannot be taken so: {error}.") from error
        return upscaled(enlarger_of(self.spec, self.stored.paths, device, inference), picture)


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
