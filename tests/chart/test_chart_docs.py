"""What documentation and notes tell people to install is accepted by the chart."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.helm import Helm, at
from productive_contract.clock import system_entropy
from productive_gateway.sealing.keys import encode_ring, new_ring, parse_ring

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


def _values() -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the values that pages show: as they are, or as a part of another tool's manifest."""
    for name, text in _blocks("yaml"):
        for one in yaml.safe_load_all(text):
            if (found := _values_in(one)) is not None:
                yield name, found


def _values_in(document: dict[str, Any]) -> dict[str, Any] | None:
    if document.get("kind") == "Application":
        sources = at(document, "spec").get("sources") or [at(document, "spec.source")]
        return next((one["helm"]["valuesObject"] for one in sources if "helm" in one), None)
    if document.get("kind") == "HelmRelease":
        found: dict[str, Any] = at(document, "spec.values")
        return found
    # A manifest, or a chart's description, is no values.
    return None if "apiVersion" in document else document.get("productive-mcp", document)


@pytest.mark.parametrize("values", [pytest.param(values, id=name) for name, values in _values()])
def test_values_of_the_documentation_are_accepted(helm: Helm, values: dict[str, Any]) -> None:
    whole = "publicUrl" in values
    if not whole and "access" in values.get("signIn", {}):
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


def test_images_for_a_registry_are_built_for_the_nodes() -> None:
    """An Apple laptop would build them for itself."""
    pushing = [text for _, text in _blocks("sh") if "docker push" in text]
    assert pushing
    for text in pushing:
        assert text.count("docker build") == text.count("docker build --platform ")


def test_the_key_ring_that_operations_shows_is_one() -> None:
    [shown] = [text for name, text in _blocks("json") if name.startswith("operations.md")]
    made = encode_ring(new_ring(1_795_500_000.0, system_entropy))
    secret = json.loads(made)["keys"][0]["secret"]
    ring = parse_ring(shown.replace("…", secret).encode())
    assert ring.epoch == 0
    assert json.loads(made).keys() == json.loads(shown).keys()
    assert json.loads(made)["keys"][0].keys() == json.loads(shown)["keys"][0].keys()


def test_the_manifest_of_the_notes_can_be_copied_into_a_shell(helm: Helm) -> None:
    manifest, end, _ = helm.notes().partition("<<END\n")[2].partition("\nEND\n")
    assert end
    assert yaml.safe_load(manifest)["kind"] == "ProductiveUser"
