"""What a builder of any kind keeps: a signature that srbench can read, and no network."""

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from srbench.components import Component
from srbench.errors import UsageError
from srbench.parameters import checked
from srbench.testing.conformance import Fault


def check_builder(component: Component) -> None:
    """That it has a docstring, and that each parameter has an annotation which its default fits.

    Raises:
        Fault: naming the parameter.
    """
    name = f"The builder of {component.kind} {component.name!r}"
    if not (component.build.__doc__ or "").strip():
        raise Fault(f"{name} has no docstring. Say in its first line what it builds.")
    for parameter in component.parameters.values():
        annotation = parameter.annotation
        if annotation is inspect.Parameter.empty:
            raise Fault(
                f"{name} has a parameter {parameter.name!r} without an annotation, so it is given the text "
                f"that a user typed. Write {parameter.name}: int, or what else it is."
            )
        if isinstance(annotation, str):
            raise Fault(
                f"{name} annotates {parameter.name!r} with {annotation!r}, a name that is not there when "
                "srbench looks. Import it for real, not under `if TYPE_CHECKING`."
            )
        if parameter.default is inspect.Parameter.empty:
            continue
        try:
            checked(name, {parameter.name: parameter}, {parameter.name: parameter.default})
        except UsageError as error:
            raise Fault(
                f"The default of {parameter.name!r} does not fit its annotation. {error} Change one of them."
            ) from error


_asked: list[str] | None = None
"""What was asked for while the network is off; None where it is on."""

_HOOKED: list[bool] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _asked is None or event not in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        return
    address = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
    if event != "socket.getaddrinfo" and not isinstance(address, tuple):
        return  # a socket of this machine's own file system
    where = address[0] if isinstance(address, tuple) else address
    _asked.append(where.decode() if isinstance(where, bytes) else str(where))
    raise ConnectionRefusedError(f"there is no network while a component is checked, and {where} was wanted")


@contextmanager
def no_network() -> Iterator[list[str]]:
    """No connection can be made within the block; gives the hosts that were asked for.

    By an audit hook of the interpreter, which no library goes around. It stays, and costs next to nothing.
    """
    global _asked
    if not _HOOKED:
        sys.addaudithook(_watch)
        _HOOKED.append(True)
    before, _asked = _asked, []
    try:
        yield _asked
    finally:
        _asked = before


def check_offline(hosts: list[str], what: str) -> None:
    """That nobody was asked for anything.

    Raises:
        Fault: naming the hosts.
    """
    if hosts:
        raise Fault(
            f"{what} asked {', '.join(dict.fromkeys(hosts))} for something over the network. Machines that "
            "train often have none: bring what is needed in the package, or take it from a file that a "
            "setting names (srbench.api.find_published looks for published ones)."
        )
