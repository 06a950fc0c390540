"""One running simulator: state, tokens, limits, clock, features, faults and the log."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from productive_dev.simulator.access import Caller
from productive_dev.simulator.clock import SimulatorClock
from productive_dev.simulator.config import SimulatorConfig
from productive_dev.simulator.declare.resource import Resource
from productive_dev.simulator.errors import no_organization, no_person, unauthenticated
from productive_dev.simulator.faults import Faults
from productive_dev.simulator.limits import Limiter
from productive_dev.simulator.records import State
from productive_dev.simulator.request_log import Logged
from productive_dev.simulator.resources import RESOURCES
from productive_dev.simulator.seed.start import seeded
from productive_dev.simulator.seed.tokens import tokens
from productive_dev.simulator.tokens import Token, Tokens


@dataclass(slots=True)
class World:
    """Everything that changes while the simulator runs."""

    config: SimulatorConfig
    clock: SimulatorClock = field(init=False)
    state: State = field(init=False)
    tokens: Tokens = field(init=False)
    limiter: Limiter = field(init=False)
    faults: Faults = field(init=False)
    log: deque[Logged] = field(init=False)
    features: frozenset[str] = field(init=False)
    """Features that are switched on, such as `boards`."""

    def __post_init__(self) -> None:
        self.clock = SimulatorClock(self.config.clock)
        self.reset()

    @property
    def resources(self) -> Mapping[str, Resource]:
        """Return the declarations of all collections."""
        return RESOURCES

    def reset(self) -> None:
        """Begin again from the seed, at the clock's present."""
        self.state = seeded(self.clock.now())
        self.tokens = Tokens(tokens())
        self.faults = Faults()
        self.log = deque(maxlen=self.config.log_size)
        self.features = frozenset()
        self.limit(self.config.requests_per_token, self.config.requests_per_organization)

    def limit(self, per_token: int, per_organization: int) -> None:
        """Set the rate limits, and forget what was counted."""
        self.limiter = Limiter(per_token=per_token, per_organization=per_organization)

    def count(self, token: Token, organization: str | None, *, report: bool) -> None:
        """Count a request.

        Raises:
            Problem: 429.
        """
        self.limiter.count(
            self.clock.now(),
            token=token.value,
            organization=organization or next(iter(token.people)),
            limit=token.limit,
            report=report,
        )

    def authenticated(self, value: str | None) -> Token:
        """Return the token of a request.

        Raises:
            Problem: 401 when it is missing, unknown or revoked, or its person deactivated.
        """
        token = self.tokens.find(value or "")
        if token is None or not any(self._active(number) for number in token.people.values()):
            raise unauthenticated()
        return token

    def caller(self, token: Token, organization: str | None) -> Caller:
        """Return who a token is in an organization.

        Raises:
            Problem: 403 `no_organization_id` or `no_person`.
        """
        if organization is None or self.state.get("organizations", organization) is None:
            raise no_organization()
        person = self.state.get("people", token.people.get(organization, ""))
        if person is None:
            raise no_person()
        return Caller(token, organization, person)

    def settings(self, organization: str) -> Mapping[str, Any]:
        """Return what `meta` of every answer carries: 15 KB in one organization (recorded)."""
        record = self.state.get("organizations", organization)
        found: Mapping[str, Any] = record.facts.get("settings", {}) if record else {}
        return found

    def revoke(self, value: str) -> None:
        """Revoke a token, if it exists."""
        token = self.tokens.find(value)
        if token is not None:
            self.tokens.put(replace(token, revoked=True))

    def label(self, value: str) -> str | None:
        """Return what logs call a token."""
        token = self.tokens.known(value)
        return token.label if token else None

    def _active(self, number: str) -> bool:
        person = self.state.get("people", number)
        return person is not None and person.attributes["deactivated_at"] is None
