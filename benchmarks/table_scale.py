"""`srbench table` and `srbench runs` on stores of 100, 1,000 and 10,000 runs: seconds, memory, how they grow.

    python benchmarks/table_scale.py [--runs 100,1000,10000] [--folder DIR]

A run has scores of 8 metrics on 4 planes at 2 scales for 100 pictures: 6,400. Each has values of its own, so
near its neighbours' that paired tests have work to do; intervals in summaries are made of the values'
spread, since a bootstrap of a million series would take hours. The store is removed at the end; 10,000 runs
take 2 GB.

Cold is the first `srbench table` of a store, warm the best of the later ones; both are whole processes. CPU
seconds are given beside those of the clock: on a busy machine they alone mean something. Goals for 10,000
runs: cold in 20 s, warm in 1.5 s, under 2 GiB, and time that grows no faster than the number of runs.
"""

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise, product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from srbench.files import canonical_json, sha256_text
from srbench.metrics.protocol import Protocol
from srbench.spec import ComponentSpec, DatasetSpec, LossSpec, RunSpec
from srbench.store.layout import RunPaths
from srbench.store.runs import RunRecord, write_record
from srbench.store.scores import Score, write_scores
from srbench.store.summary import write_summary

METRICS = {
    "psnr": ("higher", "dB", 28.0),
    "ssim": ("higher", "", 0.8),
    "ssim:edge=replicate": ("higher", "", 0.81),
    "lr_consistency": ("higher", "dB", 45.0),
    "detail": ("higher", "", 0.2),
    "presence": ("higher", "", 0.4),
    "invented": ("lower", "", 0.2),
    "slope": ("neither", "", 1.1),
}
"""Label → which way is better, unit, and the value of a middling run."""
PLANES, SCALES, PICTURES = ("r", "g", "b", "y"), (2, 4), 100
TEST = sha256_text("the pictures of a benchmark")


def main() -> None:
    """Print a line a size, and the exponents between the sizes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", default="100,1000,10000", help="sizes of the store, in rising order")
    parser.add_argument(
        "--folder", type=Path, help="where to make it; default: the folder for temporary files"
    )
    parser.add_argument("--turns", type=int, default=3, help="of the warm table, of which the best counts")
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.runs.split(",")]
    with tempfile.TemporaryDirectory(prefix="srbench-scale-", dir=arguments.folder) as folder:
        root = Path(folder) / "results"
        measured = []
        runs = stored_runs(root)
        made = 0
        for size in sizes:
            began = time.perf_counter()
            made += sum(1 for _ in islice(runs, size - made))
            print(f"{made:,} runs are there ({time.perf_counter() - began:.0f} s to make the last of them)")
            measured.append((size, measure(root, Path(folder) / "cache", arguments.turns)))
            print_figures(*measured[-1])
        print_growth(measured)


# The store


def specs() -> Iterator[RunSpec]:
    """Bicubic, and then others without end: three losses and two learning rates a model, then seeds."""
    bicubic = ComponentSpec(name="bicubic", params={"round": True})
    nothing = dict.fromkeys(set(RunSpec.model_fields) - {"model", "scale", "degradation"})
    yield RunSpec(model=ComponentSpec(name="bicubic"), scale=4, degradation=bicubic, **nothing)
    names = ("lapsrn", "edsr", "srresnet", "rrdbnet", "vdsr")
    for seed in range(sys.maxsize):
        for model, loss, rate in product(names, ("charbonnier", "l1", "l2"), (1e-3, 1e-4)):
            yield RunSpec(
                model=ComponentSpec(name=model, params={"features": 64, "depth": 10}),
                loss=(LossSpec(name=loss, params={"reduction": "mean"}),),
                dataset=DatasetSpec(name="sample", params={"tile": None}, sha256=TEST),
                channels="r,g,b", scale=4, degradation=bicubic, seed=seed, precision="auto",
                optimizer=ComponentSpec(name="adam", params={"eps": 1e-8}), learning_rate=rate,
                schedule=ComponentSpec(name="constant"), clip=None, ema=0.995, batch=16, patch=64,
            )  # fmt: skip


@dataclass(frozen=True)
class Template:
    """A run as srbench writes it, to be written again with other values.

    Args:
        scores: scores.parquet.
        values: (series, pictures), in the order of its rows.
        summary: summary.json in pieces, mean, low and high of a series to go between each two.
    """

    scores: pa.Table
    values: np.ndarray
    summary: Sequence[str]


def template(folder: Path, step: int) -> Template:
    """What all runs but for their values have in common."""
    random = np.random.default_rng(0)
    hard = random.normal(size=PICTURES)  # pictures are hard and easy alike for all
    scores, protocols = [], {}
    for scale, (metric, (_, _, level)), plane in product(SCALES, METRICS.items(), PLANES):
        name, _, given = metric.partition(":")
        settings = dict([given.split("=")]) if given else {"edge": "valid"} if name == "ssim" else {}
        protocol = Protocol(
            degradation="bicubic:round=true", plane=plane, border=scale, metric=name, settings=settings
        )
        protocols[protocol.hash] = protocol.model_dump(mode="json")
        for picture in range(PICTURES):
            value = level * (1 + 0.08 * hard[picture] + 0.002 * random.normal())
            image = f"picture-{picture:03}"
            scores.append(Score(step, "sample", TEST, image, plane, scale, 4, metric, value, protocol.hash))
    paths = RunPaths(folder / "template")
    paths.directory.mkdir(parents=True)
    write_scores(paths, scores, protocols)
    metrics = {name: {"better": better, "unit": unit} for name, (better, unit, _) in METRICS.items()}
    summary = write_summary(paths, scores, protocols, metrics, {})
    for number, line in enumerate(summary["scores"]):
        line.update(mean=f"<{number}>", ci_low=f"<{number}>", ci_high=f"<{number}>")
    text = json.dumps(summary, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    # The lines have sorted keys: ci_high, ci_low, …, mean.
    for number in range(len(summary["scores"])):
        text = text.replace(f'"<{number}>"', "<>")
    table = pq.ParquetFile(paths.scores).read()
    values = table["value"].to_numpy().reshape(-1, PICTURES).copy()
    shutil.rmtree(paths.directory)
    return Template(table, values, text.split("<>"))


def stored_runs(root: Path) -> Iterator[str]:
    """Write one run after another under `root`; gives their ids."""
    by_step = {step: template(root, step) for step in (0, 1000)}
    for number, spec in enumerate(specs()):
        budget = 1000 if spec.trained else 0
        paths = RunPaths(root / spec.id)
        paths.directory.mkdir(parents=True)
        write_run(paths, by_step[budget], number)
        provenance = {"command": "srbench run", "started": "2025-06-01T09:00:00+00:00"}
        # Not by write_record: 10,000 times fsync is not what is measured here.
        record = RunRecord(spec.id, spec.data(), "done", budget, budget, None, {"device": "cpu"}, provenance)
        if number == 0:
            write_record(paths, record)
            text = paths.run.read_text(encoding="utf-8")
        else:
            stored = {**json.loads(text), **vars(replace(record, provenance=json.loads(text)["provenance"]))}
            paths.run.write_text(json.dumps(stored, indent=1, sort_keys=True), encoding="utf-8")
        if budget:
            paths.timings.write_text(canonical_json({"step": budget, "elapsed_s": 61.2 + number}) + "\n")
        yield spec.id


def write_run(paths: RunPaths, like: Template, number: int) -> None:
    """scores.parquet and summary.json of one run."""
    random = np.random.default_rng(number)
    levels = 1 + 0.01 * random.normal() + 0.0005 * random.normal(size=(len(like.values), 1))
    values = like.values * (levels + 0.003 * random.normal(size=like.values.shape))
    column = pa.array(values.reshape(-1))
    at = like.scores.schema.get_field_index("value")
    pq.write_table(like.scores.set_column(at, "value", column), paths.scores, compression="zstd")
    means = values.mean(axis=1)
    spread = 1.96 * values.std(axis=1) / math.sqrt(PICTURES)
    numbers = np.stack([means + spread, means - spread, means], axis=1).reshape(-1)  # as keys are sorted
    pieces = [like.summary[0]]
    for value, piece in zip(numbers.tolist(), like.summary[1:], strict=True):
        pieces += [repr(value), piece]
    paths.summary.write_text("".join(pieces), encoding="utf-8")


# What is measured


@dataclass(frozen=True)
class Cost:
    """Of a whole process.

    Args:
        wall_s: as a watch has it.
        cpu_s: of all its threads.
        memory_bytes: its peak.
    """

    wall_s: float
    cpu_s: float
    memory_bytes: int


def measure(root: Path, cache: Path, turns: int) -> dict[str, Cost]:
    """Cold and warm costs of the commands on that store."""
    shutil.rmtree(cache, ignore_errors=True)
    costs = {"table, cold": run(root, cache, "table")}
    costs["table, warm"] = min((run(root, cache, "table") for _ in range(turns)), key=lambda one: one.cpu_s)
    one = next(path for path in root.iterdir() if path.name != "bicubic")
    os.utime(RunPaths(one).summary)
    costs["table, one run changed"] = run(root, cache, "table")
    costs["table --format csv"] = run(root, cache, "table", "--format", "csv")
    costs["runs"] = run(root, cache, "runs")
    costs["runs --json"] = run(root, cache, "runs", "--json")
    return costs


def run(root: Path, cache: Path, *command: str) -> Cost:
    """One process; what it prints is thrown away."""
    line = [sys.executable, "-m", "srbench", *command, "--results", str(root)]
    environment = {**os.environ, "SRBENCH_CACHE": str(cache), "COLUMNS": "120"}
    began = time.perf_counter()
    process = subprocess.Popen(
        line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{' '.join(command)} failed: {said}")
    return Cost(
        wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    )


def print_figures(size: int, costs: dict[str, Cost]) -> None:
    """A line a command."""
    load = f", load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    print(f"\n{size:,} runs{load}")
    for name, cost in costs.items():
        print(
            f"  {name:<24} {cost.wall_s:6.2f} s, {cost.cpu_s:6.2f} s of CPU, "
            f"{cost.memory_bytes / 2**20:6.0f} MiB"
        )


def print_growth(measured: Sequence[tuple[int, dict[str, Cost]]]) -> None:
    """The exponent of the number of runs, of CPU seconds between neighbouring sizes: 1 is linear."""
    print()
    for (few, before), (many, after) in pairwise(measured):
        for name, cost in after.items():
            exponent = math.log(cost.cpu_s / before[name].cpu_s) / math.log(many / few)
            print(f"  {name:<24} grows as runs^{exponent:.2f} from {few:,} to {many:,} runs")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
