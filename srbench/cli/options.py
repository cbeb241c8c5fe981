"""Options that several commands share, and what they mean."""

from pathlib import Path
from typing import Annotated

import typer

_AXIS = "Runs (a comma list or a repeated option spans a matrix)"
_TRAIN = "Training (what is not given comes from the model's recipe)"
_BEGIN = "Beginning"
_MACHINE = "Machine"

Results = Annotated[
    Path | None,
    typer.Option("--results", metavar="DIR", help="The store. Default: SRBENCH_RESULTS, else results/ here."),
]
Step = Annotated[
    str | None,
    typer.Option(
        "--step",
        metavar="N|best",
        help="Which checkpoint: a step, or best for the best validation. Default: the newest sound one, "
        "which tables show.",
    ),
]
Test = Annotated[
    list[str] | None,
    typer.Option(
        "--test",
        metavar="DATASET",
        rich_help_panel="Scoring",
        help="Test set to score on, such as set5 (once srbench data fetch has got it), set5:root=DIR or "
        "folder:test=DIR; a comma list or repeated for several. Default: the dataset's own test half.",
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
Border = Annotated[
    str,
    typer.Option(
        "--border",
        metavar="N|scale",
        rich_help_panel="Scoring",
        help="Pixels left out at each side of a picture: a number, or as many as its scale. Papers differ, "
        "and edges are the hardest part of a picture.",
    ),
]
SelfEnsemble = Annotated[
    bool,
    typer.Option(
        "--self-ensemble",
        rich_help_panel="Scoring",
        help="Score the mean over each picture mirrored and turned in all 8 ways. Takes 8 times as long.",
    ),
]
Tile = Annotated[
    int | None,
    typer.Option(
        "--tile",
        metavar="PIXELS",
        rich_help_panel="Scoring",
        help="Put pictures through the network in tiles of this side, in LR pixels, 16 or more. Default: "
        "whole pictures. Smaller needs less memory in proportion to the square.",
    ),
]
Overlap = Annotated[
    int | None,
    typer.Option(
        "--overlap",
        metavar="PIXELS",
        rich_help_panel="Scoring",
        help="LR pixels that neighbouring tiles share, at most half a tile. Where a network looks no further "
        "than a quarter of it, tiles leave no seam. Default: 32, or a quarter of a smaller tile.",
    ),
]
LpipsWeights = Annotated[
    Path | None,
    typer.Option(
        "--lpips-weights",
        metavar="DIR",
        rich_help_panel="Scoring",
        help="Folder with published weights and statistics that metrics and losses need: of LPIPS and VGG "
        "(alexnet-owt-7be5be79.pth, squeezenet1_1-…, vgg16-…, vgg19-…), DISTS, ST-LPIPS and NIQE. Default: "
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
        rich_help_panel=_MACHINE,
        help="auto (a CUDA GPU where there is one, else the CPU), cpu, cuda or cuda:1.",
    ),
]

Executor = Annotated[
    str,
    typer.Option(
        "--executor",
        metavar="NAME",
        rich_help_panel=_MACHINE,
        help="Where runs are done: local is this machine. With parameters, as in local:jobs=2.",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        min=1,
        rich_help_panel=_MACHINE,
        help="Runs at once, each in a process of its own; they share the CPU's threads, or take a GPU each "
        "while there are any. Default: one on a CPU, and one a GPU.",
    ),
]
Processes = Annotated[
    int,
    typer.Option(
        "--processes",
        metavar="N",
        min=1,
        rich_help_panel=_MACHINE,
        help="Train each run by N processes on this machine, each with its share of the batch, and each on a "
        "GPU of its own where there are GPUs.",
    ),
]

Model = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_AXIS,
        help="Model, such as lapsrn, lapsrn:depth=5 or spandrel:arch=swinir,size=light; srbench plugins "
        "lists them, with the licences of others' code.",
    ),
]
Loss = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_AXIS,
        help="Loss, such as charbonnier:eps=1e-6; a weighted sum is written l2+0.1*charbonnier.",
    ),
]
Dataset = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_AXIS,
        help="What to train on: sample (real pictures that scikit-image brings; the default), "
        "folder:train=DIR,test=DIR, folder:root=DIR,tile=128, bsds200:root=DIR …",
    ),
]
Channels = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PLANES",
        rich_help_panel=_AXIS,
        help="What networks see: r,g,b (three separate networks), rgb, y, r, g or b. Repeat the option "
        "for several. Default: the model's own.",
    ),
]
Scale = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FACTOR",
        rich_help_panel=_AXIS,
        help="Enlargement, 4 unless given.",
    ),
]
Seed = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NUMBER",
        rich_help_panel=_AXIS,
        help="Seed of initialisation, order and crops, 0 unless given; init=1,order=2 sets them apart. "
        "Repeat the option for several.",
    ),
]
Degradations = Annotated[
    list[str] | None,
    typer.Option(
        "--degradation",
        metavar="NAME",
        rich_help_panel=_AXIS,
        help="How LR is made from HR, bicubic unless given. bicubic:round=false leaves LR unrounded, as "
        "LapSRN's paper does.",
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        metavar="AXIS=VALUE,…",
        rich_help_panel=_AXIS,
        help="Only those runs of the matrix that fit: --only model=lapsrn,seed=1. Repeat the option to add "
        "others.",
    ),
]
Rerun = Annotated[
    str | None,
    typer.Option(
        metavar="failed",
        rich_help_panel=_AXIS,
        help="Only those runs of the matrix that failed before.",
    ),
]
Suite = Annotated[
    Path | None,
    typer.Argument(metavar="SUITE.toml", help="A suite file; srbench suite check says what it spans."),
]
OfSuite = Annotated[
    Path | None,
    typer.Option(
        "--suite", metavar="FILE", help="Only the runs of this suite file, and the baselines beside them."
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="N",
        rich_help_panel="Budget",
        help="Train up to this step. More than before goes on with the same run, and equals the larger "
        "budget in one go.",
    ),
]
Epochs = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="N",
        rich_help_panel="Budget",
        help="The same in epochs.",
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        rich_help_panel="Budget",
        help="End before the budget does, after N evaluations in a row without a better PSNR on the "
        "validation pictures. More patience goes on with the same run.",
    ),
]
MaxTime = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        rich_help_panel="Budget",
        help="Stop before this time is over (11h30m, 90m), save, and exit with code 75: run me again. "
        "Default: SRBENCH_MAX_TIME, else no limit.",
    ),
]
Init = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|RUN",
        rich_help_panel=_BEGIN,
        help="Begin from weights alone: a file that --model reads, or a stored run's newest checkpoint, "
        "RUN@STEP or RUN@best.",
    ),
]
Fork = Annotated[
    str | None,
    typer.Option(
        metavar="RUN",
        rich_help_panel=_BEGIN,
        help="Begin a new run from the whole state of RUN, RUN@STEP or RUN@best, with its settings but for "
        "those given: --fork RUN --lr 1e-4. Steps count from 0.",
    ),
]
ForkOptimizer = Annotated[
    str | None,
    typer.Option(
        "--fork-optimizer",
        metavar="keep|reset",
        rich_help_panel=_BEGIN,
        help="Whether a fork goes on with the moments of its parent's optimizer (keep, the default) "
        "or without.",
    ),
]
Recipe = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_TRAIN,
        help="Settings that the model's plugin recommends: default, or paper for those it was published "
        "with.",
    ),
]
Batch = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        rich_help_panel=_TRAIN,
        help="Patches a step. More needs memory in proportion.",
    ),
]
Patch = Annotated[
    int | None,
    typer.Option(
        min=2,
        metavar="PIXELS",
        rich_help_panel=_TRAIN,
        help="Side of the random HR training crop, a multiple of --scale. Memory grows with its square.",
    ),
]
Lr = Annotated[
    float | None,
    typer.Option(
        metavar="RATE",
        rich_help_panel=_TRAIN,
        help="Learning rate.",
    ),
]
Optimizer = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_TRAIN,
        help="adam, adamw or sgd, with parameters: adam:beta1=0.9,beta2=0.99 or "
        "sgd:momentum=0.9,weight_decay=1e-4.",
    ),
]
Schedule = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_TRAIN,
        help="constant, step:every=50,factor=0.5 (in epochs) or cosine (its horizon is the budget, and "
        "part of the run).",
    ),
]
Clip = Annotated[
    float | None,
    typer.Option(
        metavar="NORM",
        rich_help_panel=_TRAIN,
        help="Clip each network's gradient to this norm.",
    ),
]
Ema = Annotated[
    float | None,
    typer.Option(
        metavar="DECAY",
        rich_help_panel=_TRAIN,
        help="Score a moving average of the weights with this decay (0.999); 0 switches it off.",
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_TRAIN,
        help="auto (bf16 where the hardware has it, else fp32), fp32, bf16 or fp16.",
    ),
]
Degradation = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=_TRAIN,
        help="How LR is made from HR. bicubic:round=false leaves LR unrounded, as LapSRN's paper does.",
    ),
]

_FOREIGN = "What another program made"

Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="FILE",
        rich_help_panel=_FOREIGN,
        help="Score a weights file: what the plugin of --model reads, or safetensors with the names of its "
        "network. Nothing is unpickled.",
    ),
]
Pictures = Annotated[
    Path | None,
    typer.Option(
        "--pictures",
        metavar="DIR",
        rich_help_panel=_FOREIGN,
        help="Score a folder of finished SR pictures, named as the test pictures are; _x4, x4, _SR and _out "
        "at the end of a name are overlooked.",
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        rich_help_panel=_FOREIGN,
        help="What tables call it. Default: the name of the file or folder.",
    ),
]
ForeignModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        rich_help_panel=_FOREIGN,
        help="Model that --weights are for, such as lapsrn:depth=5, or spandrel for any network it knows.",
    ),
]
ForeignScale = Annotated[
    int | None,
    typer.Option(
        "--scale",
        metavar="FACTOR",
        rich_help_panel=_FOREIGN,
        help="Enlargement. Default: what the weights file says, else 4.",
    ),
]
ForeignChannels = Annotated[
    str | None,
    typer.Option(
        "--channels",
        metavar="PLANES",
        rich_help_panel=_FOREIGN,
        help="What the network sees: y for luma, rgb, or r,g,b for one network on each plane. Default: what "
        "the weights file says, else the model's own.",
    ),
]
ForeignDegradation = Annotated[
    str | None,
    typer.Option(
        "--degradation",
        metavar="NAME",
        rich_help_panel=_FOREIGN,
        help="How LR is made from HR, or was made for the program that made the pictures. Default: bicubic.",
    ),
]
AllowMissing = Annotated[
    bool,
    typer.Option(
        "--allow-missing",
        rich_help_panel=_FOREIGN,
        help="Score a folder that lacks pictures of the test set. A mean over fewer pictures is shown with a "
        "note and never ranked.",
    ),
]
Determinism = Annotated[
    str,
    typer.Option(
        metavar="MODE",
        rich_help_panel=_MACHINE,
        help="exact: a resumed run has the bits of an uninterrupted one. fast: it may differ in the last "
        "digits.",
    ),
]
SaveEvery = Annotated[
    float,
    typer.Option(
        min=0,
        metavar="SECONDS",
        rich_help_panel=_MACHINE,
        help="Seconds between checkpoints.",
    ),
]
EvalEvery = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="STEPS",
        rich_help_panel=_MACHINE,
        help="Steps between evaluations. Default: the first whole number of epochs that is 200 steps or "
        "more.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Say what would run, and what of it is done.",
    ),
]
