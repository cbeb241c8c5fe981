"""`srbench run` as a function: options and a suite → jobs → outcomes."""

import os
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import Unpack

from srbench.errors import PluginError, StoppedError, UsageError, most_urgent
from srbench.python.options import RunOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from srbench.executors.contract import Executor, Outcome, Settings
    from srbench.plan import Job
    from srbench.plan.matrix import Matrix
    from srbench.python.loaded import LoadedRun
    from srbench.suite.read import Suite
    from srbench.train.stop import Stop


@dataclass(frozen=True)
class Prepared:
    """Everything is looked up and nothing is written.

    Args:
        jobs: what to do, baselines first.
        results: the store.
        executor: where.
        settings: how.
        stop: which listens from here on.
    """

    jobs: "list[Job]"
    results: Path
    executor: "Executor"
    settings: "Settings"
    stop: "Stop"

    def execute(self) -> "Sequence[Outcome]":
        """Do the jobs; a run that fails does not stop the others.

        Raises:
            PluginError: the executor has not said what became of each.
            SrbenchError: none could be done.
        """
        outcomes = self.executor.execute(self.jobs, self.results, self.settings, self.stop)
        _check_told(self.jobs, outcomes, type(self.executor).__name__)
        return outcomes


def _check_told(jobs: "Sequence[Job]", outcomes: "Sequence[Outcome]", executor: str) -> None:
    """That every run has an outcome, but for those a stop left out: one not done would pass for done."""
    from srbench.executors.contract import Outcome

    if not isinstance(outcomes, Sequence) or not all(isinstance(one, Outcome) for one in outcomes):
        raise PluginError(
            f"The executor {executor} returned {outcomes!r:.200}, and is to return a list with an "
            "srbench.api.Outcome for each run. What was done is in the store: srbench runs shows it."
        )
    told = {one.run_id for one in outcomes}
    silent = [job.spec.id for job in jobs if job.spec.id not in told]
    if silent and not any(isinstance(one.error, StoppedError) for one in outcomes):
        raise PluginError(
            f"The executor {executor} has not said what became of {len(silent)} of {len(jobs)} runs "
            f"({silent[0]}{', …' if silent[1:] else ''}). srbench runs shows what is stored of them; the "
            "same command with --executor local does what is missing."
        )


def run(suite: str | os.PathLike[str] | None = None, **options: Unpack[RunOptions]) -> "list[LoadedRun]":
    """Train what is missing, score what is missing, and store it, as `srbench run` does.

    The same call goes on where it was stopped, and skips what is done. In a notebook, interrupting finishes
    the step and saves.

    Args:
        suite: a suite file; options given beside it go before what it says.
        options: those of `srbench run`, with `_` for `-`: `model="espcn"`, `steps=500`, `max_time="50m"`. One
            that spans a matrix takes a list.

    Returns:
        The runs, bicubic among them, in the order in which they are done; without those that an executor
        has left in the queue of a batch system.

    Raises:
        UsageError: what is asked for cannot be.
        StoppedError: stopped on request, with everything saved.
        SrbenchError: a run failed; the others went on first.
    """
    from srbench.python.loaded import load_run

    command = [f"{name}={value!r}" for name, value in options.items()]
    called = ["srbench.run", *([] if suite is None else [os.fspath(suite)]), *command]
    with prepared(suite, options, command=called) as asked:
        outcomes = asked.execute()
    error = most_urgent(outcome.error for outcome in outcomes if outcome.error is not None)
    if error is not None:
        raise error
    done = [outcome.run_id for outcome in outcomes if outcome.queued_as is None]
    return [load_run(run_id, results=asked.results) for run_id in done]


@contextmanager
def prepared(
    suite: str | os.PathLike[str] | None,
    options: Mapping[str, Any],
    *,
    command: Sequence[str],
    quiet: bool = False,
) -> "Iterator[Prepared]":
    """What was asked for, ready to be done while the block runs, in which signals are requests to stop.

    Args:
        suite: a suite file.
        options: those of `srbench run` that were given; they go before the suite.
        command: what was typed, for provenance.
        quiet: no progress bars.

    Raises:
        UsageError: what is asked for cannot be.
        StoppedError: by a signal or the time limit.
    """
    from srbench.python.options import checked_options
    from srbench.train.stop import Stop, parse_duration, time_limit

    asked = checked_options(options)
    _check_together(asked, suite)
    limit = asked.get("max_time")
    stop = Stop(time_limit(limit))
    # From here on a signal is a request to stop: also in the seconds that loading torch takes.
    with stop.listening():
        with stop.at_once():
            read = None
            if suite is not None:
                from srbench.suite.read import read_suite

                read = read_suite(suite)
                if limit is None and "max_time" in read.options:
                    stop.limit(parse_duration(read.options["max_time"]))
            ready = _prepare(read, asked, stop, command, quiet)
        yield ready


def _prepare(
    suite: "Suite | None", options: RunOptions, stop: "Stop", command: Sequence[str], quiet: bool
) -> Prepared:
    from srbench.executors.contract import Settings
    from srbench.plan.matrix import Matrix
    from srbench.python.options import axes_of, names_of, only_of, training_of
    from srbench.python.scoring import scoring_of, use_lpips_weights
    from srbench.python.typed import typed_list
    from srbench.store.layout import default_results
    from srbench.train.loop import Cadence

    # Options go before the suite, whatever the kind.
    said: dict[str, Any] = {**(suite.options if suite else {}), **options}
    use_lpips_weights(_path(said.get("lpips_weights")))  # a loss may need them too
    results = _path(said.get("results")) or default_results()
    matrix = (suite.matrix if suite else Matrix()).overridden(
        axes_of(options), training_of(options), only_of(options)
    )
    jobs = _jobs(matrix, typed_list("dataset", names_of(said.get("test"))), options, results)
    if options.get("rerun") == "failed":
        jobs = [job for job in jobs if _has_failed(job, results)]
    settings = Settings(
        device=said.get("device", "auto"),
        determinism=said.get("determinism", "exact"),
        cadence=Cadence(said.get("save_every", 60.0), said.get("eval_every"), said.get("patience")),
        scoring=scoring_of(
            names_of(said.get("metric")),
            said.get("grey", "rgb"),
            said.get("save_images", 0),
            border=str(said.get("border", "scale")),
            tile=said.get("tile"),
            overlap=said.get("overlap"),
            self_ensemble=said.get("self_ensemble", False),
        ),
        provenance={"command": list(command), **({"suite": suite.provenance} if suite else {})},
        quiet=quiet,
        processes=said.get("processes", 1),
        lpips_weights=_path(said.get("lpips_weights")),
    )
    executor = _executor(said.get("executor"), said.get("jobs"))
    return Prepared(jobs, results, executor, settings, stop)


def _executor(typed: str | None, jobs: int | None) -> "Executor":
    """The executor as typed, or srbench's own `local`; `--jobs N` is short for its parameter `jobs`."""
    from srbench.grammar import parse_term
    from srbench.python.typed import typed_one
    from srbench.registry import registry

    text = "local" if typed is None else typed_one("executor", typed)
    term = parse_term(text)
    component = registry().find("executor", term.name)
    if jobs is not None and "jobs" in term.parameters:
        raise UsageError(f"--jobs and --executor {text} both say how many runs at once. Give one of them.")
    more = {} if jobs is None else {"jobs": jobs}
    built: Executor = component.make(**component.settings({**term.parameters, **more}))
    return built


def _jobs(matrix: "Matrix", tests: Sequence[str], options: RunOptions, results: Path) -> "list[Job]":
    from srbench.plan import plan, together

    requests = matrix.requests(tests)
    if "init" not in options and "fork" not in options:
        return together(plan(one) for one in requests)
    from srbench.origins import Begin, jobs_from

    begin = (
        Begin("init", str(options["init"]))
        if "init" in options
        else Begin("fork", options["fork"], _kept(options.get("fork_optimizer")))
    )
    return together(jobs_from(one, begin, results) for one in requests)


def _has_failed(job: "Job", results: Path) -> bool:
    from srbench.store.layout import RunPaths
    from srbench.store.runs import read_record

    record = read_record(RunPaths(results / job.spec.id))
    return record is not None and record.status == "failed"


def _check_together(options: RunOptions, suite: object) -> None:
    """Options that do not go with one another, said before anything is loaded."""
    if "steps" in options and "epochs" in options:
        raise UsageError("--steps and --epochs both say how far to train. Give one of them.")
    if options.get("determinism", "exact") not in ("exact", "fast"):
        raise UsageError(f"--determinism {options['determinism']} is neither exact nor fast.")
    init, fork = options.get("init"), options.get("fork")
    if init is not None and fork is not None:
        raise UsageError(
            "--init begins from weights alone and --fork from a run's whole state. Give one of them."
        )
    if suite is not None and (init is not None or fork is not None):
        raise UsageError("--init and --fork begin the runs of a command line, not those of a suite.")
    if fork is None and "fork_optimizer" in options:
        raise UsageError("--fork-optimizer belongs to --fork.")
    if fork is not None and options.get("recipe", "default") != "default":
        raise UsageError("--recipe names settings to begin with, and --fork begins with those of its run.")


def _kept(text: str | None) -> Literal["keep", "reset"]:
    if text not in (None, "keep", "reset"):
        raise UsageError(f"--fork-optimizer {text} is neither keep nor reset.")
    return "reset" if text == "reset" else "keep"


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)
