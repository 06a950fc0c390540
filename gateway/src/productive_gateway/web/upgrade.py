"""The rest of a request that asks for another protocol than HTTP/1.1, such as HTTP/2.

The gateway speaks HTTP/1.1 only, and RFC 9110 7.8 lets a server ignore such a wish. The parser does
not: for it the request ends with its head, and what follows is no HTTP, or the next request. A body
would be lost, or taken for a request, which a proxy in front would not see. So the body is parsed
here, by what its head says about it, and the connection ends with the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import httptools

from productive_gateway.web.headers import RawHeaders

_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


class RestOfRequest:
    """Takes the place of a connection's parser, after the head of its last request."""

    def __init__(
        self, headers: RawHeaders, take: Callable[[bytes], None], end: Callable[[], None]
    ) -> None:
        """Parse a body.

        Args:
            headers: of the request; they say where it ends.
            take: called with each piece.
            end: called when the body is complete.
        """
        framing = b"".join(b"%s: %s\r\n" % one for one in headers if one[0].lower() in _FRAMING)
        self._head = b"POST / HTTP/1.1\r\n%s\r\n" % framing
        self._take = take
        self._end = end
        self._parser = httptools.HttpRequestParser(self)
        self._complete = False

    def feed_data(self, data: bytes) -> None:
        """Parse what arrives; after the body it is ignored.

        Raises:
            HttpParserError: the body is malformed.
        """
        data, self._head = self._head + data, b""
        try:
            if not self._complete:
                self._parser.feed_data(data)
        except httptools.HttpParserError:
            if not self._complete:
                raise

    def should_upgrade(self) -> bool:
        """Whether the parser left the body out, as the parser itself says it: it does not."""
        return False

    def on_body(self, body: bytes) -> None:
        """Pass a piece of the body on."""
        if not self._complete:
            self._take(body)

    def on_message_complete(self) -> None:
        """Pass the end of the body on."""
        if not self._complete:
            self._complete = True
            self._end()
