"""How often the same caller may ask: token buckets, counted by each replica for itself.

A bucket of N holds N and gets N back in a minute, so that N requests may come at once and in any
time t at most N + N·t/60. N replicas together allow N times as much: state that they shared would
cost a write for each request of a stranger, which is what the limits are there to prevent.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from productive_gateway.errors import TooManyRequests
from productive_gateway.observability.audit import Event, audit
from productive_gateway.observability.metrics import LIMIT_HITS

MINUTE: Final = 60.0
MOST_KEYS: Final = 20_000
"""Callers that one limit knows at a time; one takes about 200 bytes."""
ALL_TOGETHER: Final = 50
"""How many times as much as one caller all callers together may ask of one replica."""
_LINES: Final = 60
"""Audit lines about one limit in a minute, for all callers."""
_TINY: Final = 1e-3
"""Seconds by which sums of floating-point numbers may be wrong."""

Monotonic = Callable[[], float]


class Buckets:
    """Token buckets by key. Pure but for its table: the time is an argument.

    Of each bucket only the time is kept at which it is full again (the generic cell rate algorithm,
    ITU-T I.371 A); one that is full is forgotten without any difference. When the table holds its
    most of others, all new keys share one bucket, so that nobody's bucket can be pushed out. A key
    that gets a place later begins with what is left in that bucket: it may have taken from it.
    """

    def __init__(self, per_minute: int, most_keys: int = MOST_KEYS) -> None:
        """Make empty tables.

        Args:
            per_minute: what one key may take in a minute, and at once.
            most_keys: size of the table.
        """
        self._interval = MINUTE / per_minute
        self._most = most_keys
        self._full_at: OrderedDict[str, float] = OrderedDict()
        """By key; the one that took last is at the end."""
        self._shared = -math.inf
        """When the bucket of keys without a place in the table is full again."""

    @property
    def keys(self) -> int:
        """How many keys are in the table."""
        return len(self._full_at)

    def wait(self, key: str, now: float) -> float:
        """Return the seconds until the key may take one; 0 if it may now. Takes nothing."""
        late = max(self._full_at.get(key, self._shared), now) + self._interval - MINUTE - now
        return late if late > _TINY else 0.0

    def take(self, key: str, now: float) -> None:
        """Take one, after `wait` said that it may be taken."""
        known = self._full_at.pop(key, None)
        full_at = max(self._shared if known is None else known, now) + self._interval
        if known is not None or self._has_room(now):
            self._full_at[key] = full_at
        else:
            self._shared = full_at

    def _has_room(self, now: float) -> bool:
        """Forget full buckets, the longest unused first, and return whether a key has a place."""
        while self._full_at:
            oldest = next(iter(self._full_at))
            if self._full_at[oldest] > now:
                break
            del self._full_at[oldest]
        return len(self._full_at) < self._most


class HitReport:
    """Reports that a limit was hit: each hit as a metric, the first of a caller in the audit."""

    def __init__(self, slug: str, clock: Monotonic = time.monotonic) -> None:
        """Report under this name.

        Args:
            slug: of the limit, in audit lines and metrics.
            clock: seconds.
        """
        self._slug = slug
        self._clock = clock
        self._lines = Buckets(1)
        self._all_lines = Buckets(_LINES)
        # At 0 from the start: Prometheus sees no increase in a series that appears with 1.
        self._hits = LIMIT_HITS.labels(limit=slug)

    def hit(self, key: str, **facts: str) -> None:
        """Count a hit; write at most one line for each key and minute, so that no log floods."""
        self._hits.inc()
        now = self._clock()
        if self._lines.wait(key, now) or self._all_lines.wait("", now):
            return
        self._lines.take(key, now)
        self._all_lines.take("", now)
        audit(Event.LIMIT_HIT, reason=self._slug, **facts)


class Limit:
    """One limit: so much for each key, and for all keys together."""

    def __init__(
        self,
        slug: str,
        per_minute: int,
        *,
        together: bool = True,
        clock: Monotonic = time.monotonic,
    ) -> None:
        """Start with full buckets.

        Args:
            slug: its name in audit lines and metrics.
            per_minute: what each key may take; 0 is no limit at all.
            together: whether all keys together have a limit too, `ALL_TOGETHER` times as high.
            clock: seconds.
        """
        self._clock = clock
        self._each = Buckets(per_minute) if per_minute else None
        self._all = Buckets(per_minute * ALL_TOGETHER, 1) if per_minute and together else None
        self._report = HitReport(slug, clock)
        self._slug = slug

    @property
    def keys(self) -> int:
        """How many keys are known at the moment."""
        return 0 if self._each is None else self._each.keys

    def take(self, key: str | None, **facts: str) -> None:
        """Count one request.

        A refused request is not counted: a caller that keeps asking still gets its share.

        Args:
            key: who asks; None if unknown, which only the limit for all counts.
            facts: about the caller, for the audit line; nothing secret.

        Raises:
            TooManyRequests: it is one too many.
        """
        if self._each is None:
            return
        now = self._clock()
        wait = 0.0 if key is None else self._each.wait(key, now)
        if wait:
            raise self._refusal(key or "", wait, facts)
        if self._all is not None:
            wait = self._all.wait("", now)
            if wait:
                raise self._refusal("", wait, {"callers": "all"})
            self._all.take("", now)
        if key is not None:
            self._each.take(key, now)

    def _refusal(self, key: str, wait: float, facts: dict[str, str]) -> TooManyRequests:
        self._report.hit(key, **facts)
        seconds = math.ceil(wait - _TINY)
        return TooManyRequests(
            f"Too many requests. Wait {_in_words(seconds)}, then try again.",
            reason=self._slug,
            retry_after=seconds,
        )


@dataclass(frozen=True, slots=True)
class PerMinute:
    """What one caller may do in a minute; 0 is no limit."""

    register: int = 10
    authorize: int = 60
    token: int = 120
    failed_tokens: int = 30
    sign_ins: int = 10
    client_documents: int = 10


UNLIMITED: Final = PerMinute(0, 0, 0, 0, 0, 0)
"""For one person's own machine."""


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits of one replica, each with the key that it counts by."""

    register: Limit
    """Address."""
    authorize: Limit
    """Address: consent pages and the decisions on them."""
    callback: Limit
    """Address: as many as of `authorize`, since each sign-in comes back once."""
    connections: Limit
    """Address: pages and forms of /connections, as many as of `authorize`."""
    token: Limit
    """Client and address: requests to /token that are refused."""
    revoke: Limit
    """Client and address."""
    issued: Limit
    """Grant: tokens that are issued."""
    failed_tokens: Limit
    """Address or token: access tokens that are refused. There is no limit for all together:
    strangers could then keep it from others that their tokens have expired."""
    sign_ins: Limit
    """Person: new grants."""
    client_documents: Limit
    """Address: documents of clients that have to be fetched."""

    @classmethod
    def of(cls, counts: PerMinute, clock: Monotonic = time.monotonic) -> Limits:
        """Make the limits, with full buckets.

        Args:
            counts: per minute.
            clock: seconds.
        """
        return cls(
            register=Limit("register", counts.register, clock=clock),
            authorize=Limit("authorize", counts.authorize, clock=clock),
            callback=Limit("callback", counts.authorize, clock=clock),
            connections=Limit("connections", counts.authorize, clock=clock),
            token=Limit("token", counts.token, clock=clock),
            revoke=Limit("revoke", counts.token, clock=clock),
            issued=Limit("issued", counts.token, clock=clock),
            failed_tokens=Limit("failed_tokens", counts.failed_tokens, together=False, clock=clock),
            sign_ins=Limit("sign_ins", counts.sign_ins, clock=clock),
            client_documents=Limit("client_documents", counts.client_documents, clock=clock),
        )


def _in_words(seconds: int) -> str:
    return "a second" if seconds == 1 else f"{seconds} seconds"
