"""The core's own plugin: what srbench itself provides, through the same hooks as everyone's."""

from srbench.hookspecs import hookimpl
from srbench.types import RegisterDegradation, RegisterMetric


@hookimpl
def register_metrics(register: RegisterMetric) -> None:
    """PSNR, SSIM and LPIPS."""
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


@hookimpl
def register_degradations(register: RegisterDegradation) -> None:
    """MATLAB's antialiased bicubic."""
    register("bicubic", "srbench.images.resize:bicubic")
