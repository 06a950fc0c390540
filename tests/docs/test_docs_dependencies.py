"""The page of dependencies lists what the members of the workspace declare, and no more."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from pathlib import Path

TOP = Path(__file__).parents[2]
PAGE = TOP / "docs" / "dependencies.md"
MEMBERS = ("contract", "kube", "operator", "gateway", "dev")
GROUPS = {"tests": "test", "lint": "lint", "typing": "typing", "benchmarks": "tokens"}
"""Name on the page → dependency group of pyproject.toml."""

NAME = re.compile(r"[a-z0-9-]+")
ROW = re.compile(r"^\| ([a-z0-9, -]+) \| ([a-z, ]+) \| .+ \|$", re.MULTILINE)


def test_the_page_lists_the_direct_dependencies_of_each_member() -> None:
    assert documented() == declared()


def documented() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    table = PAGE.read_text().partition("`contract/` has no dependencies.")[0]
    for packages, members in ROW.findall(table):
        if members == "members":
            continue
        for member in members.split(", "):
            found[member] |= set(packages.split(", "))
    return found


def declared() -> dict[str, set[str]]:
    groups = tomllib.loads((TOP / "pyproject.toml").read_text())["dependency-groups"]
    found = {name: _names(groups[group]) for name, group in GROUPS.items()}
    for member in MEMBERS:
        project = tomllib.loads((TOP / member / "pyproject.toml").read_text())["project"]
        names = {name for name in _names(project["dependencies"]) if "productive-" not in name}
        found |= {member: names} if names else {}
    return found


def _names(requirements: list[str]) -> set[str]:
    return {match[0] for one in requirements if (match := NAME.match(one))}
