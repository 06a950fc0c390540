"""FastMCP with bearer authentication, run by the Python of its own environment.

`with_fastmcp.py PORT TOKENS.json [DEFINITIONS.json]`: definitions are tools to list beside `add`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fastmcp import FastMCP
from fastmcp.server.auth.providers.jwt import StaticTokenVerifier
from fastmcp.tools import Tool
from pydantic import BaseModel
from serving import serve  # beside this file: the project is not installed there


class Sum(BaseModel):
    """The answer of `add`."""

    sum: int


def add(a: int, b: int) -> Sum:
    """Adds two whole numbers."""
    return Sum(sum=a + b)


def main() -> None:
    port, tokens, *definitions = sys.argv[1:]
    known = {
        token: {"client_id": "client", "scopes": ["mcp:read"]}
        for token in json.loads(Path(tokens).read_text())
    }
    server = FastMCP("fastmcp", auth=StaticTokenVerifier(known, required_scopes=["mcp:read"]))
    server.add_tool(Tool.from_function(add))
    for file in definitions:
        for definition in json.loads(Path(file).read_text()):
            tool = Tool.from_function(
                add,
                name=definition["name"],
                title=definition["title"],
                description=definition["description"],
                output_schema=definition["outputSchema"],
            )
            server.add_tool(tool.model_copy(update={"parameters": definition["inputSchema"]}))
    serve(server.http_app(path="/mcp", stateless_http=True, json_response=True), int(port))


if __name__ == "__main__":
    main()
