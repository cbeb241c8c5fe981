"""Every model that srbench brings keeps its promises; a new one is covered as soon as it registers."""

from importlib.util import find_spec

import pytest

from srbench.registry import registry
from srbench.testing import conformance_tests

SMALL = {
    "edsr": ["edsr:blocks=2,features=8"],
    "espcn": ["espcn"],
    "fsrcnn": ["fsrcnn"],
    "lapsrn": ["lapsrn:features=4,depth=1"],
    "rrdbnet": ["rrdbnet:blocks=1,features=8,growth=4"],
    "spandrel": ["spandrel:arch=compact,size=xs", "spandrel:arch=span"] if find_spec("spandrel") else [],
    "srresnet": ["srresnet:blocks=1,features=8"],
    "vdsr": ["vdsr:layers=3,features=8"],
}
"""What is big by default, and what has no default, small: a setting makes no other promises."""

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:spandrel"),
    pytest.mark.filterwarnings("ignore:'saved_variables'"),
]

test_conformance = conformance_tests(
    "model", *(typed for name in registry().names("model") for typed in SMALL.get(name, [name]))
)
