"""Makes this Python as strict about certificates as 3.13, whose images we ship.

From 3.13 on, contexts of `ssl.create_default_context` refuse authorities and certificates without
the key identifiers of RFC 5280 (VERIFY_X509_STRICT). A test of our own process takes the fixture
`strict_tls`; a program gets `STRICT` in its environment.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).resolve().parent
STRICT: Final = {
    "PYTHONPATH": os.pathsep.join(str(path) for path in (_HERE / "stricttls.d", _HERE.parent))
}
"""An environment in which Python imports `stricttls.d/sitecustomize.py` when it starts."""


def strict(create: Callable[..., ssl.SSLContext]) -> Callable[..., ssl.SSLContext]:
    """Return the function with 3.13's default."""

    def create_default_context(*arguments: object, **options: object) -> ssl.SSLContext:
        context = create(*arguments, **options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    return create_default_context
