"""The Python SDK alone, with its own bearer authentication.

`sdk.py PORT json|stream TOKENS.json [DEFINITIONS.json]`: definitions are tools to list beside
`add`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.mcp.servers.serving import serve
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.tools.base import Tool
from pydantic import AnyHttpUrl, BaseModel


class Sum(BaseModel):
    """The answer of `add`."""

    sum: int


def add(a: int, b: int) -> Sum:
    """Adds two whole numbers."""
    return Sum(sum=a + b)


class KnownTokens:
    """Knows its tokens from the start."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = dict.fromkeys(tokens)

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return what a token is good for."""
        if token not in self._tokens:
            return None
        expires = int(time.time()) + 3600
        return AccessToken(token=token, client_id="client", scopes=["mcp:read"], expires_at=expires)


def listed(definition: dict[str, Any]) -> Tool:
    """Return a tool that shows a definition and does nothing."""
    tool = Tool.from_function(add, name=definition["name"], title=definition["title"])
    output = tool.fn_metadata.model_copy(update={"output_schema": definition["outputSchema"]})
    return tool.model_copy(
        update={
            "description": definition["description"],
            "parameters": definition["inputSchema"],
            "fn_metadata": output,
        }
    )


def main() -> None:
    port, mode, tokens, *definitions = sys.argv[1:]
    tools = [Tool.from_function(add)]
    for file in definitions:
        tools += map(listed, json.loads(Path(file).read_text()))
    origin = f"http://127.0.0.1:{port}"
    server = MCPServer(
        "sdk",
        tools=tools,
        log_level="WARNING",
        token_verifier=KnownTokens(json.loads(Path(tokens).read_text())),
        auth=AuthSettings(
            issuer_url=AnyHttpUrl(origin),
            resource_server_url=AnyHttpUrl(f"{origin}/mcp"),
            required_scopes=["mcp:read"],
        ),
    )
    serve(server.streamable_http_app(stateless_http=True, json_response=mode == "json"), int(port))


if __name__ == "__main__":
    main()
