"""How the network is trained: functions, as a good patch depends on the scale."""


def short(scale: int) -> dict[str, object]:
    """Minutes on a CPU; patches of 24 LR pixels at every scale."""
    return {
        "loss": "charbonnier",
        "steps": 1000,
        "batch": 16,
        "patch": 24 * scale,
        "optimizer": "adam",
        "lr": 1e-3,
        "schedule": "cosine",
        "ema": 0.99,
    }


def long(scale: int) -> dict[str, object]:
    """For figures that are worth showing."""
    return {**short(scale), "steps": 100_000, "patch": 48 * scale, "lr": 5e-4, "ema": 0.999}
