"""Asks the provider, at a refresh, whether an account may still be used.

It translates between `upstream`, which knows the provider, and `grants`, which know what follows.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from productive_contract.secret import Secret
from productive_gateway.errors import GatewayError, Unavailable
from productive_gateway.grants.config import LEASE
from productive_gateway.grants.grant import Cause
from productive_gateway.grants.provider import (
    Account,
    Answer,
    Confirmed,
    Denied,
    Unanswered,
    Unproven,
)
from productive_gateway.upstream.client import Renewal, UpstreamClient
from productive_gateway.upstream.code_flow import SPENT_CODE
from productive_gateway.upstream.errors import IdentityRefused, UpstreamRefused

RENEW_SECONDS: Final = 0.6 * LEASE
VERIFY_SECONDS: Final = 0.25 * LEASE
"""The rest of the lease is for storing the answer."""


@dataclass(frozen=True, slots=True)
class ProviderCheck:
    """The question to the provider."""

    upstream: UpstreamClient

    async def ask(self, token: Secret) -> Answer:
        """Use a refresh token of the provider and return what it says."""
        try:
            async with asyncio.timeout(RENEW_SECONDS):
                renewal = await self.upstream.renew(token)
        except TimeoutError:
            return Unanswered(_unavailable("token_unreachable"))
        except UpstreamRefused as error:
            # Any other refusal is about this server, not about the account: nobody is signed out
            # because a client secret has expired.
            if error.reason == SPENT_CODE:
                return Denied(Cause.UPSTREAM_REFUSED)
            return Unanswered(_failure(error))
        except Unavailable as error:
            return Unanswered(_failure(error))
        return await self._verified(renewal)

    async def _verified(self, renewal: Renewal) -> Answer:
        try:
            async with asyncio.timeout(VERIFY_SECONDS):
                identity = await self.upstream.renewed_identity(renewal)
        except TimeoutError:
            return Unproven(renewal.refresh_token, _unavailable("jwks_unreachable"))
        except IdentityRefused:
            return Denied(Cause.UPSTREAM_IDENTITY)
        except (UpstreamRefused, Unavailable) as error:
            return Unproven(renewal.refresh_token, _failure(error))
        account = (
            None if identity is None else Account(identity.issuer, identity.subject, identity.email)
        )
        return Confirmed(renewal.refresh_token, account)


def _failure(error: GatewayError) -> Unavailable:
    retry_after = error.retry_after if isinstance(error, Unavailable) else 30
    return _unavailable(error.reason, retry_after=retry_after)


def _unavailable(reason: str, *, retry_after: int = 5) -> Unavailable:
    return Unavailable(
        "The sign-in provider cannot confirm now that this account may still be used. Try again "
        "shortly.",
        reason=reason,
        retry_after=retry_after,
    )
