"""How `lapsrn` is trained unless the command line says otherwise. Loads neither torch nor numpy."""

from typing import Any

RECIPES: dict[str, dict[str, Any]] = {
    # Minutes on a CPU: a large rate that Adam bears from the bilinear start, steadied by the average.
    "default": {
        "loss": "charbonnier",
        "steps": 600,
        "batch": 16,
        "patch": 64,
        "optimizer": "adam",
        "lr": 1e-3,
        "schedule": "constant",
        "ema": 0.995,
    },
    # Source: Lai et al. 2017, section 4.1. An epoch of the paper is 1,000 batches of 64; here it is the
    # patches that fit the training pictures, 1,200 of 128 pixels in BSDS200. The paper's "halved every 50
    # epochs" is therefore 50 · 64,000 / 1,200 = 2,667 epochs of BSDS200, 50,000 steps; another training set
    # needs its own number. The paper does not say how long it trained: the steps are those of the authors'
    # published options, 1,000 epochs of 100 batches.
    "paper": {
        "loss": "charbonnier:reduction=sum",
        "steps": 100_000,
        "batch": 64,
        "patch": 128,
        "optimizer": "sgd:momentum=0.9,weight_decay=1e-4",
        "lr": 1e-5,
        "schedule": "step:every=2667,factor=0.5",
    },
}
