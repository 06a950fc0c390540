"""Where the limits of the authorization server count, and by what.

Pages and registrations are counted by address before anything is read. /token counts what it
refuses, by client and address, since hosted assistants share both and must not wait for strangers
who name their public client_id; tokens that are issued are counted by grant, in `grants`.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from productive_gateway.errors import GatewayError, TooManyRequests, Unavailable
from productive_gateway.oauth.clients.client import Client
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.web.caller_address import CALLER, CallerAddresses
from productive_gateway.web.endpoint import Handler
from productive_gateway.web.limits import Limit


def located(handler: Handler, addresses: CallerAddresses) -> Handler:
    """Return a handler that runs with `CALLER` set."""

    async def handle(request: Request) -> Response:
        CALLER.set(addresses.of(request.scope))
        return await handler(request)

    return handle


def limited(
    handler: Handler,
    limit: Limit,
    addresses: CallerAddresses,
    refuse: Callable[[Request, TooManyRequests], Response],
) -> Handler:
    """Return a handler that each address may call only so often.

    Args:
        handler: answers what is allowed.
        limit: by address.
        addresses: of callers.
        refuse: answers what is not.
    """

    async def handle(request: Request) -> Response:
        address = CALLER.get()
        try:
            limit.take(address, **_named(address=address))
        except TooManyRequests as error:
            return refuse(request, error)
        return await handler(request)

    return located(handle, addresses)


def counted_refusal(
    context: OAuthContext, client: Client | None, refusal: GatewayError
) -> GatewayError:
    """Count a request to /token or /revoke that is refused, and return what to answer.

    A failure on our side is not the client's doing, and is not counted.

    Args:
        context: holds the limits.
        client: who asks, if that is proven.
        refusal: why it is refused.
    """
    if isinstance(refusal, Unavailable | TooManyRequests):
        return refusal
    try:
        _take(context.limits.token, client)
    except TooManyRequests as error:
        return error
    return refusal


def count_revocation(context: OAuthContext, client: Client) -> None:
    """Count a request to /revoke of a client, which is answered alike whatever it presents.

    Raises:
        TooManyRequests: it is one too many.
    """
    _take(context.limits.revoke, client)


def _take(limit: Limit, client: Client | None) -> None:
    address, label = CALLER.get(), client.label if client is not None else None
    known = address is not None or label is not None
    key = f"{label or '-'} {address or '-'}" if known else None
    limit.take(key, **_named(client=label, address=address))


def _named(**facts: str | None) -> dict[str, str]:
    return {name: value for name, value in facts.items() if value is not None}
