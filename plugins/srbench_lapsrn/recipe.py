"""How `lapsrn` is trained unless the command line says otherwise. Loads neither torch nor numpy."""

from typing import Any

RECIPES: dict[str, dict[str, Any]] = {
    # Minutes on a CPU: a large rate that Adam bears from the bilinear start, steadied by the average.
    "default": {
        "loss": "charbonnier",
        "steps": 500,
        "batch": 16,
        "patch": 64,
        "optimizer": "adam",
        "lr": 1e-3,
        "schedule": "constant",
        "ema": 0.995,
    },
    # Source: Lai et al. 2017, section 4.1. The rate halves every 50 epochs, and the paper's epoch is 1,000
    # batches of 64 whatever the data: 50,000 steps. The paper does not say how long it trained: 100,000 steps
    # are those of the authors' published options, 1,000 epochs of 100 batches.
    "paper": {
        "loss": "charbonnier:reduction=sum",
        "steps": 100_000,
        "batch": 64,
        "patch": 128,
        "optimizer": "sgd:momentum=0.9,weight_decay=1e-4",
        "lr": 1e-5,
        "schedule": "step:every=50000,unit=steps,factor=0.5",
        "ema": 0,
    },
}
