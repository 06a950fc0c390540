"""One running simulator: state, tokens, limits, clock, faults and the log."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from productive_dev.simulator.access import Caller
from productive_dev.simulator.clock import SimulatorClock
from productive_dev.simulator.config import SimulatorConfig
from productive_dev.simulator.errors import no_organization, no_person, unauthenticated
from productive_dev.simulator.faults import Faults
from productive_dev.simulator.limits import Limiter
from productive_dev.simulator.records import State
from productive_dev.simulator.seed.people import tokens
from productive_dev.simulator.seed.start import seeded
from productive_dev.simulator.tokens import Token, Tokens


@dataclass(frozen=True, slots=True)
class Logged:
    """One request that was answered; the token stands in it by its label only."""

    method: str
    path: str
    query: str
    status: int
    token: str | None
    organization: str | None
    body: Any = None

    def plain(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


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

    def __post_init__(self) -> None:
        self.clock = SimulatorClock(self.config.clock)
        self.reset()

    def reset(self) -> None:
        """Begin again from the seed, at the clock's present."""
        self.state = seeded(self.clock.now())
        self.tokens = Tokens(tokens())
        self.faults = Faults()
        self.log = deque(maxlen=self.config.log_size)
        self.limiter = Limiter(
            per_token=self.config.requests_per_token,
            per_organization=self.config.requests_per_organization,
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

    def _active(self, number: str) -> bool:
        person = self.state.get("people", number)
        return person is not None and person.attributes["deactivated_at"] is None
