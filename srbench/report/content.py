"""Stored runs → all that a page says, section by section, as plain data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from srbench.errors import DatasetError, StoreError, UsageError
from srbench.report.charts import curves_data, spectra_data, trade_data
from srbench.report.pictures import Room, pictures_data
from srbench.report.provenance import Origin, Protocol, origins_of, protocols_of
from srbench.report.summary import Summary, summary_of
from srbench.report.worst import Worst, worst_of
from srbench.store.runs import StoredRun
from srbench.store.scores import read_series
from srbench.verdict import tell
from srbench.verdict.show import records
from srbench.views.curves import curves_of
from srbench.views.names import in_order, is_baseline, names_of
from srbench.views.scenes import Scene, best, scenes_of, set_of
from srbench.views.trade import chart_of

if TYPE_CHECKING:
    from srbench.views.crops import Crop
    from srbench.views.pictures import Gallery
    from srbench.views.spectra import Spectra

MOST_RUNS = 250
"""In one page: of more, the best of each test set are shown."""

MOST_DRAWN = 12
"""Runs that charts show before anybody switches others on, and that have a story told."""

MOST_LOOKED_AT = 6
"""Runs whose pictures are shown of one test set; `MOST_PICTURES` pictures of it."""

MOST_PICTURES = 3
_MOST_SCENES = 2
"""Test sets of which pictures are shown: those with most runs."""


@dataclass(frozen=True)
class Looked:
    """Pictures of one scene, and what is drawn from them."""

    gallery: "Gallery"
    crops: "Sequence[Crop]"
    spectra: "Spectra"
    notes: Sequence[str]


@dataclass(frozen=True)
class Content:
    """Everything but pictures; a note is a sentence on what is left out.

    Args:
        runs: `id`, `label`, whether charts draw it at first (`on`), and whether it is a `baseline`, of each
            run in the order of tables.
        shared: what all runs have in common.
        summary: None where nothing was scored yet.
        stories: run label → test and scale → sentences on over-smoothing.
        curves, trade: for charts.
        worst: pictures, a table a test set.
        origins, protocols: where all this comes from.
        notes: section → notes.
    """

    runs: Sequence[Mapping[str, Any]]
    shared: str
    summary: Summary | None
    stories: Mapping[str, Sequence[tuple[str, Sequence[str]]]]
    curves: Mapping[str, Any]
    trade: Sequence[Mapping[str, Any]]
    worst: Sequence[Worst]
    origins: Sequence[Origin]
    protocols: Sequence[Protocol]
    notes: Mapping[str, Sequence[str]]

    @property
    def colours(self) -> dict[str, int]:
        """Run id → its number on the page."""
        return {str(run["id"]): at for at, run in enumerate(self.runs)}


def telling(runs: Sequence[StoredRun], most: int) -> tuple[list[StoredRun], list[str]]:
    """Up to `most` runs in the order of tables: of more, baselines, and of each scene as many of the best."""
    ordered = in_order(runs)
    if len(ordered) <= most:
        return ordered, []
    kept = {run.id: run for run in ordered if is_baseline(run)}
    scenes = scenes_of(ordered)
    share = max(1, (most - len(kept)) // max(1, len(scenes)))
    candidates = [run for scene in scenes for run in best(scene, share)[0].runs]
    for run in [*candidates, *ordered]:
        if len(kept) < most:
            kept.setdefault(run.id, run)
    note = (
        f"{len(kept)} of {len(ordered)} runs are in this page, the best by PSNR on each test set. Name runs, "
        "or a suite, to see others."
    )
    return [run for run in ordered if run.id in kept], [note]


def content_of(
    runs: Sequence[StoredRun], check: Callable[[], None] = lambda: None, *, most: int = MOST_RUNS
) -> Content:
    """All that a page says of the runs, but for pictures; loads no torch.

    Args:
        runs: from the store, with the baselines they are compared with.
        check: called between parts; raises to stop.
        most: runs in the page.
    """
    shown, left_out = telling(runs, most)
    names = names_of(shown)
    scenes = scenes_of(shown)
    scored = [run for run in shown if run.summary and run.summary["scores"]]
    notes: dict[str, list[str]] = {"summary": list(left_out)}
    notes["summary"] += [
        f"{names.of[run.id]} has no scores yet. srbench eval {run.id} makes them."
        for run in shown
        if run not in scored
    ]
    check()
    summary = summary_of(scored) if scored else None
    check()
    drawn = _drawn(shown, scenes)
    colours = {run.id: at for at, run in enumerate(shown)}
    curves, notes["curves"] = curves_data(curves_of([run for run in shown if not is_baseline(run)]), colours)
    check()
    trade, notes["trade"] = _trade(scored, colours)
    check()
    stories = _stories([run for run in scored if run.id in drawn], scored, names.of)
    worst, notes["worst"] = [], []
    for scene in scenes:
        check()
        found, more = worst_of(scene, names.of)
        worst += [found] if found else []
        notes["worst"] += more
    return Content(
        [
            {
                "id": run.id,
                "label": names.of[run.id],
                "on": run.id in drawn,
                "baseline": is_baseline(run),
            }
            for run in shown
        ],
        names.shared,
        summary,
        stories,
        curves,
        trade,
        worst,
        origins_of(shown, names.of),
        protocols_of(scored) if scored else [],
        notes,
    )


def _drawn(runs: Sequence[StoredRun], scenes: Sequence[Scene]) -> set[str]:
    """Ids of the runs that charts show at first."""
    if len(runs) <= MOST_DRAWN or not scenes:
        return {run.id for run in runs[:MOST_DRAWN]}
    baselines = [run.id for run in runs if is_baseline(run)]
    return {*baselines[:1], *(run.id for run in best(scenes[0], MOST_DRAWN - 1)[0].runs)}


def _trade(runs: Sequence[StoredRun], colours: Mapping[str, int]) -> tuple[list[dict[str, Any]], list[str]]:
    try:
        chart = chart_of(runs)
    except UsageError as error:
        return [], [str(error)]
    return trade_data(chart, colours), list(chart.notes)


def _stories(
    told: Sequence[StoredRun], everything: Sequence[StoredRun], names: Mapping[str, str]
) -> dict[str, list[tuple[str, Sequence[str]]]]:
    stories: dict[str, list[tuple[str, Sequence[str]]]] = {}
    for run in told:
        try:
            story = records(tell(run, everything))
        except (UsageError, StoreError):  # not scored for detail: the table says so
            continue
        said = [
            (f"{scene['test']} ×{scene['scale']}", scene["sentences"])
            for scene in story["scenes"]
            if scene["sentences"]
        ]
        if story["training"]:
            said.append(("training", story["training"]))
        if said:
            stories[names[run.id]] = said
    return stories


@dataclass
class Looking:
    """Pictures of runs, made once for as long as the scores of their runs stay what they are.

    Args:
        device: as typed.
        typed: test sets as typed, where they are not found by what is stored.
        check: raises to stop.
        quiet: no progress bars.
    """

    device: str = "auto"
    typed: Sequence[str] = ()
    check: Callable[[], None] = lambda: None
    quiet: bool = True
    _made: dict[tuple[str, str], Looked] = field(default_factory=dict)

    def at(self, runs: Sequence[StoredRun]) -> tuple[list[Looked], list[str]]:
        """What is worth a look of each scene, and why other scenes are not looked at."""
        scenes = scenes_of(runs)
        notes = [
            f"Pictures of {scene.title} are not shown: a page has those of {_MOST_SCENES} test sets. Name "
            "runs that were scored on it alone to see them."
            for scene in scenes[_MOST_SCENES:]
        ]
        looked = []
        for scene in scenes[:_MOST_SCENES]:
            try:
                looked.append(self._look(scene))
            except (DatasetError, UsageError, StoreError) as error:
                notes.append(f"Pictures of {scene.title} are not shown: {error}")
        return looked, notes

    def _look(self, scene: Scene) -> Looked:
        """The pictures of one scene.

        Raises:
            DatasetError: its pictures are not on this machine.
            StoreError: scores are damaged.
            UsageError: no such device.
        """
        from srbench.train.device import apply_engine, choose_engine, pick_device
        from srbench.views.crops import choose_pictures, crops_of
        from srbench.views.pictures import gallery
        from srbench.views.spectra import spectra_of

        first, left_out = best(scene, MOST_LOOKED_AT)
        shown, damaged = _readable(first)
        notes = [*left_out, *damaged]
        state = " ".join(f"{run.id}@{_stamp(run)}" for run in shown.runs)
        if (scene.title, state) in self._made:
            return self._made[scene.title, state]
        chosen = choose_pictures(shown, MOST_PICTURES)
        if not chosen:
            raise UsageError("pictures are chosen by scores of presence or psnr, and there are none.")
        test = set_of(shown, self.typed)
        where = pick_device(self.device)
        apply_engine(choose_engine(where, "fp32", "exact"))
        names = [one.picture for one in chosen]
        found = gallery(shown, test, names, where, self.check, quiet=self.quiet)
        spectra = spectra_of(found)
        made = Looked(found, crops_of(found, chosen), spectra, [*notes, *found.notes, *spectra.notes])
        self._made = {key: one for key, one in self._made.items() if key[0] != scene.title}
        self._made[scene.title, state] = made
        return made


def _readable(scene: Scene) -> tuple[Scene, list[str]]:
    """The scene without the runs whose scores are damaged, and a note on each of these.

    Raises:
        StoreError: no run is left.
    """
    kept, notes = [], []
    for run in scene.runs:
        try:
            read_series(run.paths)
            kept.append(run)
        except StoreError as error:
            notes.append(str(error))
    if not kept:
        raise StoreError(" ".join(notes))
    return replace(scene, runs=tuple(kept)), notes


def _stamp(run: StoredRun) -> int:
    try:
        return run.paths.summary.stat().st_mtime_ns
    except OSError as error:
        raise StoreError(f"{run.paths.summary} cannot be read ({error.strerror}).") from error


def views_of(
    looked: Sequence[Looked], colours: Mapping[str, int], room_bytes: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """Pictures that fit into so many bytes, spectra, and notes."""
    room = Room(room_bytes)
    pictures, spectra = [], []
    for one in looked:
        pictures += pictures_data(one.gallery, one.crops, colours, room)
        if one.spectra.spectra:
            spectra.append(spectra_data(one.gallery.scene.title, one.spectra, colours))
    return pictures, spectra, [*(note for one in looked for note in one.notes), *room.notes]
