"""What is installed: every file is pinned by its hash, and can be listed."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

TOP = Path(__file__).parents[2]
INDEX = "https://pypi.org/simple"
OURS = {
    "productive-mcp",
    *(f"productive-{one}" for one in ["contract", "kube", "operator", "gateway", "dev"]),
}


def locked() -> list[dict[str, Any]]:
    packages: list[dict[str, Any]] = tomllib.loads((TOP / "uv.lock").read_text())["package"]
    return packages


@pytest.mark.attack("Q-08")
def test_every_file_of_every_package_is_pinned_by_its_hash() -> None:
    foreign = [one for one in locked() if one["name"] not in OURS]
    assert len(foreign) > 50
    for one in foreign:
        assert one["source"] == {"registry": INDEX}, one["name"]
        files = [*one.get("wheels", []), *([one["sdist"]] if "sdist" in one else [])]
        assert files, one["name"]
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", file["hash"]) for file in files), one["name"]
    assert {one["name"] for one in locked() if "registry" not in one["source"]} == OURS


@pytest.mark.attack("Q-08")
def test_images_are_built_from_the_lock_alone() -> None:
    text = (TOP / "Dockerfile").read_text()
    assert re.search(r"^ENV (.*\\\n)*\s*UV_FROZEN=1", text, re.MULTILINE)
    # All that pip installs is uv, of one version, which verifies the rest.
    assert re.findall(r"pip install (.*)", text) == ['--quiet "uv==${UV}"']
    assert re.search(r"^ARG UV=\d+\.\d+\.\d+$", text, re.MULTILINE)
    assert not re.search(r"\buv (add|pip|tool)\b|--upgrade|--no-verify", text)


@pytest.mark.attack("Q-08")
@pytest.mark.parametrize("program", ["gateway", "operator"])
def test_what_an_image_contains_can_be_listed(program: str) -> None:
    bootstrap = subprocess.run(
        [TOP / "bin" / "bootstrap"], check=True, capture_output=True, text=True
    )
    command = [bootstrap.stdout.strip(), "export", "--quiet", "--frozen", "--offline", "--no-dev"]
    command += ["--format", "cyclonedx1.5", "--package", f"productive-{program}"]
    done = subprocess.run(command, cwd=TOP, check=True, capture_output=True, text=True)
    document = json.loads(done.stdout)
    assert document["bomFormat"] == "CycloneDX"
    versions = {one["name"]: one["version"] for one in locked() if "version" in one}
    listed = {one["name"]: one for one in document["components"]}
    assert {"aiohttp", "structlog"} <= listed.keys()
    for name in listed.keys() - OURS:
        assert listed[name]["version"] == versions[name]
        references = listed[name]["externalReferences"]
        assert all(one["hashes"][0]["alg"] == "SHA-256" for one in references)
