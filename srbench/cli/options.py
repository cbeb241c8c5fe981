"""Options that several commands share, and what they mean."""

from pathlib import Path
from typing import Annotated

import typer

Results = Annotated[
    Path | None,
    typer.Option("--results", metavar="DIR", help="The store. Default: SRBENCH_RESULTS, else results/ here."),
]
Test = Annotated[
    list[str] | None,
    typer.Option(
        "--test",
        metavar="DATASET",
        rich_help_panel="Scoring",
        help="Test set to score on, such as set5:root=DIR or folder:test=DIR; a comma list or repeated for "
        "several. Default: the dataset's own test half.",
    ),
]
Metric = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="METRIC",
        rich_help_panel="Scoring",
        help="Metrics to score, such as psnr,ssim:edge=replicate,lpips:net=squeeze. Replaces the default set "
        "psnr,ssim,lpips. Run again with other ones to add what is missing without training.",
    ),
]
Grey = Annotated[
    str,
    typer.Option(
        "--grey",
        metavar="RULE",
        rich_help_panel="Scoring",
        help="A single-channel test file is scored as three equal planes (rgb) or as it is, without a luma "
        "transform (keep). Moves luma PSNR on Set14 by 0.09 dB: papers differ.",
    ),
]
LpipsWeights = Annotated[
    Path | None,
    typer.Option(
        "--lpips-weights",
        metavar="DIR",
        rich_help_panel="Scoring",
        help="Folder with LPIPS backbone weights (alexnet-owt-7be5be79.pth, squeezenet1_1-…, vgg16-…). Default: "
        "SRBENCH_LPIPS_WEIGHTS, else the cache, else a verified download.",
    ),
]
SaveImages = Annotated[
    int,
    typer.Option(
        "--save-images",
        metavar="N",
        min=0,
        rich_help_panel="Scoring",
        help="Keep the SR pictures of the first N test pictures as PNG in the run's images/.",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="DEVICE",
        rich_help_panel="Machine",
        help="auto (a GPU where there is one), cpu, cuda, cuda:1 or mps.",
    ),
]
