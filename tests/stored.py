"""Real stores for tests of what reads them: records and scores written as srbench writes them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from srbench.files import sha256_text
from srbench.metrics.protocol import Protocol
from srbench.spec import ComponentSpec, DatasetSpec, LossSpec, RunSpec
from srbench.store.layout import RunPaths
from srbench.store.runs import RunRecord, StoredRun, list_runs, write_record
from srbench.store.scores import Score, write_scores
from srbench.store.summary import write_summary

SAMPLE = sha256_text("the sample's pictures")
METRICS = {
    "psnr": {"better": "higher", "unit": "dB"},
    "ssim": {"better": "higher", "unit": ""},
    "ssim:edge=replicate": {"better": "higher", "unit": ""},
    "lpips:net=squeeze": {"better": "lower", "unit": ""},
    "detail": {"better": "higher", "unit": ""},
    "presence": {"better": "higher", "unit": ""},
    "invented": {"better": "lower", "unit": ""},
    "slope": {"better": "neither", "unit": ""},
    "contrast": {"better": "neither", "unit": ""},
    "shift": {"better": "neither", "unit": "px"},
    "content": {"better": "neither", "unit": ""},
}
DETAIL = tuple(METRICS)[-7:]


def bicubic(scale: int = 4, degradation: str = "true") -> RunSpec:
    """The baseline's spec."""
    nothing = dict.fromkeys(set(RunSpec.model_fields) - {"model", "scale", "degradation"})
    return RunSpec(
        model=ComponentSpec(name="bicubic"), scale=scale, degradation=degradation_spec(degradation), **nothing
    )


def lapsrn(channels: str = "r,g,b", eps: float = 1e-3, **changed: Any) -> RunSpec:
    """A trained run's spec; `changed` replaces whole fields."""
    fields: dict[str, Any] = {
        "model": ComponentSpec(name="lapsrn", params={"features": 64, "depth": 10}),
        "loss": (LossSpec(name="charbonnier", params={"eps": eps, "reduction": "mean"}),),
        "dataset": DatasetSpec(name="sample", params={"tile": None}, sha256=SAMPLE),
        "channels": channels,
        "scale": 4,
        "degradation": degradation_spec("true"),
        "seed": 0,
        "precision": "auto",
        "optimizer": ComponentSpec(name="adam", params={"eps": 1e-8}),
        "learning_rate": 1e-3,
        "schedule": ComponentSpec(name="constant"),
        "clip": None,
        "ema": 0.995,
        "batch": 16,
        "patch": 64,
    }
    return RunSpec(**{**fields, **changed})


def degradation_spec(rounded: str) -> ComponentSpec:
    """Bicubic, LR rounded or not."""
    return ComponentSpec(name="bicubic", params={"round": rounded == "true"})


def planes_of(spec: RunSpec, metric: str) -> Sequence[str]:
    """The planes a metric has a score on."""
    single = spec.channels in ("r", "g", "b")
    if metric.startswith("lpips"):
        return () if single else ("rgb",)
    return (str(spec.channels),) if single else ("r", "g", "b", "y")


def scored(
    spec: RunSpec,
    *,
    level: float,
    metrics: Sequence[str] = ("psnr", "ssim"),
    scales: Sequence[int] | None = None,
    test: str = "sample",
    test_sha256: str = SAMPLE,
    pictures: int = 6,
    step: int = 1000,
    values: Mapping[str, Sequence[float]] | None = None,
    facts: Mapping[str, Any] | None = None,
    rounded: str = "true",
) -> tuple[list[Score], dict[str, Any]]:
    """Scores around `level`, in dB for PSNR and of a like quality for the others, and their protocols.

    `values` gives the very scores of a metric, a picture each: on all planes (`detail`), or one (`detail r`).
    """
    scores: list[Score] = []
    protocols: dict[str, Any] = {}
    for scale in scales or (spec.scale,):
        for metric in metrics:
            for number, plane in enumerate(planes_of(spec, metric)):
                name, _, settings = metric.partition(":")
                given = dict(one.split("=") for one in settings.split(",")) if settings else {}
                protocol = Protocol(
                    degradation=f"bicubic:round={rounded}",
                    plane=plane,  # type: ignore[arg-type]
                    border=scale,
                    metric=name,
                    settings={"edge": "valid", **given} if name == "ssim" else given,
                    facts=dict(facts or {}) if name == "lpips" else {},
                )
                protocols[protocol.hash] = protocol.model_dump(mode="json")
                for picture in range(pictures):
                    dB = level + 0.31 * number + 1.7 * np.sin(picture + 1) + (4 - scale)  # noqa: N806
                    value = {"psnr": dB, "ssim": dB / 36, "lpips": 4 / dB}.get(name, 0.5)
                    for key in (metric, f"{metric} {plane}"):
                        value = values[key][picture] if values and key in values else value
                    scores.append(
                        Score(
                            step if spec.trained else 0,
                            test,
                            test_sha256,
                            f"picture-{picture}",
                            plane,
                            scale,
                            spec.scale,
                            metric,
                            float(value),
                            protocol.hash,
                        )
                    )
    return scores, protocols


def store(
    root: Path,
    spec: RunSpec,
    *parts: tuple[list[Score], dict[str, Any]],
    unavailable: Mapping[str, str] | None = None,
    **record: Any,
) -> RunPaths:
    """Write one run with the scores of `parts` (none: not scored)."""
    paths = RunPaths(root / spec.id)
    budget = 1000 if spec.trained else 0
    write_record(
        paths,
        RunRecord(spec.id, spec.data(), **{"status": "done", "step": budget, "budget": budget, **record}),
    )
    if parts:
        scores = [score for part, _ in parts for score in part]
        protocols = {key: one for _, protocols in parts for key, one in protocols.items()}
        labels = {score.metric for score in scores}
        write_scores(paths, scores, protocols)
        write_summary(paths, scores, protocols, {one: METRICS[one] for one in labels}, unavailable or {})
    return paths


def runs_in(root: Path) -> list[StoredRun]:
    """All runs of a store that has no damaged ones."""
    runs, errors = list_runs(root)
    assert not errors
    return runs


def realistic(root: Path) -> None:
    """Bicubic, LapSRN on r,g,b, on y and on r alone; ×4 with its inner ×2; LPIPS not had for some."""
    everything = ("psnr", "ssim", "lpips:net=squeeze")
    facts = {"net": "squeeze", "weights_sha256": sha256_text("squeeze")}
    missing = {"lpips:net=squeeze": "LPIPS (squeeze) cannot be computed: its weights are not in /data/lpips."}
    store(root, bicubic(), scored(bicubic(), level=27.64, metrics=everything, scales=(2, 4), facts=facts))
    rgb, y, r = lapsrn(), lapsrn("y"), lapsrn("r")
    store(root, rgb, scored(rgb, level=28.41, metrics=everything, scales=(2, 4), facts=facts))
    store(root, y, scored(y, level=28.23, scales=(2, 4)), unavailable=missing)
    store(root, r, scored(r, level=28.40, scales=(2, 4), step=600), status="interrupted", step=740)
    waiting = lapsrn(seed=1)
    store(root, waiting, status="interrupted", step=40)
