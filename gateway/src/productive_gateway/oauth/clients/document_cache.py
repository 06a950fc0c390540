"""Documents and failures of clients, each kept for a bounded time and in a bounded number.

Pure: the time comes in with each call.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from productive_gateway.errors import GatewayError
from productive_gateway.oauth.clients.client import Client
from productive_gateway.oauth.clients.document_errors import RETRY_SECONDS

MAX_ENTRIES: Final = 500
MIN_FRESH: Final = 60.0
"""Seconds. Also of a document that must not be stored: one sign-in asks for it several times."""
MAX_FRESH: Final = 24 * 3600.0
"""Seconds."""
DEFAULT_FRESH: Final = 300.0
"""Seconds for which a document is used whose answer does not say. A static host often says nothing;
its owner sees a correction after five minutes, and each replica asks twelve times an hour."""
STALE: Final = 24 * 3600.0
"""Seconds since the last good answer for which a document serves while its host is away."""

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Held:
    """A good document."""

    client: Client
    confirmed: float
    """Unix seconds when its host last answered with it."""
    fresh_until: float
    etag: str | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the last attempt brought no document."""

    error: GatewayError
    until: float
    """Unix seconds before which there is no other attempt."""


def fresh_for(freshness: float | None) -> float:
    """Return how many seconds to use a document whose answer allows `freshness`."""
    if freshness is None:
        return DEFAULT_FRESH
    return min(max(freshness, MIN_FRESH), MAX_FRESH)


class _Recent(Generic[Entry]):
    """The entries that were used last, up to a number."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, Entry] = OrderedDict()

    def get(self, key: str) -> Entry | None:
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: str, entry: Entry) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)

    def remove(self, key: str) -> None:
        self._entries.pop(key, None)

    def __len__(self) -> int:
        return len(self._entries)


class DocumentCache:
    """Good documents apart from failures: addresses that fail push no good document out."""

    def __init__(self) -> None:
        self._held: _Recent[Held] = _Recent()
        self._failures: _Recent[Failure] = _Recent()

    def held(self, client_id: str) -> Held | None:
        """Return the last good document, fresh or not."""
        return self._held.get(client_id)

    def failure(self, client_id: str, now: float) -> Failure | None:
        """Return why there is no attempt now."""
        failure = self._failures.get(client_id)
        return failure if failure is not None and now < failure.until else None

    def keep(self, client_id: str, held: Held) -> None:
        """Keep a good document."""
        self._failures.remove(client_id)
        self._held.put(client_id, held)

    def fail(self, client_id: str, error: GatewayError, now: float) -> Failure:
        """Keep a failure, for half a minute."""
        failure = Failure(error, now + RETRY_SECONDS)
        self._failures.put(client_id, failure)
        return failure

    def withdraw(self, client_id: str) -> None:
        """Forget a document that its host has replaced by one that breaks a rule."""
        self._held.remove(client_id)

    def __len__(self) -> int:
        """Return how many good documents are kept."""
        return len(self._held)


class FetchBudget:
    """How many documents of clients that are not known yet may be fetched in a minute."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._taken: deque[float] = deque()

    def take(self, now: float) -> bool:
        """Whether one more may be fetched; if so, it counts."""
        while self._taken and self._taken[0] <= now - 60:
            self._taken.popleft()
        if len(self._taken) >= self._per_minute:
            return False
        self._taken.append(now)
        return True
