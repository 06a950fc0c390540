"""Reads YAML with the rules that Kubernetes' own reader has.

That one (sigs.k8s.io/yaml over go-yaml 2) differs from PyYAML in what it takes for a boolean or a
number: `y` is true, `1:30` is a text, `1e3` and `010` are numbers. Merge keys are expanded, keys
that are numbers become texts, times stay texts, and the last of repeated keys wins.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from typing import Any, Final

import yaml

_TAG: Final = "tag:yaml.org,2002:"
_MERGE: Final = f"{_TAG}merge"
_BOOLEANS: Final = {
    "true": ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"),
    "false": ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"),
}
_TRUE: Final = frozenset(_BOOLEANS["true"])
_INTEGER: Final = re.compile(
    r"[-+]?(0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|0[0-7_]*|[1-9][0-9_]*)$"
)
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9_]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?$")
_INFINITE: Final = re.compile(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$")
_LARGEST: Final = 2**64 - 1
_EXACT: Final = 2.0**53
"""Above it a number with a fraction or an exponent is no exact integer."""


def read_documents(text: bytes) -> list[Any]:
    """Return all documents of a file as JSON values.

    Raises:
        yaml.YAMLError, ValueError, RecursionError: it is not YAML, or Kubernetes would refuse it.
    """
    return list(yaml.load_all(text, Loader=_Loader))


class _Loader(yaml.SafeLoader):
    """A SafeLoader with other rules for plain scalars and keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        self.flatten_mapping(node)
        # What is merged comes first, so that the own keys win; of repeated ones the last does.
        return {
            self._key(key): self.construct_object(value, deep=deep) for key, value in node.value
        }

    def _key(self, node: yaml.Node) -> str:
        key = self.construct_object(node, deep=True)
        if isinstance(key, bool):
            return "true" if key else "false"
        if isinstance(key, int | str):
            return str(key)
        raise _error("a key is neither a text nor a number", node)

    def boolean(self, node: yaml.ScalarNode) -> bool:
        return self.construct_scalar(node) in _TRUE

    def integer(self, node: yaml.ScalarNode) -> int | float:
        digits = str(self.construct_scalar(node)).replace("_", "")
        sign = -1 if digits.startswith("-") else 1
        digits = digits.lstrip("+-")
        if digits[:2].lower() in ("0x", "0o", "0b"):
            number = int(digits, 0)
        else:
            number = int(digits, 8 if digits.startswith("0") and digits != "0" else 10)
        return sign * number if number <= _LARGEST else float(sign * number)

    def float(self, node: yaml.ScalarNode) -> int | float:
        text = str(self.construct_scalar(node))
        if _INFINITE.match(text):
            raise _error("a number is infinite", node)
        number = float(text.replace("_", ""))
        # JSON has one kind of number: 9104.0 is an integer to the API server.
        return int(number) if abs(number) < _EXACT and math.floor(number) == number else number


def _error(message: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, message, node.start_mark)


def _exactly(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(f"({'|'.join(map(re.escape, words))})$")


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver(
    f"{_TAG}bool", _exactly(sum(_BOOLEANS.values(), ())), list("yYnNtTfFoO")
)
_Loader.add_implicit_resolver(
    f"{_TAG}null", re.compile(r"(~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)
_Loader.add_implicit_resolver(_MERGE, re.compile(r"<<$"), ["<"])
_Loader.add_implicit_resolver(f"{_TAG}int", _INTEGER, list("-+0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+.0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}float", _INFINITE, list("-+."))
_Loader.add_constructor(f"{_TAG}bool", _Loader.boolean)
_Loader.add_constructor(f"{_TAG}int", _Loader.integer)
_Loader.add_constructor(f"{_TAG}float", _Loader.float)
