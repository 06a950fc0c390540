"""The filters of a query string: single terms, and groups of them to any depth.

    filter[key]=a,b          filter[key][]=a&filter[key][]=b         filter[key][operator]=a
    filter[$op]=or&filter[0][key][operator][]=a&filter[1][$op]=and&filter[1][0][key]=b
    filter[custom_fields][id]=a                                     filter[0][project.status]=1

Groups and the ending `[]` were recorded, dotted keys and plain terms beside a group are in the
vendor's own code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from productive_dev.simulator.errors import bad_query

_PART: Final = re.compile(r"\[([^\[\]]*)\]")
_NAME: Final = re.compile(r"filter((?:\[[^\[\]]*\])+)")


@dataclass(frozen=True, slots=True)
class Term:
    """One condition."""

    key: str
    operator: str | None
    values: tuple[str, ...]
    """Any of them; empty where the value is empty, which asks for records without a value."""

    @property
    def parameter(self) -> str:
        """Return the parameter's name, as errors cite it."""
        return f"filter[{self.key}]"


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions that must all hold, or one of them."""

    members: tuple[Term | Group, ...] = ()
    any: bool = False


@dataclass(slots=True)
class _Node:
    children: dict[str, _Node] = field(default_factory=dict)
    values: list[str] = field(default_factory=list)


def parse_filters(pairs: Sequence[tuple[str, str]]) -> Group:
    """Read all filters of a query string.

    Raises:
        Problem: 400 for a filter that cannot be read.
    """
    root = _Node()
    for name, value in pairs:
        if not name.startswith("filter"):
            continue
        match = _NAME.fullmatch(name)
        if match is None:
            raise _unreadable(name)
        node = root
        for part in _PART.findall(match[1]):
            node = node.children.setdefault(part, _Node()) if part else node
        node.values.append(value)
    return _group(root)


def terms_of(group: Group) -> list[Term]:
    """Return every term of a group and of the groups in it."""
    found: list[Term] = []
    for member in group.members:
        found.extend([member] if isinstance(member, Term) else terms_of(member))
    return found


def _group(node: _Node) -> Group:
    members: list[Term | Group] = []
    numbered: list[Term | Group] = []
    either = False
    for key, child in node.children.items():
        if key == "$op":
            either = _operator_of(child)
        elif key.isdigit():
            numbered.append(_simplified(_group(child)))
        else:
            members.extend(_terms(key, child))
    if not members:
        return Group(tuple(numbered), either)
    inner = Group(tuple(numbered), either)
    return Group((*members, inner) if numbered else tuple(members))


def _simplified(group: Group) -> Term | Group:
    return group.members[0] if len(group.members) == 1 else group


def _operator_of(node: _Node) -> bool:
    wanted = node.values[-1] if node.values else ""
    if wanted not in ("and", "or"):
        raise bad_query(
            "unsupported_filter_operation",
            "Unsupported filter operation",
            f"Operation '{wanted}' is not supported for a group of filters.",
            "filter[$op]",
        )
    return wanted == "or"


def _terms(key: str, node: _Node) -> list[Term]:
    if key == "custom_fields":
        return [
            term
            for number, child in node.children.items()
            for term in _terms(f"custom_fields[{number}]", child)
        ]
    terms = [Term(key, None, _values(node))] if node.values else []
    for operator, child in node.children.items():
        if child.children:
            raise _unreadable(f"filter[{key}][{operator}]")
        terms.append(Term(key, operator, _values(child)))
    return terms


def _values(node: _Node) -> tuple[str, ...]:
    return tuple(part.strip() for value in node.values for part in value.split(",") if part.strip())


def _unreadable(name: Any) -> Exception:
    detail = f"Filter '{name}' is not supported on this endpoint."
    return bad_query("unsupported_filter", "Unsupported filter", detail, str(name))
