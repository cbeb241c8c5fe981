"""How the models are trained unless the command line says otherwise. Loads neither torch nor numpy."""

from typing import Any

_SMALL: dict[str, Any] = {
    "loss": "charbonnier",
    "steps": 2000,
    "batch": 16,
    "patch": 96,
    "optimizer": "adam",
    "lr": 1e-3,
    "schedule": "constant",
    "ema": 0.995,
}
_LARGE: dict[str, Any] = {**_SMALL, "steps": 500, "patch": 48, "lr": 2e-4}

RECIPES: dict[str, dict[str, dict[str, Any]]] = {
    "srcnn": {
        "default": _SMALL,
        "paper": {
            "loss": "l2:reduction=sum",
            "steps": 6_250_000,
            "batch": 128,
            "patch": 48,
            "optimizer": "sgd:momentum=0.9",
            "lr": 1e-4,
            "schedule": "constant",
            "ema": 0,
        },
    },
    "fsrcnn": {
        "default": _SMALL,
        "paper": {
            "loss": "l2:reduction=sum",
            "steps": 1_000_000,
            "batch": 128,
            "patch": 24,
            "optimizer": "sgd:momentum=0.9",
            "lr": 1e-3,
            "schedule": "constant",
            "ema": 0,
        },
    },
    "espcn": {
        "default": _SMALL,
        "paper": {
            "loss": "l2",
            "steps": 1_000_000,
            "batch": 16,
            "patch": 72,
            "optimizer": "sgd:momentum=0.9",
            "lr": 1e-2,
            "schedule": "constant",
            "ema": 0,
        },
    },
    "vdsr": {
        "default": _LARGE,
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
