"""What this plugin registers: `sample`, `folder` and the public sets by name."""

from collections.abc import Callable

from srbench.api import hookimpl

NAMED = ("set5", "set14", "bsds100", "bsds200", "urban100", "manga109", "t91", "div2k")


@hookimpl
def register_datasets(register: Callable[..., None]) -> None:
    """Name the datasets; `sample` is there without any download."""
    register("sample", "srbench_datasets.sample:sample")
    register("folder", "srbench_datasets.folder:folder")
    for name in NAMED:
        register(name, f"srbench_datasets.named:{name}", facts=f"srbench_datasets.facts:{name.upper()}")
