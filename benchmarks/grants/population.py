"""Many grants, made by the product's own code: people sign in and redeem their codes."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass, field

from benchmarks.operator.crowd import crowd_of, each, email

from harness.deployment import Deployment
from harness.gatewayclient import gateway_client
from harness.grantkit import nobody_asks
from harness.kube import secret_data, secrets_path
from harness.processes import eventually
from harness.signin import REDIRECT_URI, Visitor, challenge_of
from productive_contract.clock import system_clock
from productive_contract.mapping import Mapping, Person, State
from productive_contract.names import KEY_RING_KEY
from productive_contract.secret import Secret
from productive_gateway.grants.config import GrantConfig
from productive_gateway.grants.grant import SignIn
from productive_gateway.grants.index import GrantIndex
from productive_gateway.grants.service import Grants, Tokens
from productive_gateway.grants.store import GrantStore
from productive_gateway.grants.store_kubernetes import KubernetesGrantStore
from productive_gateway.people.snapshot import Snapshot
from productive_gateway.sealing.keys import FixedKeys, KeyRing, parse_ring

GRANTS_EACH = 10
"""Of one person, at least; a person may have 50."""
MOST_PEOPLE = 2000
SCOPES = frozenset({"productive:read", "productive:write"})


def people_for(grants: int) -> int:
    """Return how many people have so many grants."""
    return max(1, min(MOST_PEOPLE, grants // GRANTS_EACH))


@dataclass(slots=True)
class Held:
    """A client's tokens."""

    email: str
    tokens: Tokens


@dataclass(slots=True)
class Population:
    """People and their grants."""

    people: list[Person]
    client_id: str
    ring: KeyRing
    held: list[Held] = field(default_factory=list)
    seconds: float = 0.0
    """That all sign-ins took."""


@dataclass(frozen=True, slots=True)
class _Everybody:
    """People that do not change."""

    all: Snapshot

    def snapshot(self) -> Snapshot:
        return self.all


async def people_of(deployment: Deployment, count: int) -> list[Person]:
    """Create people and wait until the operator has published all of them."""
    async with crowd_of(deployment.cluster) as crowd:
        await crowd.make(range(count))

    def published() -> bool:
        return len(deployment.people.published()["users"]) >= count

    await asyncio.to_thread(eventually, published, seconds=300, what="everybody is published")
    users = deployment.people.published()["users"]
    return [
        Person(
            email=email(number),
            uid=users[email(number)]["uid"],
            user=users[email(number)]["user"],
            user_id=users[email(number)]["userId"],
            state=State.ACTIVE,
            api_token=Secret("none"),
        )
        for number in range(count)
    ]


async def populate(deployment: Deployment, people: int) -> Population:
    """Create people and register a client for them; nobody has signed in yet."""
    client_id = registered(deployment)
    return Population(await people_of(deployment, people), client_id, ring_of(deployment))


def registered(deployment: Deployment) -> str:
    """Register a client and return its id."""
    with Visitor(deployment) as visitor:
        return visitor.register().id


def ring_of(deployment: Deployment) -> KeyRing:
    """Return the installation's key ring."""
    names = deployment.cluster.names
    found = deployment.cluster.kube.get(secrets_path(names.release, names.key_ring))
    return parse_ring(secret_data(found)[KEY_RING_KEY])


async def sign_in_all(deployment: Deployment, population: Population, grants: int) -> None:
    """Let the people sign in, in turn, until there are so many grants."""
    begun = time.monotonic()
    async with gateway_client(deployment.cluster.kubeconfig("gateway")) as client:
        store = KubernetesGrantStore(client, deployment.cluster.names.grants)
        service, _ = parts_over(store, deployment, population)
        verifier = secrets.token_urlsafe(48)

        async def one(number: int) -> None:
            person = population.people[number % len(population.people)]
            sign_in = _sign_in(deployment, population.client_id, person, verifier)
            tokens = await service.redeem(
                await service.begin(sign_in),
                client_id=population.client_id,
                redirect_uri=REDIRECT_URI,
                verifier=verifier,
            )
            population.held.append(Held(person.email, tokens))

        await each(range(grants), one)
    population.seconds = time.monotonic() - begun


def parts_over(
    store: GrantStore, deployment: Deployment, population: Population
) -> tuple[Grants, GrantIndex]:
    """Return what a replica has of grants, in this process; the index is empty until it runs."""
    keys = FixedKeys(population.ring)
    config = GrantConfig(deployment.mcp_url)
    index = GrantIndex(store, keys, config)
    people = _Everybody(
        Snapshot.of(Mapping(1, {person.email: person for person in population.people}))
    )
    return Grants(store, index, people, keys, config, ask=nobody_asks), index


def _sign_in(deployment: Deployment, client_id: str, person: Person, verifier: str) -> SignIn:
    return SignIn(
        transaction=secrets.token_bytes(16),
        person=person,
        subject_issuer=deployment.issuer,
        subject=f"subject-of-{person.email}",
        client_id=client_id,
        client_name="Assistant",
        client_host="assistant.example",
        redirect_uri=REDIRECT_URI,
        resource=deployment.mcp_url,
        scopes=SCOPES,
        challenge=challenge_of(verifier),
        auth_time=system_clock(),
    )
