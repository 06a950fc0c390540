"""The least that answers at all: raw ASGI, no check of anything. `asgi.py PORT`"""

from __future__ import annotations

import json
import sys
from typing import Any

from benchmarks.mcp.servers.serving import serve
from starlette.types import Receive, Scope, Send

START: dict[str, Any] = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json")],
}


async def application(_: Scope, receive: Receive, send: Send) -> None:
    """Add what the request says."""
    body = b""
    while True:
        part = await receive()
        body += part.get("body", b"")
        if not part.get("more_body"):
            break
    asked = json.loads(body)
    given = asked["params"]["arguments"]
    answer = {"sum": given["a"] + given["b"]}
    result = {
        "content": [{"type": "text", "text": json.dumps(answer)}],
        "structuredContent": answer,
    }
    sent = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()
    await send(START)
    await send({"type": "http.response.body", "body": sent})


if __name__ == "__main__":
    serve(application, int(sys.argv[1]))
