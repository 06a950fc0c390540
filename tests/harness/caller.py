"""A signed-in assistant without the SDK: single requests, whose answers the test inspects."""

from __future__ import annotations

import json
from typing import Any, Self
from urllib.parse import urljoin

import httpx

from harness.sdkclient import Assistant

BOTH = "application/json, text/event-stream"


class Caller:
    """Sends requests with the tokens of a signed-in assistant; a refresh replaces them there."""

    def __init__(self, assistant: Assistant) -> None:
        self.assistant = assistant
        self.http = httpx.AsyncClient(verify=assistant.trusted, trust_env=False, timeout=60)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def ask(self, method: str = "tools/list", **params: Any) -> httpx.Response:
        """Send one JSON-RPC request to /mcp."""
        tokens = self.assistant.memory.tokens
        assert tokens is not None
        headers = {"Accept": BOTH, "Authorization": f"Bearer {tokens.access_token}"}
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return await self.http.post(self.assistant.url, json=body, headers=headers)

    async def call(self, tool: str, **arguments: Any) -> httpx.Response:
        return await self.ask("tools/call", name=tool, arguments=arguments)

    async def refresh(self) -> httpx.Response:
        """Use the refresh token; the tokens of a successful answer replace the current ones."""
        memory = self.assistant.memory
        assert memory.tokens is not None
        assert memory.client is not None
        form = {
            "grant_type": "refresh_token",
            "client_id": memory.client.client_id,
            "refresh_token": memory.tokens.refresh_token,
        }
        answer = await self.http.post(urljoin(self.assistant.url, "/token"), data=form)
        if answer.is_success:
            memory.tokens = type(memory.tokens).model_validate(answer.json())
        return answer


def result(answer: httpx.Response) -> dict[str, Any]:
    """Return the result of a JSON-RPC answer, which may be JSON or an event stream.

    Raises:
        ValueError: the answer has no result.
    """
    text = answer.text
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        lines = [line for line in text.splitlines() if line.startswith("data: {")]
        text = lines[-1].removeprefix("data: ") if lines else ""
    document = json.loads(text)
    if not isinstance(document, dict) or "result" not in document:
        raise ValueError(f"no result: {text[:500]}")
    found: dict[str, Any] = document["result"]
    return found
