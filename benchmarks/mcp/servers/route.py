"""A bare route of Starlette that reads and answers JSON, no check of anything.

`route.py PORT [DEFINITIONS.json]`: definitions are tools, sent as bytes that are made once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.mcp.servers.serving import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


async def add(request: Request) -> JSONResponse:
    """Add what the request says."""
    asked = await request.json()
    given = asked["params"]["arguments"]
    answer = {"sum": given["a"] + given["b"]}
    content = [{"type": "text", "text": json.dumps(answer)}]
    result = {"content": content, "structuredContent": answer}
    return JSONResponse({"jsonrpc": "2.0", "id": asked["id"], "result": result})


def listing(definitions: bytes) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that sends tools."""
    answer = b'{"jsonrpc":"2.0","id":1,"result":{"tools":%s}}' % definitions

    async def send(request: Request) -> Response:
        await request.json()
        return Response(answer, media_type="application/json")

    return send


def main() -> None:
    port, *definitions = sys.argv[1:]
    endpoint = listing(Path(definitions[0]).read_bytes()) if definitions else add
    serve(Starlette(routes=[Route("/mcp", endpoint, methods=["POST"])]), int(port))


if __name__ == "__main__":
    main()
