"""The cookies: their names, attributes and number.

All but the person's own (`proven_person`) belong to one transaction each.

Their names end in a hash of its id, so two tabs do not disturb each other. With `__Host-`
no sibling domain can plant one (RFC 6265bis 4.1.3.2). On plain http, which is allowed on this
machine only, some browsers refuse Secure cookies, so the names there have no prefix.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from productive_gateway.grants.config import TRANSACTION_LIFE

MAX_AGE: Final = int(TRANSACTION_LIFE)
MAX_OPEN: Final = 2
"""Of each kind per browser, so that the Cookie line stays under 8 KB."""
MAX_VALUE: Final = 3 * 1024

_NAME = re.compile(r"(?:__Host-)?pmcp-(?:[cfpt]-[0-9a-f]{16}|person)")
_ISSUED = re.compile(r"(?P<issued>[0-9]{1,12})\.(?P<value>.*)")


class CookieKind(StrEnum):
    """What a cookie is for."""

    CONSENT = "c"
    """Binds an open consent page to the browser that it was shown in."""
    TRANSACTION = "t"
    """The approved request, sealed, while the person is at the provider."""
    PERSON_SIGN_IN = "p"
    """A sign-in for a page of the person's own, sealed, while the person is at the provider."""
    FINISHED = "f"
    """Only says that the transaction ended in this browser: it distinguishes a reload of /callback
    from a link that somebody else sent."""


@dataclass(frozen=True, slots=True)
class Cookies:
    """How cookies are written and found."""

    secure: bool

    def name(self, kind: CookieKind, transaction: bytes) -> str:
        """Return the name of a transaction's cookie."""
        digest = hashlib.sha256(transaction).hexdigest()[:16]
        return f"{self._prefix}pmcp-{kind.value}-{digest}"

    def values(self, request: Request, kind: CookieKind, transaction: bytes) -> list[str]:
        """Return what the browser sent under that name: one value, unless somebody tampered."""
        return self._values(request, self.name(kind, transaction))

    def put(
        self,
        request: Request,
        response: Response,
        kind: CookieKind,
        transaction: bytes,
        value: str,
        *,
        now: float,
    ) -> None:
        """Set a cookie, and clear the oldest of its kind if there are too many."""
        name = self.name(kind, transaction)
        self._set(response, name, f"{int(now)}.{value}", MAX_AGE)
        letter = f"{self._prefix}pmcp-{kind.value}-"
        others = {sent: issued for sent, issued, _ in self._sent(request) if sent != name}
        same_kind = sorted((issued, sent) for sent, issued in others.items() if letter in sent)
        for _, old in same_kind[: max(len(same_kind) - (MAX_OPEN - 1), 0)]:
            self._set(response, old, "", 0)

    def clear(self, response: Response, kind: CookieKind, transaction: bytes) -> None:
        """Remove a transaction's cookie."""
        self._set(response, self.name(kind, transaction), "", 0)

    def persons(self, request: Request) -> list[str]:
        """Return what the browser sent as the person's own cookie."""
        return self._values(request, self._person)

    def put_person(self, response: Response, value: str, *, now: float, max_age: int) -> None:
        """Set the person's own cookie; there is one per browser.

        Args:
            response: that sets it.
            value: sealed.
            now: Unix seconds.
            max_age: seconds for which the browser keeps it.
        """
        self._set(response, self._person, f"{int(now)}.{value}", max_age)

    def clear_person(self, response: Response) -> None:
        """Remove the person's own cookie."""
        self._set(response, self._person, "", 0)

    @property
    def _person(self) -> str:
        return f"{self._prefix}pmcp-person"

    def _values(self, request: Request, name: str) -> list[str]:
        return [value for sent, _, value in self._sent(request) if sent == name][:MAX_OPEN]

    @property
    def _prefix(self) -> str:
        return "__Host-" if self.secure else ""

    def _set(self, response: Response, name: str, value: str, max_age: int) -> None:
        response.set_cookie(
            name,
            value,
            max_age=max_age,
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def _sent(self, request: Request) -> list[tuple[str, int, str]]:
        """Return name, time of issue and value of our cookies; the time only orders them."""
        found: list[tuple[str, int, str]] = []
        for header in request.headers.getlist("cookie"):
            for pair in header.split(";"):
                name, _, text = pair.strip().partition("=")
                value = _ISSUED.fullmatch(text.strip('"'))
                if value is not None and _NAME.fullmatch(name):
                    found.append((name, int(value["issued"]), value["value"]))
        return found
