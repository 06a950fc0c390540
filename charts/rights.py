"""Writes the table of rights into docs/security.md, from the rule files of the chart."""  # noqa: INP001 (a script)

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

TOP = Path(__file__).parents[1]
RULES = TOP / "charts" / "productive-mcp" / "files" / "rbac"
PAGE = TOP / "docs" / "security.md"
BEGIN = "<!-- rights -->\n"
END = "<!-- /rights -->\n"
PROGRAMS = {
    "operator": "operator",
    "gateway": "gateway",
    "keys": "key ring's Job",
    "rotation": "key ring's CronJob",
}
NAMES = {"MAPPING": "the mapping", "KEY_RING": "the key ring"}
HEAD = "| program | namespace | resource | names | verbs |\n|---|---|---|---|---|\n"


def table() -> str:
    """Return a row for each resource of each rule."""
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for file in PROGRAMS for row in _rows(file))


def rendered(page: str) -> str:
    """Return the page with the table in its place."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _rows(file: str) -> Iterator[tuple[str, ...]]:
    for role in yaml.safe_load((RULES / f"{file}.yaml").read_text())["roles"]:
        for rule in role["rules"]:
            names = ", ".join(NAMES[name] for name in rule.get("resourceNames", [])) or "any"
            verbs = ", ".join(rule["verbs"])
            for resource in rule["resources"]:
                yield PROGRAMS[file], role["namespace"], resource, names, verbs


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
