"""Every hook of srbench. The docstring of a hook is its reference page."""

from collections.abc import Mapping

import pluggy

from srbench.types import (
    RegisterCommand,
    RegisterDataset,
    RegisterDegradation,
    RegisterExecutor,
    RegisterLoss,
    RegisterMetric,
    RegisterModel,
    RegisterTrainer,
    RunInfo,
)

API_VERSION = 1
"""Of `srbench.api`; raised when a hook or a guarantee changes in a way that plugins can notice."""

OLDEST_API_VERSION = 1
"""The oldest version whose plugins still work."""

hookspec = pluggy.HookspecMarker("srbench")
hookimpl = pluggy.HookimplMarker("srbench")
"""Marks a function of a plugin as the hook that it is named after."""


@hookspec
def register_models(register: RegisterModel) -> None:
    """Name the models this plugin provides.

        register("lapsrn", "srbench_lapsrn.network:build", scales=(2, 4, 8), channels="r,g,b")

    `build(planes, scale, **params)` returns an `nn.Module` whose forward takes LR `(N, planes, h, w)` in
    [0, 1] and returns SR `(N, planes, h·scale, w·scale)`, or a dict scale → SR with the run scale among its
    keys. Parameters beyond `planes` and `scale` are the model's settings; they are checked against
    the signature and its annotations, and enter the run id with their defaults filled in.

    Args of `register`: `scales` the run scales it can do (None: any); `channels` the default `--channels`;
    `trainable=False` for a baseline without weights; `size_multiple`: LR sides are padded to a multiple of
    it, or a function of the settings that says so; `tileable=False`, or such a function, for a network that
    must see whole pictures, which then refuses `--tile`; `reader` for `srbench eval --weights`, below;
    `recipes` name → settings (`loss`, `steps` or `epochs`, `batch`, `patch`, `optimizer`, `lr`, `schedule`,
    `clip`, `ema`), or a function of the model's settings and `scale` that returns them, of which `default` is
    used unless `--recipe` says otherwise; `terms` a function of the settings, `planes` and `scale` that
    returns what a user is told before use, such as a licence.

    `reader`, or its import string: `read(path, planes, scale, **params)` makes of a foreign weights file the
    state dict of one network built with the same arguments, or a `srbench.api.ForeignModel` where the file
    itself says what its network is; then `planes` and `scale` are None unless the user gave them. It asks
    for what it needs by parameter name, never unpickles, and raises `ValueError` saying what is wrong with
    the file. Without a reader, and for files that fit by their names, srbench reads safetensors itself.
    """


@hookspec
def register_losses(register: RegisterLoss) -> None:
    """Name the losses this plugin provides.

        register("charbonnier", "srbench_losses.pixel:charbonnier")

    `build(**params)` returns a callable or `nn.Module` that gives a scalar tensor. It asks by parameter name
    for any of `sr`, `hr`, `lr` (`(N, C, H, W)`, float32), `scale` (that picture's factor) and `step`.

    Args of `register`: `domain="plane"`: called once a network with what that network sees, which may be one
    plane; `domain="rgb"`: called with the recomposed RGB picture, differentiable through all networks.
    `scales="all"`: called at every scale the model predicts and summed; `"last"`: at the run scale alone.
    Trainable parameters of a module join the optimizer and the checkpoint. `facts(**settings)` gives what
    training depends on besides the settings (the hash of a frozen network's weights), as plain data for the
    run's specification, and raises `MetricUnavailable` where the loss cannot be had; such networks stay out
    of the checkpoint. A loss that cannot work on pictures of some size raises `srbench.api.SizeError`: it is
    tried on empty ones before anything starts. `laws`: what it says of its values, any of
    `"zero at equality"` (SR equal to HR costs nothing) and `"mean over the batch"` (a batch costs the mean of
    what its pictures cost alone, so that `--processes` changes nothing); conformance holds it to that.
    """


@hookspec
def register_trainers(register: RegisterTrainer) -> None:
    """Name the trainers this plugin provides: what trains a network in a way that is no loss (and no critic).

        register("flow", "srbench_flow.trainer:Flow")

    `build(**params)` returns a `srbench.api.Trainer`, whose methods say what there is to train and how to
    step and predict. It takes the loss's place: `--loss flow:steps=4`, alone and without a weight.
    """


@hookspec
def register_datasets(register: RegisterDataset) -> None:
    """Name the datasets this plugin provides.

        register("set5", "srbench_datasets.named:set5", facts="srbench_datasets.facts:SET5")

    `build(**params)` returns a `srbench.api.Dataset`. Parameters annotated `Path` (or `Path | None`) say
    where pictures lie and stay out of the run id; the pictures' own hashes stand for them. Keyword-only ones
    stay out of it at their default. A builder without such a parameter given looks into
    `srbench.api.data_dir() / name`, where `srbench data fetch` puts sets. One that has a parameter `scale` is
    given the scale of the run, or None, and can give pictures an LR of their own.

    Args of `register`: `facts` a `srbench.api.DatasetFacts`, or the import string of one, for a public set:
    where it is downloaded, its terms, count, sizes, and published bicubic figures. `srbench data` lists,
    fetches and verifies it, and runs that are scored on it are marked where it is not the published one.
    """


@hookspec
def register_metrics(register: RegisterMetric) -> None:
    """Name the metrics this plugin provides.

        register("psnr", "my_metrics.psnr:psnr", better="higher", unit="dB")

    The callable asks by parameter name for any of `sr`, `hr`, `lr`, `degraded` (SR degraded again) and
    `scale`; its other parameters are its settings (`ssim:edge=replicate`). Pictures arrive rounded to 8 bits,
    border-cropped, float32 in [0, 1].
    For single planes (`planes=("r", "g", "b", "y")`) they are `(N, C, H, W)`, one channel a plane, and the
    result is `(N, C)`; for `planes=("rgb",)` they are `(N, 3, H, W)` and the result is `(N,)`. One that does
    not ask for `hr` is a no-reference metric.

    Args of `register`: `better` the direction, or `neither` for a value that describes a picture and ranks
    nothing (tables show it where it is asked for), or a function of the settings that says which; `unit`;
    `planes`; `facts(**settings)` gives what a score depends on besides the settings (weights, window), as
    plain data for the protocol, and raises `MetricUnavailable` where the metric cannot run; `shows` the
    settings always named in tables; `bounds` the least and the greatest value that there can be. A function
    that measures several things at once returns a NamedTuple and is registered once a `field` of it: where
    one is asked for, all are scored, by one call.
    """


@hookspec
def register_degradations(register: RegisterDegradation) -> None:
    """Name the degradations (HR → LR) this plugin provides.

        register("bicubic", "srbench.images.resize:bicubic")

    `build(**params)` returns a callable `(hr, scale) -> lr`, deterministic, on `(N, C, H, W)` in [0, 1]
    whose sides are multiples of `scale`. It is applied to whole pictures once and cached.

    Args of `register`: `stochastic=True` for one with chance in it. Its callable is
    `(hr, scale, seeds) -> lr`, applied to each patch when it is drawn. `seeds` is a uint64 array, one a
    picture of `hr`: what comes of a picture is a function of that picture and its seed, whatever is beside
    it. `margin`: how many HR pixels around a patch have a part in its LR; a number, or a function (or its
    import string) that asks by name for `scale` and the settings. Whole pictures, which are validated and
    scored on, have a seed made of their name, so that every model sees the same LR.
    """


@hookspec
def register_executors(register: RegisterExecutor) -> None:
    """Name the executors this plugin provides: where `srbench run` does its runs.

        register("cluster", "srbench_cluster.executor:Cluster")

    `build(**params)` returns a `srbench.api.Executor`: its one method is given the jobs, the store's folder,
    how to run them and whether to stop, and returns what became of each. `srbench.api.run_job` does one job
    in the process that calls it; all that it takes can be pickled. `--executor cluster:address=…` chooses it.
    Where runs are done is no part of what they are.
    """


@hookspec
def register_commands(register: RegisterCommand) -> None:
    """Name the commands this plugin adds to `srbench`.

        register("report", "my_report.command:report", help="Write all runs of a store on one page.")

    The target is a function or a `typer.Typer`, or the import string of one. It is imported when the command
    is called: `srbench --help` shows `help`, one line, in a panel of the plugin's distribution. A name of one
    of srbench's own commands is refused. A `srbench.api` error that the command raises ends it with that
    error's exit code; any other exception is told as a fault of the plugin, with exit code 1.
    """


@hookspec
def run_started(run: RunInfo, step: int, evaluated: int) -> None:
    """A run begins to train, from `step` (0, or where its checkpoint left it).

    `evaluated` is the step of the last evaluation that is kept (0: of none). What was told before of later
    ones comes again, with the same numbers. After this comes one of `run_finished`, `run_stopped` and
    `run_failed`, unless the process is killed.
    """


@hookspec
def step_finished(run: RunInfo, step: int, loss: float) -> None:
    """One training step is done; `loss` is its sum over networks. Costs nothing where not implemented."""


@hookspec
def epoch_finished(run: RunInfo, step: int, epoch: int) -> None:
    """The step that completes an epoch is done; `epoch` counts from 1."""


@hookspec
def evaluation_finished(run: RunInfo, step: int, line: Mapping[str, object], learning_rate: float) -> None:
    """An evaluation is done and stored; `line` is what history.jsonl holds of it.

    `learning_rate` is that of the step before.
    """


@hookspec
def checkpoint_saved(run: RunInfo, step: int) -> None:
    """A checkpoint is on disk, complete and verified by its manifest."""


@hookspec
def run_finished(run: RunInfo, step: int, summary: Mapping[str, object]) -> None:
    """A run has reached its budget and its scores are stored; `summary` is what summary.json holds."""


@hookspec
def run_stopped(run: RunInfo, reason: str) -> None:
    """Work on a run was stopped on request, by a signal or the time limit, or another process took it over.

    The same command goes on.
    """


@hookspec
def run_failed(run: RunInfo, reason: str) -> None:
    """Work on a run ended with an error, before its training, in it, or in scoring; `reason` says which."""
