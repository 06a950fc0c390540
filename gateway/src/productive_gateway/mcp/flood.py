"""Bounds the requests to `/mcp` that are open at the same time: of one person, and of all people.

The first bound stops a client that floods; the tools have a limit of their own, which tells the
model to wait. The second keeps this replica fast when there is more to do than it can: a request
that waits behind hundreds of others is answered too late to be of use, so it is refused before its
body is read. A third bounds the memory that large requests take while they are answered. The count
is per person, because people share addresses and clients.

Nobody may have more places than are free. So however many requests a few people send, somebody who
has none open is refused last.
"""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import Final, Self

from productive_gateway.errors import TooManyRequests, Unavailable
from productive_gateway.observability.metrics import REQUESTS_OPEN
from productive_gateway.web.errors import BadRequest
from productive_gateway.web.limits import HitReport

MOST_REQUESTS: Final = 64
"""Requests of one person at the same time, on one replica."""
MOST_TOGETHER: Final = 250
"""Requests of all people at the same time, on one replica, unless configured."""
LARGE: Final = 64 * 1024
"""Bytes of a body above which a request is large; nearly all have a hundredth."""
MOST_LARGE: Final = 4
"""Large requests of all people at the same time, on one replica. Of 4 MB each can take ten times as
much while it is answered."""
RETRY_AFTER: Final = 5
"""Seconds after which a refused client should try again."""


class Places:
    """A number of places; nobody may take one who has as many as are free."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()
        self.taken = 0
        """By everybody."""

    def of(self, person: str) -> int:
        """Return how many places a person has."""
        return self._taken[person]

    def take(self, person: str) -> bool:
        """Take a place; returns whether there was one."""
        if self._taken[person] >= self._most - self.taken:
            return False
        self._taken[person] += 1
        self.taken += 1
        return True

    def give_back(self, person: str) -> None:
        """Give a place back."""
        self.taken -= 1
        self._taken[person] -= 1
        if not self._taken[person]:
            del self._taken[person]


class OpenRequests:
    """Counts requests by person."""

    def __init__(self, most: int = MOST_TOGETHER, most_of_person: int = MOST_REQUESTS) -> None:
        """Begin with none.

        Args:
            most: requests of all people at the same time.
            most_of_person: requests of each.
        """
        self._most_of_person = most_of_person
        self._of_person = HitReport("open_requests")
        self._of_all = HitReport("replica_requests")
        self._of_large = HitReport("large_requests")
        self._places = Places(most)
        self._large_places = Places(MOST_LARGE)
        REQUESTS_OPEN.set_function(lambda: self._places.taken)

    def counted(self, person: str) -> OpenRequest:
        """Return the context of a request, which counts while it is entered."""
        return OpenRequest(self, person)

    def begin(self, person: str) -> None:
        """Count a request; for `OpenRequest`, as is what follows.

        Raises:
            TooManyRequests: the person has as many open as are allowed.
            Unavailable: this replica is full, or nearly, and the person has many open.
        """
        if self._places.of(person) >= self._most_of_person:
            self._of_person.hit(person, person=person)
            raise TooManyRequests(
                "You have too many requests open. Wait for some of them, then try again.",
                reason="open_requests",
                retry_after=RETRY_AFTER,
            )
        if not self._places.take(person):
            self._of_all.hit("", callers="all")
            raise Unavailable(
                "This server is busy. Try again in a few seconds.",
                reason="replica_requests",
                retry_after=RETRY_AFTER,
            )

    def end(self, person: str) -> None:
        """Stop counting a request."""
        self._places.give_back(person)

    def begin_large(self, person: str) -> None:
        """Count a large request, which is counted already.

        Raises:
            Unavailable: too many others are being answered.
        """
        if not self._large_places.take(person):
            self._of_large.hit(person, person=person)
            raise Unavailable(
                "This server is busy with other large requests. Try again in a few seconds.",
                reason="large_requests",
                retry_after=RETRY_AFTER,
            )

    def end_large(self, person: str) -> None:
        """Stop counting a large request."""
        self._large_places.give_back(person)


class OpenRequest:
    """One request among the open ones."""

    __slots__ = ("_counts", "_is_large", "_open", "_person")

    def __init__(self, requests: OpenRequests, person: str) -> None:
        self._open = requests
        self._person = person
        self._counts = self._is_large = False

    def __enter__(self) -> Self:
        self._open.begin(self._person)
        self._counts = True
        return self

    def expects(self, size: int) -> None:
        """Take up how many bytes the body has, at least.

        Raises:
            Unavailable: it is large, and too many others are.
        """
        if size > LARGE and not self._is_large:
            self._open.begin_large(self._person)
            self._is_large = True

    def stops_counting(self) -> None:
        """Leave the place to others: this request is a stream from now on, and only waits.

        Raises:
            BadRequest: it is large, and would stay in memory as long as the stream is open.
        """
        if self._is_large:
            raise BadRequest(
                f"The request of a stream may have {LARGE // 1024} KiB. Send less.",
                status=413,
                reason="too_large",
            )
        self._end()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        if self._is_large:
            self._is_large = False
            self._open.end_large(self._person)
        if self._counts:
            self._counts = False
            self._open.end(self._person)
