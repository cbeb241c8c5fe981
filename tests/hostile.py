"""Runs, pictures and plugins whose names break what takes them for markup, and a page of them."""

from pathlib import Path

import numpy as np
from stored import lapsrn, runs_in, scored, store

from srbench.report.charts import spectra_data
from srbench.report.content import Looking
from srbench.report.page import Page, page_of
from srbench.report.pictures import Room, pictures_data
from srbench.spec import ComponentSpec
from srbench.store.history import append_line
from srbench.store.runs import StoredRun
from srbench.views.crops import Crop
from srbench.views.pictures import Gallery, Original, Shown
from srbench.views.scenes import scenes_of
from srbench.views.spectra import spectra_of

HOSTILE = (
    "</script><script>window.hacked = 1</script>",
    '"><img src="http://192.0.2.1/x.png" onerror="window.hacked = 2">',
    "'; window.hacked = 3; //\u2028</title></style><!-- ${window.hacked = 4} {{ 7 * 7 }}",
    "../../etc/passwd%00&lt;b&gt;<a href='javascript:window.hacked=5'>x</a>",
    "\u202eאבג\u202d\u2067<b>",
)
"""Names that break a page that takes them for markup."""


def hostile_runs(root: Path) -> list[StoredRun]:
    """Runs, pictures, plugins and reasons that are all called what breaks a page."""
    for number, name in enumerate(HOSTILE):
        spec = lapsrn(model=ComponentSpec(name=name, params={name: name}))
        scores, protocols = scored(
            spec, level=28.0 + number, metrics=("psnr", "presence", "lpips:net=squeeze"), test=HOSTILE[1]
        )
        scores = [type(one)(**{**vars(one), "image": one.image + name}) for one in scores]
        paths = store(
            root, spec.model_copy(update={"seed": number}), (scores, protocols), status="failed", reason=name,
            unavailable={name: name},
            provenance={
                "command": ["srbench", "run", name], "dataset": name, "started": name,
                "providers": {name: {"dist": name, "version": name, "sha256": name}},
            },
        )  # fmt: skip
        append_line(paths.history, {"step": 1, "epoch": 0.5, "loss": {"r": 0.1}, "on": name})
    return runs_in(root)


def flat_gallery(runs: list[StoredRun]) -> Gallery:
    """Pictures under such names, without networks."""
    scene = scenes_of(runs)[0]
    random = np.random.default_rng(0)
    hr = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    originals = {name: Original(hr, hr[::4, ::4], 255 - hr) for name in HOSTILE}
    shown = [
        Shown(run.id, HOSTILE[0], 1, ("r", "g", "b", "y"), dict.fromkeys(HOSTILE, hr), {})
        for run in scene.runs
    ]
    return Gallery(scene, originals, shown, HOSTILE[0], HOSTILE)


def hostile_page(root: Path) -> Page:
    """The page of all that."""
    runs = hostile_runs(root)
    found = page_of(runs, Looking())
    gallery = flat_gallery(runs)
    crops = [Crop(HOSTILE[1], name, 4, (0, 0, 32, 32), name) for name in HOSTILE]
    pictures = pictures_data(gallery, crops, found.content.colours, Room(10**7))
    spectra = [spectra_data(HOSTILE[0], spectra_of(gallery), found.content.colours)]
    return Page(found.content, pictures, spectra, [*HOSTILE])
