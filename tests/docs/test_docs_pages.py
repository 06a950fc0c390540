"""The pages of the documentation: links lead somewhere, and a shell can read the commands."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PAGES = sorted([*TOP.glob("*.md"), *TOP.glob("docs/**/*.md"), *TOP.glob("charts/*/*.md")])
CODE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]*))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))


@pages
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    assert [link for link, works in _links(page) if not works] == []


@pages
def test_commands_can_be_read_by_a_shell(page: Path) -> None:
    commands = [text for _, language, text in CODE.findall(page.read_text()) if language == "sh"]
    read = subprocess.run(
        ["bash", "-n"], check=False, input="\n".join(commands), capture_output=True, text=True
    )
    assert read.stderr == ""


def _links(page: Path) -> Iterator[tuple[str, bool]]:
    for path, anchor in LINK.findall(_prose(page)):
        target = page.parent / path if path else page
        works = target.exists() and (not anchor or anchor in _anchors(target))
        yield f"{path}#{anchor}", works


def _anchors(page: Path) -> set[str]:
    return {_anchor(heading) for heading in HEADING.findall(_prose(page))}


def _anchor(heading: str) -> str:
    """Return what a browser finds a heading by, as the site that shows it makes it."""
    plain = re.sub(r"[^\w\- ]", "", heading.lower())
    return plain.replace(" ", "-")


def _prose(page: Path) -> str:
    return CODE.sub("", page.read_text())
