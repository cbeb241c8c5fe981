"""`sample`: photographs that scikit-image carries in its package, read where they lie."""

from importlib.util import find_spec
from pathlib import Path

from srbench.api import Dataset, DatasetError, Picture

# Chosen by eye and by what bicubic ×4 leaves to learn (dB, red plane). Each scene is on one side only; the
# two views of the motorcycle are one scene.
TRAIN = (
    "motorcycle_left.png",  # 23.5: the one colour scene left besides the test pictures
    "motorcycle_right.png",
    "brick.png",  # 27.8: long edges
    "grass.png",  # 19.8: fine texture
    "gravel.png",  # 22.2
    "moon.png",  # 38.0: smooth ground, so that flat areas stay flat
    "page.png",  # 18.9: a scan of print
    "text.png",  # 26.7: handwriting in perspective
)
# Left out: retina (41 dB, smooth, and half of all patches), cell (52 dB), clock_motion (42 dB), and drawings.
VAL = ("camera.png", "coins.png")
TEST = ("astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "ihc.png", "rocket.jpg")


def sample() -> Dataset:
    """Eight pictures to train on, two to validate on and six to be scored on, with nothing to download.

    Small, mostly grey in training, and no measure of a model: it is there to try srbench with. The test
    pictures are a portrait, a cat, a cup, a star field, stained tissue and a rocket at dusk, 451×300 to
    1000×872, all in colour. Names are file names without their suffix.

    Raises:
        DatasetError: scikit-image is not installed, or its package lacks one of the pictures.
    """
    # Only where the package lies: its own loader would download what is missing.
    spec = find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise DatasetError(
            "The dataset 'sample' reads photographs that scikit-image carries, and scikit-image is not "
            "installed. Install it (pip install scikit-image), or name a folder of your own: "
            "--dataset folder:root=DIR."
        )
    return pictures_in(Path(spec.submodule_search_locations[0]) / "data")


def pictures_in(folder: Path) -> Dataset:
    """The three halves, from the folder that holds all the files; see `sample`."""
    for file in (*TRAIN, *VAL, *TEST):
        if not (folder / file).is_file():
            raise DatasetError(
                f"The dataset 'sample' needs {folder / file}, which this installation of scikit-image lacks. "
                "Put it back (pip install --force-reinstall scikit-image), or name a folder of your own: "
                "--dataset folder:root=DIR."
            )
    train, val, test = (
        [Picture(Path(file).stem, folder / file) for file in sorted(files)] for files in (TRAIN, VAL, TEST)
    )
    return Dataset(train, val, test)
