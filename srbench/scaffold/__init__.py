"""A kind and a name → a package that installs, passes its tests, and does something useful."""

from pathlib import Path, PurePosixPath

from srbench import __version__
from srbench.components import Kind
from srbench.errors import SrbenchError, UsageError
from srbench.scaffold.names import Names, names_of

TEMPLATES: tuple[Kind, ...] = ("model", "loss", "dataset", "metric", "degradation")
"""The kinds that a package can begin with."""

_SUFFIX = ".jinja"


def write_package(kind: Kind, name: str, parent: Path) -> tuple[Path, Names]:
    """Write the package of a new plugin into a folder of its own below `parent`.

    Returns:
        The folder, called as the distribution is, and what everything is called.

    Raises:
        UsageError: the name does not suit or is taken, or the folder is there already.
        SrbenchError: the folder cannot be written.
    """
    names = names_of(kind, name)
    files = render(kind, names)
    folder = parent / names.distribution
    try:
        folder.mkdir(parents=True)
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8", newline="\n")
    except FileExistsError as error:
        raise UsageError(
            f"{error.filename} is there already, and nothing is overwritten. Choose another name, or another "
            "folder to write into by -o DIR."
        ) from error
    except OSError as error:
        raise SrbenchError(
            f"{folder} cannot be written ({error.strerror}). Name a folder that can be, by -o DIR."
        ) from error
    return folder, names


def render(kind: Kind, names: Names) -> dict[PurePosixPath, str]:
    """The files of a package: path below its folder → text.

    A template lies where the file does that it gives, below the folder of its kind or, for what all have,
    below `shared`. In its path `dot-` stands for a leading dot, and `__package__` for the package's name.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__name__),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    facts = {
        "kind": kind,
        "name": names.component,
        "dist": names.distribution,
        "package": names.package,
        "entry": names.entry_point,
        "srbench": __version__,
    }
    templates = {}
    for home in ("shared", kind):  # a kind's own goes before what is shared
        for template in environment.list_templates():
            folder, _, path = template.partition("/")
            if folder == home and path.endswith(_SUFFIX):
                path = path.removesuffix(_SUFFIX).replace("__package__", names.package).replace("dot-", ".")
                templates[PurePosixPath(path)] = template
    return {
        path: environment.get_template(template).render(facts) for path, template in sorted(templates.items())
    }
