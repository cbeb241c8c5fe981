"""What the builders refuse."""

import math


def check_counts(model: str, **counts: int) -> None:
    """Refuse a count that leaves a layer without channels, or a part without layers.

    Raises:
        ValueError: one of `counts` is below 1; the message names it.
    """
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{model} needs {name} of at least 1, not {count}")


def check_scale(model: str, scale: int) -> None:
    """Refuse a scale that enlarges nothing.

    Raises:
        ValueError: it is below 2.
    """
    if scale < 2:
        raise ValueError(f"{model} needs a scale of at least 2, not {scale}")


def check_residual_scale(model: str, residual_scale: float) -> None:
    """Refuse a factor that switches the residual branches off.

    Raises:
        ValueError: it is not a finite number above 0.
    """
    if not 0 < residual_scale < math.inf:
        raise ValueError(f"{model} needs a finite residual_scale above 0, not {residual_scale:g}")
