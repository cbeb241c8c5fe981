"""The table of all runs as a pandas DataFrame."""

from pathlib import Path

import pandas as pd

from srbench.errors import UsageError
from srbench.python.options import Names, names_of
from srbench.store.layout import default_results
from srbench.store.runs import list_runs
from srbench.suite.read import read_suite
from srbench.tables import KEYS, records


def table(
    results: str | Path | None = None,
    *,
    metric: Names | None = None,
    test: Names | None = None,
    suite: str | Path | None = None,
) -> pd.DataFrame:
    """The stored scores of all runs: a row for each run, test, scale, plane and metric.

    Args:
        results: the store; None: SRBENCH_RESULTS, else `results/` in the working directory.
        metric: only these: names (`lpips`: with any network) or labels (`lpips:net=squeeze`).
        test: only these test sets.
        suite: only the runs of this suite file, and the baselines beside them.

    Returns:
        The columns of `srbench table --format json`, in full precision. Only rows that share `protocol` may
        be compared.

    Raises:
        UsageError: there is no store, no run has such a metric or test, or the suite is not sound.
        StoreError: a run in the store cannot be read.
    """
    root = Path(results) if results is not None else default_results()
    if not root.is_dir():
        raise UsageError(f"There is no store at {root}. srbench.run makes one there with its first run.")
    runs, errors = list_runs(root)
    if errors:
        raise errors[0]
    scored = [run for run in runs if run.summary and run.summary["scores"]]
    if suite is not None:
        ids = read_suite(suite).run_ids()
        scored = [run for run in scored if run.id in ids]
    chosen = {"metrics": list(names_of(metric)) or None, "tests": list(names_of(test)) or None}
    return pd.DataFrame(records(scored, **chosen), columns=list(KEYS))
