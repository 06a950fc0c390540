"""What documentation and notes tell people to install is accepted by the chart."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from harness.helm import Helm

TOP = Path(__file__).parents[2]
PAGES = sorted([*TOP.glob("docs/*.md"), TOP / "charts" / "productive-mcp" / "README.md"])
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def _blocks(language: str) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for number, (_, its, text) in enumerate(BLOCK.findall(page.read_text())):
            if its == language:
                yield f"{page.name}-{number}", text


def _installations() -> Iterator[tuple[str, list[str]]]:
    for name, text in _blocks("sh"):
        for line in text.replace("\\\n", " ").splitlines():
            words = [word for word in shlex.split(line, comments=True) if word != "--wait"]
            # A values.yaml is the reader's own, and shown as a block of its own.
            if words[:2] == ["helm", "install"] and "values.yaml" not in words:
                yield name, words[4:]


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in _blocks("yaml")])
def test_values_of_the_documentation_are_accepted(helm: Helm, text: str) -> None:
    values = yaml.safe_load(text)
    whole = "publicUrl" in values
    if not whole and "access" in values["signIn"]:
        values["signIn"]["oidc"] = {"issuer": "", "clientId": ""}
    helm.render(values, bare=whole)


@pytest.mark.parametrize(
    "arguments", [pytest.param(words, id=name) for name, words in _installations()]
)
def test_installations_of_the_documentation_are_accepted(
    helm: Helm, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(TOP)
    helm.render(None, *arguments, bare=True)


def test_the_manifest_of_the_notes_can_be_copied_into_a_shell(helm: Helm) -> None:
    manifest, end, _ = helm.notes().partition("<<END\n")[2].partition("\nEND\n")
    assert end
    assert yaml.safe_load(manifest)["kind"] == "ProductiveUser"
