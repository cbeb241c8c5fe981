"""Files that the authors of a metric published, such as its learnt weights: found, and the right ones."""

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from srbench.errors import MetricUnavailable
from srbench.files import sha256_file
from srbench.images.download import DownloadError, cache_dir, fetch
from srbench.metrics.backbones import weights_dir


@dataclass(frozen=True)
class PublishedFile:
    """A file that a metric cannot do without, and that srbench does not bring.

    Args:
        name: what it is called in a user's folder and in the cache.
        url: where it is downloaded.
        sha256: of the file.
        packages: packages that ship it: their import name, and where it lies in them.
        extra: of srbench, which brings one of them: `dists`.
    """

    name: str
    url: str
    sha256: str
    packages: tuple[tuple[str, str], ...] = ()
    extra: str = ""


def find_published(file: PublishedFile, what: str) -> Path:
    """Where the file lies on this machine, verified; looked for once a process, and so is the failure.

    Searched are the folder that the user names for weights (and its `lpips/`), installed packages that ship
    the file (none is imported), srbench's cache, and last the network. Another file of that name in the
    user's folder is an error, never skipped; in a package it is another version's.

    Args:
        file: which.
        what: is computed with it, for messages: `DISTS`.

    Raises:
        MetricUnavailable: it is not to be had; one paragraph says where was looked and what to do.
    """
    found = _find(file, weights_dir(), cache_dir() / "metrics")
    if isinstance(found, str):
        raise MetricUnavailable(f"{what} cannot be computed: {found}")
    return found


@cache
def _find(file: PublishedFile, named: Path | None, folder: Path) -> Path | str:
    """The file, or why there is none."""
    cached, in_cache = folder / file.name, ""
    try:
        for place in (named, named / "lpips") if named is not None else ():
            path = place / file.name
            if path.is_file():
                if (sha256 := sha256_file(path)) == file.sha256:
                    return path
                return (
                    f"{path} is damaged, or another file (SHA-256 {sha256[:8]}…, not {file.sha256[:8]}…). "
                    "Copy it again, or take it away and another source is tried."
                )
        for package, inside in file.packages:
            shipped = _package_folder(package)
            if shipped and (shipped / inside).is_file() and sha256_file(shipped / inside) == file.sha256:
                return shipped / inside
        if cached.is_file() and (in_cache := sha256_file(cached)) == file.sha256:
            return cached
        return fetch(file.url, file.sha256, cached)
    except DownloadError as error:
        if in_cache:
            return (
                f"{cached} is damaged, or another file (SHA-256 {in_cache[:8]}…, not {file.sha256[:8]}…), "
                f"and the right one could not be downloaded ({error.reason}). Put {error.url} in its place."
            )
        place = named or folder
        absent = "" if place.is_dir() else " (no such folder)"
        install = " or ".join(package for package, _ in file.packages)
        if install and file.extra:
            install += f' (pip install "srbench-harness[{file.extra}]")'
        return (
            f"{file.name} is neither in {place}{absent} nor could it be downloaded ({error.reason}). Put "
            f"{error.url} there under that name, or pass --lpips-weights DIR"
            + (f", or install a package that ships it: {install}." if install else ".")
        )
    except OSError as error:
        return f"{error.filename} cannot be read ({error.strerror or error}). Correct its permissions."


def _package_folder(package: str) -> Path | None:
    """Where an installed package lies; it is not imported."""
    spec = importlib.util.find_spec(package)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None
