"""What is presented for a grant (a claim), and what `transitions` make of it (a step)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from productive_gateway.errors import Unavailable
from productive_gateway.grants.grant import Cause, Grant, Refusal
from productive_gateway.grants.provider import Reply


@dataclass(frozen=True, slots=True)
class Redemption:
    """What was presented with a code."""

    secret: bytes = field(repr=False)
    client: str
    redirect_uri: str | None
    verifier: str = field(repr=False)
    attempt: str
    registered: Callable[[str], bool] | None = None
    """Whether a redirect URI still is the client's; None: it cannot have changed."""


@dataclass(frozen=True, slots=True)
class Refresh:
    """What was presented with a refresh token."""

    generation: int
    secret: bytes = field(repr=False)
    client: str
    scopes: frozenset[str] | None
    attempt: str
    reply: Reply | None = None
    """What the provider said to this request, once it was asked."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """A client's wish to end its grant (RFC 7009)."""

    client: str


@dataclass(frozen=True, slots=True)
class Disconnection:
    """A person's wish to end one of their grants."""

    user_uid: str
    """uid of the ProductiveUser of somebody who proved that they are this person."""


Claim = Redemption | Refresh | Revocation | Disconnection


@dataclass(frozen=True, slots=True)
class Advance:
    """Store this grant, and only then answer."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class Repeat:
    """The stored grant is what the answer needs: answer again, store nothing."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class Lease:
    """Store this grant, so that no other request asks the provider; then decide again."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class Ask:
    """The lease is this request's: ask the provider, then decide again with its reply."""

    claim: Refresh


@dataclass(frozen=True, slots=True)
class Wait:
    """Another request is asking the provider: read again later."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Store this grant, then fail: the provider gave no answer that can be used now."""

    grant: Grant
    failure: Unavailable


@dataclass(frozen=True, slots=True)
class Refuse:
    """Refuse; store nothing."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class End:
    """The grant is over: store that, and refuse."""

    grant: Grant
    cause: Cause


Step = Advance | Repeat | Lease | Ask | Wait | Keep | Refuse | End
