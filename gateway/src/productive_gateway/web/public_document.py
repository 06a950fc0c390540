"""A document that is the same for everybody and changes only with a release."""

from __future__ import annotations

import hashlib
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from productive_gateway.web.endpoint import Endpoint

MAX_AGE: Final = 3600
"""Seconds for which anybody may keep it."""


class PublicDocument:
    """An ASGI app that serves one document to pages of any origin."""

    def __init__(self, content: bytes, media_type: str) -> None:
        """Take the document.

        Args:
            content: its bytes.
            media_type: its type.
        """
        self._content = content
        self._etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        self._headers = {
            "cache-control": f"public, max-age={MAX_AGE}",
            "content-type": media_type,
            "etag": self._etag,
        }
        self._endpoint = Endpoint({"GET": self._get, "HEAD": self._get}, cors=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._endpoint(scope, receive, send)

    async def _get(self, request: Request) -> Response:
        if self._is_known(request.headers.getlist("if-none-match")):
            return Response(status_code=304, headers=self._headers)
        return Response(self._content, headers=self._headers)

    def _is_known(self, values: list[str]) -> bool:
        """Whether If-None-Match names the document, compared weakly (RFC 9110 13.1.2)."""
        named = {one.strip().removeprefix("W/") for value in values for one in value.split(",")}
        return not named.isdisjoint({self._etag, "*"})
