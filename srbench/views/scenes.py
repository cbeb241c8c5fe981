"""Runs whose pictures may stand side by side, and the test set on this machine that they are of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from srbench.errors import DatasetError, SrbenchError
from srbench.files import canonical_json
from srbench.grammar import parse_term
from srbench.store.runs import StoredRun
from srbench.tables.rows import test_labels
from srbench.views.names import degradation_text, is_baseline

if TYPE_CHECKING:
    from srbench.datasets import TestSet


@dataclass(frozen=True)
class Scene:
    """Runs that were scored on one test set, at one full scale, from LR of one degradation.

    Args:
        test: the set's name; `test_sha256`: its content.
        scale: of SR to LR.
        degradation: what made LR, as in a spec.
        runs: at least one, in the order given; bicubic is none of them.
        title: `set14 ×4`, with what tells it from other scenes.
    """

    test: str
    test_sha256: str
    scale: int
    degradation: Mapping[str, Any]
    runs: tuple[StoredRun, ...]
    title: str


def scenes_of(runs: Sequence[StoredRun]) -> list[Scene]:
    """The scenes of all scored runs, those with most runs first; loads no torch.

    A set on which bicubic alone was scored has none. Inner scales are no scenes: what they are compared with
    is no picture of the set.
    """
    found: dict[tuple[str, str, int, str], dict[str, StoredRun]] = {}
    for run in runs:
        degradation = canonical_json(run.record.spec["degradation"])
        for score in (run.summary or {"scores": ()})["scores"]:
            if score["scale"] == score["run_scale"] and not is_baseline(run):
                key = (score["test"], score["test_sha256"], score["scale"], degradation)
                found.setdefault(key, {})[run.id] = run
    named = test_labels((test, sha256) for test, sha256, _, _ in found)
    scenes = []
    for (test, sha256, scale, text), mine in found.items():
        title = f"{named[test, sha256]} ×{scale}"
        degradation = next(iter(mine.values())).record.spec["degradation"]
        if any(key[:3] == (test, sha256, scale) and key[3] != text for key in found):
            title += f" · LR {degradation_text(degradation)}"
        scenes.append(Scene(test, sha256, scale, degradation, tuple(mine.values()), title))
    return sorted(scenes, key=lambda scene: (-len(scene.runs), scene.title))


def asked_for(scenes: Sequence[Scene], typed: Sequence[str]) -> list[Scene]:
    """The scenes on the test sets that datasets as typed name: by their name, or by what they hold.

    Args:
        scenes: from `scenes_of`.
        typed: such as `set5`, or `folder:test=DIR`; empty: all scenes.
    """
    names = {parse_term(text).name for text in typed}
    return [
        scene
        for scene in scenes
        if not typed or scene.test in names or any(_holds(text, scene)[0] for text in typed)
    ]


def best(scene: Scene, most: int) -> tuple[Scene, list[str]]:
    """The scene with its `most` best runs by mean PSNR, in their order, and a note on those left out."""
    if len(scene.runs) <= most:
        return scene, []
    ranked = sorted(scene.runs, key=lambda run: -_mean_psnr(run, scene))[:most]
    kept = tuple(run for run in scene.runs if run in ranked)
    note = (
        f"{scene.title}: {len(kept)} of {len(scene.runs)} runs are shown, the best by PSNR. Name runs to see "
        "others."
    )
    return replace(scene, runs=kept), [note]


def set_of(scene: Scene, typed: Sequence[str] = ()) -> "TestSet":
    """The test set of a scene, found by its content.

    It is looked for in what is typed, in the datasets the runs were trained on and those their commands
    named, and under its own name. Nothing is downloaded.

    Args:
        scene: whose set.
        typed: datasets as typed, such as `set5:root=DIR`.

    Raises:
        DatasetError: it is in none of these; the message says what was looked at.
    """
    looked: dict[str, str] = {}
    for text in dict.fromkeys([*typed, *_candidates(scene)]):
        test, looked[text] = _holds(text, scene)
        if test is not None:
            return replace(test, name=scene.test)
    said = "; ".join(f"{text}: {why}" for text, why in looked.items())
    raise DatasetError(
        f"The pictures of {scene.test} that the runs were scored on are not found ({said}). Say where they "
        f"are: --test {scene.test}:root=DIR, or --test folder:test=DIR."
    )


def _holds(text: str, scene: Scene) -> "tuple[TestSet | None, str]":
    """The test set of a dataset as typed, if it is that of the scene; else why not."""
    from srbench.datasets import build_dataset

    try:
        test = build_dataset(text, scene.scale).test
        return (test, "") if test.sha256 == scene.test_sha256 else (None, "has other pictures")
    except SrbenchError as error:
        return None, str(error).partition(". ")[0]


def _candidates(scene: Scene) -> Iterator[str]:
    """Datasets as typed that may hold the set."""
    for run in scene.runs:
        provenance = run.record.provenance
        if provenance.get("dataset"):
            yield str(provenance["dataset"])
        command = [str(one) for one in provenance.get("command", ())]
        yield from (after for option, after in pairwise(command) if option == "--test")
    yield scene.test


def _mean_psnr(run: StoredRun, scene: Scene) -> float:
    """Of luma where it was scored; of runs on a single plane, of that."""
    means = {
        score["plane"]: score["mean"]
        for score in (run.summary or {"scores": ()})["scores"]
        if (score["metric"], score["test_sha256"], score["scale"]) == ("psnr", scene.test_sha256, scene.scale)
        and score["mean"] is not None
    }
    return float(means.get("y", next(iter(means.values()), float("-inf"))))
