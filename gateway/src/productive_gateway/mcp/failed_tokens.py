"""Limits how often access tokens are refused, without ever keeping out one that is good.

A text that was never one of our tokens counts against the address that sends it. A token that was
once good counts against itself: its 401 makes a client refresh, and must reach every client, also
one whose neighbour in the same office is broken and goes on sending an old token.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from starlette.types import Scope

from productive_gateway.errors import InvalidToken, TooManyRequests
from productive_gateway.grants.errors import TokenFault
from productive_gateway.web.caller_address import CallerAddresses
from productive_gateway.web.limits import Limit

_NEVER_OURS: Final = TokenFault.MALFORMED.value


@dataclass(frozen=True, slots=True)
class FailedTokens:
    """Counts refused tokens."""

    limit: Limit
    addresses: CallerAddresses

    def answer(
        self, scope: Scope, token: str | None, error: InvalidToken
    ) -> InvalidToken | TooManyRequests:
        """Count a refusal, and return what to answer.

        Args:
            scope: of the request.
            token: what was presented; None if it has not even the form of a token.
            error: why it is refused.
        """
        try:
            if token is None or error.reason == _NEVER_OURS:
                address = self.addresses.of(scope)
                if address is not None:
                    self.limit.take(address, address=address)
            else:
                digest = hashlib.sha256(token.encode()).hexdigest()[:16]
                self.limit.take(f"token {digest}", fault=error.reason)
        except TooManyRequests as refused:
            return refused
        return error
