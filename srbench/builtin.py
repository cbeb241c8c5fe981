"""The core's own plugin: what srbench itself provides, through the same hooks as everyone's."""

from collections.abc import Mapping
from math import inf

from srbench.hookspecs import hookimpl
from srbench.types import Better, RegisterDegradation, RegisterExecutor, RegisterMetric

COMMANDS: Mapping[str, str] = {
    "run": "srbench.cli.run:run",
    "suite": "srbench.cli.suite:app",
    "table": "srbench.cli.table:table",
    "runs": "srbench.cli.runs:app",
    "checkpoint": "srbench.cli.checkpoint:app",
    "gc": "srbench.cli.gc:gc",
    "prove-resume": "srbench.cli.prove_resume:prove_resume",
    "eval": "srbench.cli.eval:evaluate_run",
    "upscale": "srbench.cli.upscale:upscale",
    "data": "srbench.cli.data:app",
    "compare": "srbench.cli.compare:compare",
    "plot": "srbench.cli.plot:app",
    "report": "srbench.cli.report:report",
    "verdict": "srbench.cli.verdict:verdict",
    "explain": "srbench.cli.explain:explain",
    "probe": "srbench.cli.probe:probe",
    "plugins": "srbench.cli.plugins:app",
    "doctor": "srbench.cli.doctor:doctor",
}
"""The core's commands, in the order of `--help`: a function or a `typer.Typer` each, imported when called."""


@hookimpl
def register_metrics(register: RegisterMetric) -> None:
    """PSNR, SSIM, LPIPS, consistency with LR, and the detail that SR has of HR."""
    register("psnr", "srbench.metrics.psnr:psnr", better="higher", unit="dB", bounds=(0, inf))
    register(
        "ssim",
        "srbench.metrics.ssim:ssim",
        better="higher",
        facts="srbench.metrics.ssim:facts",
        bounds=(-1, 1),
    )
    register(
        "lpips",
        "srbench.metrics.lpips:lpips",
        better="lower",
        planes=("rgb",),
        facts="srbench.metrics.lpips:facts",
        shows=("net",),
        bounds=(0, inf),
    )
    register("lr_consistency", "srbench.metrics.consistency:lr_consistency", better="higher", unit="dB")
    fields: dict[str, tuple[Better, float, float]] = {
        "detail": ("higher", -inf, inf),
        "presence": ("higher", 0, inf),
        "invented": ("lower", 0, inf),
        "slope": ("neither", -inf, inf),
        "contrast": ("neither", 0.5, 2),
        "shift": ("neither", 0, inf),
        "content": ("neither", 0, 1),
    }
    for name, (better, least, greatest) in fields.items():
        register(
            name,
            "srbench.metrics.detail:detail",
            better=better,
            unit="px" if name == "shift" else "",
            field=name,
            bounds=(least, greatest),
        )


@hookimpl
def register_degradations(register: RegisterDegradation) -> None:
    """MATLAB's antialiased bicubic."""
    register("bicubic", "srbench.images.resize:bicubic")


@hookimpl
def register_executors(register: RegisterExecutor) -> None:
    """This machine."""
    register("local", "srbench.executors.machine:Machine")
