"""Writes the table of values into the chart's README, from the comments of values.yaml.

A value's words are the comment above it that begins with `# -- `; a `## ` line begins a section. A
value without words, and not below one with words, is refused.
"""  # noqa: INP001 (a script)

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

CHART = Path(__file__).parent / "productive-mcp"
README = CHART / "README.md"
BEGIN = "<!-- values -->\n"
END = "<!-- /values -->\n"
LONGEST_DEFAULT = 60
"""Characters; a longer default is looked up in values.yaml."""


class UndocumentedError(Exception):
    """A value has no words; `str()` names it."""


@dataclass(frozen=True, slots=True)
class Value:
    """A row of the table."""

    path: str
    default: object
    words: str
    line: int


def documented(text: str) -> list[Value]:
    """Return the values of a values.yaml in their order.

    Raises:
        UndocumentedError: one has no words.
    """
    return list(_below(yaml.compose(text), "", text.splitlines()))


def sections(text: str) -> list[tuple[int, str]]:
    """Return the line and the title of each section."""
    lines = enumerate(text.splitlines())
    return [(at, line.removeprefix("## ")) for at, line in lines if line.startswith("## ")]


def table(text: str) -> str:
    """Return the README's part about values."""
    values = documented(text)
    starts = sections(text)
    ends = [at for at, _ in starts[1:]] + [len(text)]
    parts = []
    for (start, title), end in zip(starts, ends, strict=True):
        rows = "".join(_row(value) for value in values if start < value.line < end)
        parts.append(f"### {title}\n\n| value | default | meaning |\n|---|---|---|\n{rows}\n")
    return "".join(parts)


def rendered(readme: str, values: str) -> str:
    """Return the README with the table in its place."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table(values)}{END}{after}"


def _below(node: yaml.Node, path: str, lines: list[str]) -> Iterator[Value]:
    if not isinstance(node, yaml.MappingNode) or not node.value:
        raise UndocumentedError(f"{path} has no comment that begins with `# -- ` in values.yaml")
    for key, value in node.value:
        inner = f"{path}.{key.value}" if path else key.value
        words = _words(lines, key.start_mark.line)
        if words is None:
            yield from _below(value, inner, lines)
        else:
            default = yaml.safe_load(yaml.serialize(value))
            yield Value(inner, default, words, key.start_mark.line)


def _words(lines: list[str], at: int) -> str | None:
    """Return the comment that ends above a line."""
    found: list[str] = []
    while at > 0 and (line := lines[at - 1].strip()).startswith("# "):
        at -= 1
        found.insert(0, line.removeprefix("# "))
        if found[0].startswith("-- "):
            return " ".join(found).removeprefix("-- ")
    return None


def _row(value: Value) -> str:
    default = json.dumps(value.default, ensure_ascii=False)
    shown = "in values.yaml" if len(default) > LONGEST_DEFAULT else f"`{default}`"
    words = value.words.replace("|", "\\|")
    return f"| `{value.path}` | {shown} | {words} |\n"


if __name__ == "__main__":
    try:
        new = rendered(README.read_text(), (CHART / "values.yaml").read_text())
    except UndocumentedError as error:
        sys.exit(str(error))
    README.write_text(new)
