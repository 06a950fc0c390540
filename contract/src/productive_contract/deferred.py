"""Packages whose own code runs when somebody asks for a name of it.

Python runs the `__init__` of each package on the way to a module. Some of ours import all that the
package offers: for one HTTP client of `kubernetes` that is the synchronous client too, for the
server of `mcp` its client. With 300 modules more, a process starts later and is 12 MB larger.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from importlib.abc import Loader
from types import ModuleType
from typing import Any

_lock = threading.RLock()
_running: set[str] = set()


class _Deferred(ModuleType):
    """A package whose modules can be imported, and whose `__init__` has not run to its end."""

    def __getattr__(self, name: str) -> Any:
        # Only for a name that is not there yet: a module that was imported is. Other threads wait
        # for the whole package; what it imports may look at it in turn.
        with _lock:
            if type(self) is _Deferred and self.__name__ not in _running:
                _run(self)
            return ModuleType.__getattribute__(self, name)


def defer(*packages: str) -> None:
    """Run the `__init__` of these packages at the first use of a name that it defines.

    Their modules are imported as ever. A package that was imported before stays as it is.

    Args:
        packages: full names, each after the package that it is in.

    Raises:
        ModuleNotFoundError: there is no such package.
    """
    for name in packages:
        if name in sys.modules:
            continue
        spec = importlib.util.find_spec(name)
        if spec is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        module = importlib.util.module_from_spec(spec)
        module.__class__ = _Deferred
        sys.modules[name] = module
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], last, module)


def _run(module: ModuleType) -> None:
    _running.add(module.__name__)
    try:
        _code_of(module).exec_module(module)
    finally:
        _running.remove(module.__name__)
    module.__class__ = ModuleType


def _code_of(module: ModuleType) -> Loader:
    loader = module.__spec__.loader if module.__spec__ is not None else None
    if loader is None:
        # A namespace package, which has none and defines nothing.
        raise AttributeError(f"module {module.__name__!r} has no code of its own")
    return loader
