"""Faults that tests inject: wrong answers of an endpoint, and forged ID tokens.

A fault applies to the next `times` answers, or until it is cleared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

ENDPOINTS: Final = ("discovery", "jwks", "authorize", "token", "userinfo")


@dataclass(frozen=True, slots=True)
class EndpointFault:
    """How an endpoint answers while the fault applies."""

    times: int | None = None
    """Number of answers; None means until cleared."""
    delay: float = 0.0
    """Seconds before the answer."""
    status: int | None = None
    unspent: bool = False
    """The token endpoint answers before it uses the code or refresh token up."""
    redirect: str | None = None
    """Answer 302 to this address."""
    content_type: str | None = None
    body: str | None = None
    """Answer this text instead of the document."""
    size: int = 0
    """Pad the answer with spaces to this many bytes."""
    set: Mapping[str, Any] = field(default_factory=dict)
    """Members to add or change; query parameters if the answer is a redirect to the client."""
    remove: tuple[str, ...] = ()
    """Members to omit."""


@dataclass(frozen=True, slots=True)
class TokenFault:
    """How an ID token is forged."""

    times: int | None = None
    alg: str = "RS256"
    """Header `alg`. "none", in any letter case, has an empty signature; ES256 uses a fresh key."""
    key: Literal["current", "other", "public-pem", "client-secret"] = "current"
    """The signing key: "other" is an unpublished key; the last two are for HS256."""
    signature: Literal["good", "broken", "empty"] = "good"
    header: Mapping[str, Any] = field(default_factory=dict)
    remove_header: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict)
    remove_claims: tuple[str, ...] = ()
    literal_claims: Mapping[str, str] = field(default_factory=dict)
    """Claims as JSON text, appended to the others: "1e400", or a duplicate name."""
    extra_parts: int = 0
    """Parts appended after the signature."""
    raw: str | None = None
    """Text to return instead of a token."""


@dataclass(frozen=True, slots=True)
class Faults:
    """All faults at one moment."""

    endpoints: Mapping[str, EndpointFault] = field(default_factory=dict)
    id_token: TokenFault | None = None


class FaultStore:
    """The faults that apply now; `take_*` returns one and counts the use."""

    def __init__(self) -> None:
        self._faults = Faults()

    def put(self, document: Mapping[str, Any]) -> None:
        """Replace all faults by those of a JSON document; an empty one clears them.

        Raises:
            TypeError: the document names an unknown endpoint or member.
        """
        unknown = set(document) - {*ENDPOINTS, "id_token"}
        if unknown:
            raise TypeError(f"no such endpoint: {', '.join(sorted(unknown))}")
        self._faults = Faults(
            {name: EndpointFault(**document[name]) for name in ENDPOINTS if name in document},
            TokenFault(**document["id_token"]) if "id_token" in document else None,
        )

    def current(self) -> Faults:
        """Return the faults without counting a use."""
        return self._faults

    def take_endpoint(self, name: str) -> EndpointFault | None:
        """Return the fault of an endpoint for one answer."""
        fault = self._faults.endpoints.get(name)
        if fault is not None and fault.times is not None:
            rest = {k: v for k, v in self._faults.endpoints.items() if k != name}
            if fault.times > 1:
                rest[name] = replace(fault, times=fault.times - 1)
            self._faults = replace(self._faults, endpoints=rest)
        return fault

    def take_token(self) -> TokenFault | None:
        """Return the fault of the ID token for one token."""
        fault = self._faults.id_token
        if fault is not None and fault.times is not None:
            left = replace(fault, times=fault.times - 1) if fault.times > 1 else None
            self._faults = replace(self._faults, id_token=left)
        return fault
