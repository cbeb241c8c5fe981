"""What `srbench plugins check` found of a component, as long as it is the same one. Loads no torch."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from srbench.components import Component
from srbench.files import canonical_json, parse_json, read_regular, write_atomic
from srbench.images.download import cache_dir
from srbench.sources import behind, find_module

SCHEMA = 1
"""Of reports; docs/plugins/testing.md describes them."""

_FOLDER = "checked"


def badge(component: Component) -> str:
    """`checked 14/14`: promises kept, of those that it gave; empty where this very component was not checked.

    It was not where another version of its distribution is installed, or a file of its package is another.
    """
    report = read_report(component)
    if report is None:
        return ""
    states = [one["state"] for one in report["findings"]]
    return f"checked {states.count('passed')}/{len(states) - states.count('skipped')}"


def read_report(component: Component) -> Mapping[str, Any] | None:
    """The last report on a component; None where there is none on this very one."""
    try:
        report = parse_json(read_regular(_path(component)))
        is_same = (
            report["schema"] == SCHEMA
            and report["version"] == component.plugin.version
            and report["source_sha256"] == source_sha256(component)
        )
        states = {one["state"] for one in report["findings"]}
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return report if is_same and states <= {"passed", "failed", "skipped"} else None


def write_report(component: Component, report: Mapping[str, Any]) -> None:
    """Keep a report in the user's cache, in place of an older one.

    Raises:
        OSError: it cannot be written.
    """
    path = _path(component)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, canonical_json(report).encode())


def source_sha256(component: Component) -> str | None:
    """SHA-256 over all Python files of the package that a component comes from; None where there are none.

    The package is found, not imported.
    """
    target = component.target
    module = (
        target.partition(":")[0] if isinstance(target, str) else getattr(behind(target), "__module__", "")
    )
    return _package_sha256(module.partition(".")[0])


def _path(component: Component) -> Path:
    plugin = component.plugin
    folder = f"{plugin.dist}-{plugin.version}".replace("/", "_")
    return cache_dir() / _FOLDER / folder / f"{component.kind}-{component.name}.json"


@cache
def _package_sha256(package: str) -> str | None:
    spec = find_module(package)
    if spec is None or spec.origin is None:
        return None
    origin = Path(spec.origin)
    root = origin.parent if spec.submodule_search_locations else None
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")) if root else (origin,):
        try:
            content = path.read_bytes()
        except OSError:
            return None
        digest.update(
            f"{path.relative_to(root).as_posix() if root else path.name}\0{len(content)}\0".encode()
        )
        digest.update(content)
    return digest.hexdigest()
