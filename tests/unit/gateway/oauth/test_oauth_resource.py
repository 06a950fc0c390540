"""Which resource parameters name this server."""

from __future__ import annotations

import pytest

from productive_gateway.oauth.errors import InvalidTarget
from productive_gateway.oauth.resource import require_resource, same_resource

RESOURCE = "https://mcp.example.test/mcp"


@pytest.mark.rule("R4")
@pytest.mark.attack("H-01")
@pytest.mark.parametrize(
    ("given", "same"),
    [
        ("https://mcp.example.test/mcp", True),
        ("HTTPS://MCP.Example.Test/mcp", True),
        ("https://mcp.example.test/mcp/", False),
        ("https://mcp.example.test/MCP", False),
        ("https://mcp.example.test/mcp#x", False),
        ("https://mcp.example.test/mcp?x", False),
        ("https://mcp.example.test:443/mcp", False),
        ("https://user@mcp.example.test/mcp", False),
        ("https://other.example.test/mcp", False),
        ("http://mcp.example.test/mcp", False),
        ("//mcp.example.test/mcp", False),
        ("/mcp", False),
        ("mcp", False),
        ("", False),
        ("https://mcp.example.test", False),
    ],
)
def test_only_scheme_and_host_of_a_resource_are_compared_without_case(
    given: str, same: bool
) -> None:
    assert same_resource(given, RESOURCE) is same


@pytest.mark.attack("H-01", "J-09")
@pytest.mark.parametrize(
    "given", [["https://other.example/mcp"], [""], ["%"], [RESOURCE, RESOURCE]]
)
def test_another_resource_or_several_are_an_invalid_target(given: list[str]) -> None:
    with pytest.raises(InvalidTarget):
        require_resource(given, RESOURCE)


@pytest.mark.attack("H-02")
def test_omitted_resource_is_the_canonical_one() -> None:
    assert require_resource([], RESOURCE) == RESOURCE
    assert require_resource(["HTTPS://MCP.example.test/mcp"], RESOURCE) == RESOURCE
