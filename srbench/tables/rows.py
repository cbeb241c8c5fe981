"""Stored summaries → rows: one run on one test at one scale under one protocol, in the order to show."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias

from srbench.errors import UsageError, did_you_mean
from srbench.files import canonical_json
from srbench.store.runs import StoredRun
from srbench.tables.labels import Labels, labels_of
from srbench.types import BASELINE, CHANNELS

METRICS_FIRST = ("psnr", "ssim", "lpips", "detail", "presence", "invented")
"""Metrics in the order readers expect; all others follow by name."""

_OF_COLUMN = ("plane", "border", "metric", "settings", "facts")
"""Keys of a protocol that may differ from column to column of one row."""

_PLANES = ("r", "g", "b", "y", "rgb")


class Column(NamedTuple):
    """One metric, by its label, on one plane; an empty plane where no run could compute the metric."""

    metric: str
    plane: str

    @property
    def order(self) -> tuple[int, str, int]:
        """Sorts columns."""
        name = self.metric.split(":")[0]
        place = METRICS_FIRST.index(name) if name in METRICS_FIRST else len(METRICS_FIRST)
        return (place, self.metric, _PLANES.index(self.plane) if self.plane else 0)


RowKey: TypeAlias = tuple[str, str, int, int, str]


@dataclass(frozen=True)
class Row:
    """One run on one test at one scale, scored under one protocol, at the last step that was scored.

    Args:
        run: from the store.
        labels: what the run is called in this table.
        test: the test's label; `test_sha256`: its content.
        run_scale, scale: as in the summary.
        shared: canonical JSON of what the protocols of all its scores have in common by nature.
        step: training step of the weights scored.
        pictures: how many were scored.
        scores: column → line of the summary.
        number: of a run's rows with one key, in which place this one is: 0 but where a column has several
            protocols.
    """

    run: StoredRun
    labels: Labels
    test: str
    test_sha256: str
    run_scale: int
    scale: int
    shared: str
    step: int
    pictures: int
    scores: dict[Column, Mapping[str, Any]] = field(default_factory=dict)
    number: int = 0

    @property
    def key(self) -> RowKey:
        """What rows must have in common to be compared, apart from the protocol of each column."""
        return (self.test, self.test_sha256, self.run_scale, self.scale, self.shared)

    @property
    def scene(self) -> tuple[str, str, int, int]:
        """Test, content, run scale and scale, main outputs before inner ones; sorts blocks."""
        return (self.test, self.test_sha256, self.run_scale, -self.scale)

    @property
    def order(self) -> tuple[Any, ...]:
        """Sorts rows: the baseline first, then by label."""
        labels = self.labels
        channels = CHANNELS.index(labels.channels) if labels.channels else -1
        seed = labels.seed if isinstance(labels.seed, int) else -1
        names = (labels.model, labels.loss or "", channels, labels.dataset or "", seed)
        others = ("" if seed == labels.seed else str(labels.seed), labels.settings or "")
        return (*self.scene, not self.is_baseline, *names, *others, self.shared)

    @property
    def is_baseline(self) -> bool:
        """Whether this is the row that others are set against."""
        return bool(self.run.record.spec["model"]["name"] == BASELINE)

    @property
    def unavailable(self) -> Mapping[str, str]:
        """Metric label → why it could not be computed."""
        return self.run.summary["unavailable"] if self.run.summary else {}

    @property
    def unverified(self) -> str | None:
        """Why the test is not the published set of its name; None where it is, or nothing is known of it."""
        doubts = self.run.summary.get("unverified", ()) if self.run.summary else ()
        name = self.test.partition("@")[0]
        reasons = (
            str(one["reason"])
            for one in doubts
            if (one["test"], one["test_sha256"]) == (name, self.test_sha256)
        )
        return next(reasons, None)

    @property
    def verdicts(self) -> dict[str, Mapping[str, Any]]:
        """Plane → what the summary says of over-smoothing there, where its presence stands in this row."""
        return {one["plane"]: one for one in self._said("verdicts", "presence")}

    @property
    def lags(self) -> list[Mapping[str, Any]]:
        """What the summary says of channels that lag behind the others, the worst first."""
        return self._said("lags", "detail")

    def _said(self, key: str, metric: str) -> list[Mapping[str, Any]]:
        mine = {
            (score["plane"], score["protocol"], score["step"], score["run_scale"], score["scale"])
            for column, score in self.scores.items()
            if column.metric == metric
        }
        name = self.test.partition("@")[0]
        return [
            one
            for one in (self.run.summary or {}).get(key, ())
            if (one["test"], one["test_sha256"]) == (name, self.test_sha256)
            and (one["plane"], one["protocol"], one["step"], one["run_scale"], one["scale"]) in mine
        ]

    def label(self, name: str) -> str:
        """The text under a label column; empty where the run has no such thing."""
        if name == "step":
            return f"{self.step:,}" if self.labels.loss else ""
        value = getattr(self.labels, name)
        return "" if value is None else str(value)

    @property
    def protocols(self) -> Mapping[str, Any]:
        """Hash → what a score of this run depends on."""
        return self.run.summary["protocols"] if self.run.summary else {}

    def protocol(self, column: Column) -> dict[str, Any]:
        """What the score in `column` depends on."""
        return dict(self.protocols[self.scores[column]["protocol"]])


def rows_of(
    runs: Sequence[StoredRun],
    metrics: Sequence[str] | None = None,
    tests: Sequence[str] | None = None,
    *,
    everything: bool = False,
    test_names: Mapping[tuple[str, str], str] | None = None,
) -> list[Row]:
    """The rows of all scored runs in the order to show, their columns sorted.

    Args:
        runs: from the store.
        metrics: names or labels of metrics to keep (`lpips` keeps `lpips:net=squeeze`); None: all that rank.
        tests: names of tests to keep; None: all.
        everything: without `metrics`, keep also the values that describe pictures and rank nothing.
        test_names: name and SHA-256 of each test → its label, where `runs` are not all of a store; names were
            checked then.

    Raises:
        UsageError: a metric or test that no run has; the message lists what there is.
    """
    scored = [run for run in runs if run.summary is not None]
    labels = labels_of(scored)
    rows = [row for run in scored for row in _rows_of_run(run, labels[run.id])]
    named = test_labels((row.test, row.test_sha256) for row in rows) if test_names is None else test_names
    rows = [replace(row, test=named[row.test, row.test_sha256]) for row in rows]
    if test_names is None:
        known = {column.metric for row in rows for column in row.scores}
        check_known("metric", metrics, known.union(*(row.unavailable for row in rows)), ":")
        check_known("test", tests, {row.test for row in rows}, "@")
    kept = []
    for row in rows:
        if tests is None or is_named(row.test, tests, "@"):
            columns = [
                one
                for one, score in row.scores.items()
                if (
                    everything or score["better"] != "neither"
                    if metrics is None
                    else is_named(one.metric, metrics)
                )
            ]
            columns.sort(key=lambda column: column.order)
            kept.append(replace(row, scores={column: row.scores[column] for column in columns}))
    return sorted(kept, key=lambda row: row.order)


def is_named(label: str, names: Sequence[str], separator: str = ":") -> bool:
    """Whether `names` holds `label` or what stands in it before `separator`."""
    return label in names or label.split(separator)[0] in names


def _rows_of_run(run: StoredRun, labels: Labels) -> list[Row]:
    """A run's rows, each at the last step that was scored under its protocol."""
    summary = run.summary or {}
    shared = {key: shared_of(protocol) for key, protocol in summary["protocols"].items()}
    keyed: list[tuple[RowKey, Mapping[str, Any]]] = []
    last: dict[RowKey, int] = {}
    for score in summary["scores"]:
        where = (score["test"], score["test_sha256"], score["run_scale"], score["scale"])
        key = (*where, shared[score["protocol"]])
        last[key] = max(last.get(key, 0), score["step"])
        keyed.append((key, score))
    rows: dict[RowKey, list[Row]] = {}
    for key, score in keyed:
        if score["step"] < last[key]:
            continue
        column = Column(score["metric"], score["plane"])
        mine = rows.setdefault(key, [])
        # A second protocol for the same column, such as LPIPS under other weights, makes a second row.
        row = next((row for row in mine if column not in row.scores), None)
        if row is None:
            pictures = score["n"] + score["left_out"]
            row = Row(run, labels, *key, step=last[key], pictures=pictures, number=len(mine))
            mine.append(row)
        row.scores[column] = score
    return [row for mine in rows.values() for row in mine]


def shared_of(protocol: Mapping[str, Any]) -> str:
    """Canonical JSON of what a protocol says that all scores of a row have in common by nature."""
    return canonical_json({key: one for key, one in protocol.items() if key not in _OF_COLUMN})


def test_labels(tests: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Name and SHA-256 → label: the name, with the start of the hash where it has several contents."""
    contents: dict[str, set[str]] = {}
    for name, sha256 in tests:
        contents.setdefault(name, set()).add(sha256)
    return {
        (name, sha256): f"{name}@{sha256[:4]}" if len(found) > 1 else name
        for name, found in contents.items()
        for sha256 in found
    }


def check_known(kind: str, names: Sequence[str] | None, known: set[str], separator: str) -> None:
    """That each of `names` is among the labels known.

    Raises:
        UsageError: one is not; the message lists what there is.
    """
    for name in names or ():
        if not any(is_named(label, [name], separator) for label in known):
            raise UsageError(
                f"No run has scores of the {kind} {name!r}.{did_you_mean(name, known)} "
                f"There are: {', '.join(sorted(known)) or 'none yet'}."
            )
