"""The core's own plugin: what srbench itself provides, through the same hooks as everyone's."""

from srbench.hookspecs import hookimpl
from srbench.types import Better, RegisterDegradation, RegisterExecutor, RegisterMetric


@hookimpl
def register_metrics(register: RegisterMetric) -> None:
    """PSNR, SSIM, LPIPS, consistency with LR, and the detail that SR has of HR."""
    register("psnr", "srbench.metrics.psnr:psnr", better="higher", unit="dB")
    register("ssim", "srbench.metrics.ssim:ssim", better="higher", facts="srbench.metrics.ssim:facts")
    register(
        "lpips",
        "srbench.metrics.lpips:lpips",
        better="lower",
        planes=("rgb",),
        facts="srbench.metrics.lpips:facts",
        shows=("net",),
    )
    register("lr_consistency", "srbench.metrics.consistency:lr_consistency", better="higher", unit="dB")
    fields: dict[str, Better] = {
        "detail": "higher",
        "presence": "higher",
        "invented": "lower",
        "slope": "neither",
        "contrast": "neither",
        "shift": "neither",
        "content": "neither",
    }
    for name, better in fields.items():
        unit = "px" if name == "shift" else ""
        register(name, "srbench.metrics.detail:detail", better=better, unit=unit, field=name)


@hookimpl
def register_degradations(register: RegisterDegradation) -> None:
    """MATLAB's antialiased bicubic."""
    register("bicubic", "srbench.images.resize:bicubic")


@hookimpl
def register_executors(register: RegisterExecutor) -> None:
    """This machine."""
    register("local", "srbench.executors.machine:Machine")
