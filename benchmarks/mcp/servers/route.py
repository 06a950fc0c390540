"""A bare route of Starlette that reads and answers JSON, no check of anything. `route.py PORT`"""

from __future__ import annotations

import json
import sys

from benchmarks.mcp.servers.serving import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def endpoint(request: Request) -> JSONResponse:
    """Add what the request says."""
    asked = await request.json()
    given = asked["params"]["arguments"]
    answer = {"sum": given["a"] + given["b"]}
    result = {
        "content": [{"type": "text", "text": json.dumps(answer)}],
        "structuredContent": answer,
    }
    return JSONResponse({"jsonrpc": "2.0", "id": asked["id"], "result": result})


if __name__ == "__main__":
    serve(Starlette(routes=[Route("/mcp", endpoint, methods=["POST"])]), int(sys.argv[1]))
