"""Components that are there for a while: named as a plugin would name them, and gone again."""

import types
from typing import Any, Self

from srbench.components import Kind, plural
from srbench.errors import UsageError
from srbench.hookspecs import hookimpl
from srbench.plugins import Plugin, host
from srbench.registry import registry
from srbench.types import Target

DIST = "registered-for-a-test"


class Registration:
    """Names components in this process until its block ends.

    with Registration() as register:
        register("model", "tiny", build_tiny, scales=(2,))
    """

    def __init__(self) -> None:
        self._modules: list[types.ModuleType] = []

    def __call__(self, kind: Kind, name: str, target: Target, /, **options: Any) -> None:
        """Name a component.

        Args:
            kind: model, loss, trainer, dataset, metric or degradation.
            name: as it is typed.
            target: the builder, or its import string.
            options: what `register` of that kind's hook takes.

        Raises:
            UsageError: the name is taken, or srbench refuses it as it would a plugin's.
        """
        if name in registry().names(kind):
            owner = registry().all(kind)[[one.name for one in registry().all(kind)].index(name)].plugin.dist
            raise UsageError(
                f"There is a {kind} {name!r} already, of {owner}. Take another name for the test."
            )
        module = types.ModuleType(f"registered_{kind}_{name}")

        def hook(register: Any) -> None:
            register(name, target, **options)

        setattr(module, f"register_{plural(kind)}", hookimpl(hook))
        host().add(module, Plugin(module.__name__, DIST, "0"))
        self._modules.append(module)
        registry.cache_clear()
        if name not in registry().names(kind):
            states = [row.state for row in registry().rows() if row.dist == DIST and row.state != "ok"]
            self._take_out(self._modules.pop())
            raise UsageError(f"The {kind} {name!r} cannot be registered: {'; '.join(states)}.")

    def close(self) -> None:
        """Forget all of them."""
        while self._modules:
            self._take_out(self._modules.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @staticmethod
    def _take_out(module: types.ModuleType) -> None:
        host().remove(module)
        registry.cache_clear()
