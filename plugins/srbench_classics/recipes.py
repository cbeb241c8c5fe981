"""How the models are trained unless the command line says otherwise. Loads neither torch nor numpy.

`paper` is each paper's training as far as srbench's settings go; docs/models.md says what is left out.
Patches are in HR, and multiples of 24, so that every scale divides them, unless a comment says otherwise.
"""

from typing import Any

_SMALL: dict[str, Any] = {
    "loss": "charbonnier",
    "steps": 4000,
    "batch": 16,
    "patch": 48,
    "optimizer": "adam",
    "lr": 1e-3,
    "schedule": "constant",
    "ema": 0.995,
}
"""Minutes on a CPU."""

_LARGE: dict[str, Any] = {**_SMALL, "steps": 1000, "lr": 2e-4}
"""The same for networks that cost a hundred times as much, with a rate that deep ones bear."""

RECIPES: dict[str, dict[str, dict[str, Any]]] = {
    "srcnn": {
        "default": _SMALL,
        # Dong et al. 2016, sections 3.3 and 4.1: 8·10⁸ samples. Rates are 1e-4, 1e-4 and 1e-5 by layer. With
        # 1e-4 in all, a network of 26.2 dB falls to 12.7 in 25 steps. Batch from the authors' code.
        "paper": {
            "loss": "l2:reduction=sum",
            "steps": 6_250_000,
            "batch": 128,
            "patch": 48,
            "optimizer": "sgd:momentum=0.9",
            "lr": 1e-5,
            "schedule": "constant",
            "ema": 0,
        },
    },
    "fsrcnn": {
        "default": _SMALL,
        # Dong et al. 2016, section 4.1. Rates are 1e-3, and 1e-4 in the last layer; with 1e-3 in all, the
        # loss is infinite at step 4. Batch and momentum as for SRCNN; steps are nowhere.
        "paper": {
            "loss": "l2:reduction=sum",
            "steps": 1_000_000,
            "batch": 128,
            "patch": 24,
            "optimizer": "sgd:momentum=0.9",
            "lr": 1e-4,
            "schedule": "constant",
            "ema": 0,
        },
    },
    "espcn": {
        "default": _SMALL,
        # Shi et al. 2016, section 3.2: LR patches of 17, a rate from 0.01 down to 0.0001. Optimizer, batch
        # and steps are nowhere.
        "paper": {
            "loss": "l2",
            "steps": 1_000_000,
            "batch": 16,
            "patch": 72,
            "optimizer": "sgd:momentum=0.9",
            "lr": 1e-2,
            "schedule": "step:every=400000,unit=steps,factor=0.1",
            "ema": 0,
        },
    },
    "vdsr": {
        "default": _LARGE,
        # Kim et al. 2016, section 5.2: 80 epochs, 9,960 batches in all; a tenth of the rate every 20 epochs.
        # The patch is 41. The clip is that of the usual PyTorch version, twtygqyy/pytorch-vdsr.
        "paper": {
            "loss": "l2:reduction=sum",
            "steps": 9960,
            "batch": 64,
            "patch": 48,
            "optimizer": "sgd:momentum=0.9,weight_decay=1e-4",
            "lr": 0.1,
            "schedule": "step:every=2490,unit=steps,factor=0.1",
            "clip": 0.4,
            "ema": 0,
        },
    },
    "edsr": {
        "default": _LARGE,
        # Lim et al. 2017, section 4.2: 48×48 in LR, which is 192 at ×4. Steps from the authors' code.
        "paper": {
            "loss": "l1",
            "steps": 300_000,
            "batch": 16,
            "patch": 192,
            "optimizer": "adam",
            "lr": 1e-4,
            "schedule": "step:every=200000,unit=steps,factor=0.5",
            "ema": 0,
        },
    },
    "srresnet": {
        "default": _LARGE,
        # Ledig et al. 2017, section 3.2.
        "paper": {
            "loss": "l2",
            "steps": 1_000_000,
            "batch": 16,
            "patch": 96,
            "optimizer": "adam",
            "lr": 1e-4,
            "schedule": "constant",
            "ema": 0,
        },
    },
    "rrdbnet": {
        "default": _LARGE,
        # Wang et al. 2018, section 4.1, the training for PSNR. ×3 does not divide the paper's patch, which is
        # for ×4. Steps from the authors' code.
        "paper": {
            "loss": "l1",
            "steps": 1_000_000,
            "batch": 16,
            "patch": 128,
            "optimizer": "adam",
            "lr": 2e-4,
            "schedule": "step:every=200000,unit=steps,factor=0.5",
            "ema": 0,
        },
    },
}
