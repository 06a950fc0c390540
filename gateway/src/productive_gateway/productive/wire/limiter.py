"""Keeps the requests of all people below what Productive allows.

Productive allows 100 requests in 10 seconds per token, and 4,000 in 30 minutes per organization.
The gateway uses 90 % of both, so that people's other programs can still send some. Replicas do not
talk to each other: each takes an equal part, by their number. An organization's part is shared
between its people so that none of them can use it up. What Productive refuses all the same pauses
everybody whom the refusal concerns.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from productive_contract.clock import Clock, system_clock
from productive_gateway.observability.metrics import (
    BUDGET_REFUSED,
    BUDGET_REPLICAS,
    BUDGET_REQUESTS,
    BUDGET_REQUESTS_USED,
)
from productive_gateway.productive.wire.errors import Limit, RateLimited
from productive_gateway.productive.wire.replica_count import ReplicaCount
from productive_gateway.productive.wire.window import SharedWindow, Window

TOKEN_REQUESTS: Final = 90
"""Of the 100 that Productive allows a token in 10 seconds."""
TOKEN_SECONDS: Final = 10.0
ORGANIZATION_REQUESTS: Final = 4_000
"""What Productive allows an organization in 30 minutes."""
ORGANIZATION_SECONDS: Final = 1_800.0
_USED_PART: Final = 0.9
"""How much of an organization's limit the gateway uses."""
_TOKEN_DIVISOR: Final = 3
"""At most, however many replicas there are: one call sends its requests from one replica, and a
token that is above its limit harms its own person only, for some seconds."""
_MOST_TOKENS: Final = 20_000
_MOST_ORGANIZATIONS: Final = 1_000
"""Windows kept; where one was dropped only Productive's own limit counts."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose request it is."""

    token: str
    """Fingerprint of the Productive token."""
    organization: str
    person: str
    """Uid of the ProductiveUser."""


class Limiter:
    """Decides whether a request may be sent now."""

    def __init__(
        self,
        *,
        token_requests: int = TOKEN_REQUESTS,
        organization_requests: int = ORGANIZATION_REQUESTS,
        replicas: int = 1,
        clock: Clock = system_clock,
    ) -> None:
        """Begin with nothing sent.

        Args:
            token_requests: of one token in 10 seconds.
            organization_requests: what Productive allows one organization in 30 minutes.
            replicas: until `divide` gives their number.
            clock: seconds; any origin will do.
        """
        self._token_requests = token_requests
        self._organization_requests = max(1, int(organization_requests * _USED_PART))
        self._clock = clock
        self._replicas = ReplicaCount(replicas, ORGANIZATION_SECONDS)
        self._tokens = _Recent(lambda: Window(TOKEN_SECONDS), _MOST_TOKENS)
        self._organizations = _Recent(
            lambda: SharedWindow(ORGANIZATION_SECONDS), _MOST_ORGANIZATIONS
        )
        BUDGET_REPLICAS.set_function(lambda: self._replicas.count)
        BUDGET_REQUESTS.set_function(lambda: self._organization_share(self._clock()))
        BUDGET_REQUESTS_USED.set_function(self._most_used)
        for limit in Limit:
            BUDGET_REFUSED.labels(limit=limit.value)

    def divide(self, replicas: int) -> None:
        """Take up the number of replicas that send requests."""
        self._replicas.set(replicas, self._clock())

    def take(self, sender: Sender) -> None:
        """Count one request.

        Raises:
            RateLimited: it may not be sent now; `retry_after` says when one may, unless others of
                the same token or organization come first.
        """
        now = self._clock()
        token = self._tokens.of(sender.token)
        organization = self._organizations.of(sender.organization)
        share = self._organization_share(now)
        own = token.wait(now, self._token_share())
        common = organization.wait(now, share, sender.person)
        if own or common:
            raise self._refusal(now, own, common, organization, share)
        token.add(now)
        organization.add(now, sender.person)

    def pause(self, sender: Sender, refused: RateLimited) -> None:
        """Take up a refusal of Productive: nobody whom it concerns sends before its end."""
        until = self._clock() + refused.retry_after
        if refused.limit is Limit.TOKEN:
            token = self._tokens.of(sender.token)
            token.paused_until = max(token.paused_until, until)
        else:
            organization = self._organizations.of(sender.organization)
            if until > organization.paused_until:
                organization.paused_until = until
                organization.server_time = refused.limit is Limit.SERVER_TIME

    def requests_left(self, sender: Sender) -> int:
        """Return how many requests this person may send in the present ten seconds."""
        now = self._clock()
        token = self._tokens.of(sender.token)
        own = 0 if now < token.paused_until else self._token_share() - token.used(now)
        organization = self._organizations.of(sender.organization)
        common = organization.allowance(now, self._organization_share(now), sender.person)
        return max(0, min(own, common))

    def _refusal(
        self, now: float, own: float, common: float, organization: SharedWindow, share: int
    ) -> RateLimited:
        if own >= common:
            return RateLimited(own, Limit.TOKEN)
        if now < organization.paused_until and organization.server_time:
            return RateLimited(common, Limit.SERVER_TIME)
        everybody = now < organization.paused_until or organization.free(now, share) <= 0
        return RateLimited(common, Limit.ORGANIZATION if everybody else Limit.SHARE)

    def _token_share(self) -> int:
        return max(1, self._token_requests // min(self._replicas.count, _TOKEN_DIVISOR))

    def _organization_share(self, now: float) -> int:
        return max(1, self._organization_requests // self._replicas.largest(now))

    def _most_used(self) -> int:
        now = self._clock()
        return max((window.used(now) for window in self._organizations.all()), default=0)


W = TypeVar("W")


class _Recent(Generic[W]):
    """Windows by name; those that were not asked for longest are dropped when there are many."""

    def __init__(self, new: Callable[[], W], most: int) -> None:
        self._new = new
        self._most = most
        self._found: OrderedDict[str, W] = OrderedDict()

    def of(self, name: str) -> W:
        window = self._found.get(name)
        if window is None:
            window = self._found[name] = self._new()
            if len(self._found) > self._most:
                self._found.popitem(last=False)
        else:
            self._found.move_to_end(name)
        return window

    def all(self) -> list[W]:
        return list(self._found.values())
