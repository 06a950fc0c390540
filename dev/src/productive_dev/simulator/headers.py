"""Headers of answers, as they were recorded.

A successful answer with a body has an ETag: the first 32 hex digits of the body's SHA-256, weak.
Whether the original answers `If-None-Match` with 304 was not recorded; its framework does.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from productive_dev.simulator.api.call import MEDIA_TYPE, Answer, Call

_ALWAYS: Final[Mapping[str, str]] = {
    "x-frame-options": "SAMEORIGIN",
    "x-content-type-options": "nosniff",
    "x-xss-protection": "0",
    "referrer-policy": "strict-origin-when-cross-origin",
    "x-permitted-cross-domain-policies": "none",
}
_FRESH: Final = "max-age=0, private, must-revalidate"


def response_to(call: Call, given: Answer) -> Response:
    """Return an answer as HTTP."""
    if given.document is None:
        headers = {"cache-control": "no-cache", "vary": "Origin"}
        return Response(status_code=given.status, headers=headers)
    body = json.dumps(given.document, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {"vary": "Accept,Origin,Accept-Encoding", "cache-control": "no-cache"}
    if given.status < 300:
        tag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers |= {"etag": tag, "cache-control": _FRESH}
        if call.method == "GET" and tag in call.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
    return Response(body, given.status, headers, media_type=f"{MEDIA_TYPE}; charset=utf-8")


def finish(response: Response, seconds: float) -> Response:
    """Add the headers that every answer has."""
    response.headers.update(_ALWAYS)
    response.headers["x-request-id"] = str(uuid.uuid4())
    response.headers["x-runtime"] = f"{seconds:.6f}"
    return response
