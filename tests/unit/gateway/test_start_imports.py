"""What a gateway that starts does not import: each of these makes every start slower and larger."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from productive_gateway import cli, serving
"""
"""What `productive-gateway serve` imports before it is ready, with its grants in memory."""
CLUSTER = """
from kubernetes.aio.client import api_client
from productive_kube import connection, credentials
"""
"""What it imports besides where a cluster keeps them."""


def modules_after(program: str) -> frozenset[str]:
    done = subprocess.run(
        (sys.executable, "-c", f'{program}\nprint(*sys.modules, sep="\\n")'),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    return frozenset(done.stdout.split())


def of(package: str, imported: frozenset[str]) -> list[str]:
    return sorted(name for name in imported if f"{name}.".startswith(f"{package}."))


@pytest.fixture(scope="module")
def imported() -> frozenset[str]:
    return modules_after(PROGRAM + CLUSTER)


@pytest.fixture(scope="module")
def imported_without_cluster() -> frozenset[str]:
    return modules_after(PROGRAM)


@pytest.mark.parametrize(
    ("package", "because"),
    [
        ("kubernetes.client", "it is the synchronous client"),
        ("kubernetes.dynamic", "it is of the synchronous client"),
        ("kubernetes.aio.dynamic", "requests are made of paths and JSON"),
        ("kubernetes.aio.config.kube_config", "a pod has a service account"),
        ("requests", "it is of the synchronous client"),
        ("oauthlib", "it signs kubectl's users in"),
        ("urllib3", "it is of the synchronous client"),
        ("mcp.client", "a gateway is a server"),
        ("mcp.server.mcpserver", "the low-level server is used"),
        ("jsonschema", "only clients of MCP check answers with it"),
        ("authlib", "the first sign-in is early enough"),
        ("joserfc", "it comes with authlib"),
        ("productive_dev", "production images do not have it"),
        ("pytest", "it is for tests"),
    ],
)
def test_a_gateway_starts_without_what_it_needs_later_or_never(
    package: str, because: str, imported: frozenset[str]
) -> None:
    found = of(package, imported)

    assert not found, f"{because}; see `python -X importtime` for who imports it"


@pytest.mark.parametrize("package", ["aiohttp", "kubernetes.aio", "yaml"])
def test_a_gateway_without_a_cluster_starts_without_the_kubernetes_client(
    package: str, imported_without_cluster: frozenset[str]
) -> None:
    found = of(package, imported_without_cluster)

    # `kube` defers the packages themselves, so these are known and hold nothing.
    assert found in ([], ["kubernetes.aio", "kubernetes.aio.config", "kubernetes.aio.utils"])


def test_a_gateway_starts_with_what_answers_requests(imported: frozenset[str]) -> None:
    assert {
        "kubernetes.aio.client.api_client",
        "mcp.server.lowlevel.server",
        "productive_gateway.tools.registry",
        "uvicorn.server",
    } <= imported


@pytest.mark.parametrize(
    "statement",
    [
        "from mcp import Client, ClientSession",
        "from mcp.server import MCPServer",
        "import kubernetes; kubernetes.client.CoreV1Api; kubernetes.config.load_kube_config",
        "from kubernetes import aio; aio.client.CoreV1Api; aio.config.load_kube_config",
    ],
)
def test_all_of_a_package_can_be_used_after_the_gateways_own_imports(statement: str) -> None:
    program = f"import productive_gateway.app\n{statement}"

    subprocess.run((sys.executable, "-c", program), check=True, capture_output=True)


def test_models_of_the_protocol_are_built_when_they_are_used_and_others_at_once() -> None:
    program = """
import productive_gateway.app
from mcp_types import methods
from pydantic import BaseModel

class Other(BaseModel):
    number: int

assert Other.__pydantic_complete__

models = {*methods.CLIENT_REQUESTS.values()}
built = [model for model in models if model.__pydantic_complete__]
assert len(models) > 20, models
assert len(built) < 5, built

params = {"name": "get_me", "arguments": {}}
methods.validate_client_request("tools/call", "2025-11-25", params)
assert methods.CLIENT_REQUESTS["tools/call", "2025-11-25"].__pydantic_complete__
"""

    subprocess.run((sys.executable, "-c", program), check=True, capture_output=True)
