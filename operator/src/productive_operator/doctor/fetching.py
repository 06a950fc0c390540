"""Fetches addresses that people, clients and the gateway use."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from productive_kube.http_date import read_date
from productive_operator.doctor.result import NotReadable

MAX_BYTES: Final = 2**20
SECONDS: Final = 8.0
"""How long one answer may take."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_TIMEOUT: Final = aiohttp.ClientTimeout(total=SECONDS)


class NoAnswer(Exception):
    """There was none; `str()` says why, in words that follow the address."""


def is_safe(url: Any) -> bool:
    """Return whether an address is https, or on this machine."""
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def out_of_reach(url: str | None, error: NoAnswer) -> NotReadable:
    """Return the error of a check inside the cluster, where a network policy may be in the way."""
    return NotReadable(f"a network in which {url} can be reached; from here it {error}")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of any status."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    asked: float
    """Unix seconds on this machine, when half of the time to the answer was over."""

    def document(self) -> dict[str, Any]:
        """Return the JSON object; anything else counts as an empty one."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def ahead(self) -> float | None:
        """Seconds by which the sender's clock is ahead of ours; None if it does not say.

        A `Date` has whole seconds, cut off.
        """
        sent = read_date(self.headers.get("date"))
        return None if sent is None else sent + 0.5 - self.asked


@dataclass(frozen=True, slots=True)
class Web:
    """Fetches with the connections of one session."""

    session: aiohttp.ClientSession
    now: Callable[[], float] = time.time
    """Unix seconds of this machine."""

    async def get(self, url: str, **headers: str) -> Answer:
        """GET an address, without following redirects.

        Raises:
            NoAnswer: nothing usable came back.
        """
        begun = self.now()
        sent = self.session.get(url, allow_redirects=False, headers=headers, timeout=_TIMEOUT)
        try:
            async with sent as response:
                asked = (begun + self.now()) / 2
                body = await _bounded(response)
                found = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, found, body, asked)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoAnswer(_why(error)) from error


@asynccontextmanager
async def web_session() -> AsyncIterator[aiohttp.ClientSession]:
    """Open connections as a client has them: authorities and proxy of this machine."""
    tls = ssl.create_default_context()
    # As the programs do: many authorities have no key identifier.
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=True,
    ) as session:
        yield session


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    while len(body) <= MAX_BYTES:
        chunk = await response.content.readany()
        if not chunk:
            return body
        body += chunk
    response.close()
    raise ValueError("the answer is too long")


def _why(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            reason = getattr(error.certificate_error, "verify_message", "") or "it is not trusted"
            return f"has a certificate that this machine does not accept ({reason})"
        case aiohttp.ClientSSLError():
            return "does not speak TLS properly"
        case aiohttp.ClientConnectorDNSError():
            return "has a name that does not resolve"
        case TimeoutError():
            return f"does not answer within {SECONDS:g} s"
        case aiohttp.ClientConnectorError():
            return f"cannot be reached ({error.os_error.strerror or 'no connection'})"
        case _:
            return "gives no usable answer"
