"""What a user is told before a network of spandrel's is used: which it is, and its code's licence."""

from functools import cache

from srbench_spandrel.architectures import ARCHITECTURES, PERMISSIVE, described


@cache
def terms(planes: int = 3, scale: int = 4, arch: str | None = None, size: str | None = None) -> str:
    """A sentence or two on an architecture, or on all of them where none is named.

    Raises:
        ValueError: there is no such architecture or size, or it cannot do that scale or one plane.
        UsageError: spandrel is not installed.
    """
    if arch is None:
        licences = sorted({known.licence for known in ARCHITECTURES.values()})
        return "architectures to train, by the licence of their code in spandrel. " + " ".join(
            f"{licence}: {', '.join(name for name, one in ARCHITECTURES.items() if one.licence == licence)}."
            for licence in licences
        )
    import torch

    from srbench_spandrel.model import version
    from srbench_spandrel.network import build, strip

    with torch.random.fork_rng(devices=[]):
        network = build(planes, scale, arch, size)
    strip(network)
    count = sum(one.numel() for one in network.parameters())
    known = described(arch)
    padded = f", LR sides padded to multiples of {known.multiple}" if known.multiple > 1 else ""
    return (
        f"{known.id}{f' {size}' if size else ''} of spandrel {version()}: {count:,} parameters at ×{scale}"
        f"{padded}. Its code is under {known.licence}. Source: {known.source}."
    )


def terms_of_file(file: str, name: str, identity: str, scale: int, planes: int, version: str) -> str:
    """What is said of the network that spandrel sees in a weights file.

    Args:
        file: its name.
        name: of the architecture, for people.
        identity: spandrel's own name for it.
        scale: of the network.
        planes: of LR and SR.
        version: of spandrel.
    """
    licences = {known.id: known.licence for known in ARCHITECTURES.values()}
    return (
        f"{file}: {name} ×{scale} for {planes} plane(s), by spandrel {version}. The architecture's code is "
        f"under {licences.get(identity, PERMISSIVE)}; what its weights are under, their author says."
    )
