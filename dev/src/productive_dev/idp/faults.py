"""The switchboard of faults: how an endpoint misbehaves, and how an ID token lies.

A fault holds for the next `times` answers, or until it is cleared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

ENDPOINTS: Final = ("discovery", "jwks", "authorize", "token", "userinfo")


@dataclass(frozen=True, slots=True)
class EndpointFault:
    """What an endpoint answers instead of the truth."""

    times: int | None = None
    """How many answers; None is until cleared."""
    delay: float = 0.0
    """Seconds before the answer."""
    status: int | None = None
    redirect: str | None = None
    """Answer 302 to this address."""
    content_type: str | None = None
    body: str | None = None
    """Answer this text instead of the document."""
    size: int = 0
    """Pad the answer with spaces to this many bytes."""
    set: Mapping[str, Any] = field(default_factory=dict)
    """Members to add or change; parameters, where the answer is a redirect to the client."""
    remove: tuple[str, ...] = ()
    """Members to leave out."""


@dataclass(frozen=True, slots=True)
class TokenFault:
    """How an ID token is made."""

    times: int | None = None
    alg: str = "RS256"
    """Header `alg`: none in any case has an empty signature, ES256 is signed with a fresh key."""
    key: Literal["current", "other", "public-pem", "client-secret"] = "current"
    """What signs: "other" is a key that nobody published; the last two are for HS256."""
    signature: Literal["good", "broken", "empty"] = "good"
    header: Mapping[str, Any] = field(default_factory=dict)
    remove_header: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict)
    remove_claims: tuple[str, ...] = ()
    literal_claims: Mapping[str, str] = field(default_factory=dict)
    """Claims as JSON text, added at the end: "1e400", or a name a second time."""
    extra_parts: int = 0
    """Parts appended after the signature."""
    raw: str | None = None
    """This text instead of a token."""


@dataclass(frozen=True, slots=True)
class Faults:
    """All switches at one moment."""

    endpoints: Mapping[str, EndpointFault] = field(default_factory=dict)
    id_token: TokenFault | None = None


class Switchboard:
    """The switches; `take_*` reads one and counts the use."""

    def __init__(self) -> None:
        self._faults = Faults()

    def put(self, document: Mapping[str, Any]) -> None:
        """Replace all switches by those of a JSON document; an empty one clears.

        Raises:
            TypeError: it names an endpoint or a member that does not exist.
        """
        unknown = set(document) - {*ENDPOINTS, "id_token"}
        if unknown:
            raise TypeError(f"no such endpoint: {', '.join(sorted(unknown))}")
        self._faults = Faults(
            {name: EndpointFault(**document[name]) for name in ENDPOINTS if name in document},
            TokenFault(**document["id_token"]) if "id_token" in document else None,
        )

    def current(self) -> Faults:
        """Return the switches without counting."""
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
