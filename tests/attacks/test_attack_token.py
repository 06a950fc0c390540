"""Attacks with codes and tokens: used twice, lost and asked for again, carried elsewhere."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from harness.cluster import Cluster
from harness.deployment import Deployment, Plan
from harness.evidence import audited, nothing_stored
from harness.kube import Object, secret, secret_data, secrets_path
from harness.processes import eventually
from harness.signin import Visitor, new_person
from productive_contract.names import GRANT_TYPE, KEY_RING_KEY, LABEL_STATE, LABEL_USER
from productive_gateway.grants.grant import Grant
from productive_gateway.grants.record import Record, RecordKind, decode, encode
from productive_gateway.grants.tokens import digest, read_refresh
from productive_gateway.sealing.keys import KeyRing, parse_ring

REPLICAS = (0, 1)
DEAD_WITHIN = 10.0
"""Seconds; twice what is promised while the watches are healthy."""


@pytest.fixture
def visitor(deployment: Deployment) -> Iterator[Visitor]:
    with Visitor(deployment) as one:
        yield one


@pytest.fixture
def at(deployment: Deployment) -> Iterator[Callable[[int], None]]:
    """Send what follows to one replica, by its number."""
    yield deployment.ingress.pin
    deployment.ingress.pin(None)


@dataclass(frozen=True, slots=True)
class Stored:
    """The one grant of a person, as the namespace holds it."""

    deployment: Deployment
    email: str

    @property
    def ring(self) -> KeyRing:
        names = self.deployment.cluster.names
        found = self.deployment.cluster.kube.get(secrets_path(names.release, names.key_ring))
        return parse_ring(secret_data(found)[KEY_RING_KEY])

    @property
    def state(self) -> str:
        return str(self._object()["metadata"]["labels"][LABEL_STATE])

    def grant(self) -> Grant:
        return decode(self._record(), self.ring)

    def rewrite(self, **fields: Any) -> None:
        """Change fields as somebody could who holds the keys."""
        found, record = self._object(), self._record()
        changed = replace(decode(record, self.ring), **fields)
        data = encode(changed, self.ring, replacing=record).data
        found["data"] = {name: base64.b64encode(value).decode() for name, value in data.items()}
        self.deployment.cluster.kube.replace(self._path(record.name), found)

    def _record(self) -> Record:
        found = self._object()
        metadata = found["metadata"]
        return Record(
            RecordKind.GRANT,
            metadata["name"],
            metadata["labels"],
            secret_data(found),
            metadata["uid"],
            metadata["resourceVersion"],
        )

    def _object(self) -> Object:
        [found] = self.deployment.cluster.kube.items(
            self._path(),
            labelSelector=f"{LABEL_USER}={self.email.partition('@')[0]}",
            fieldSelector=f"type={GRANT_TYPE}",
        )
        return found

    def _path(self, name: str = "") -> str:
        return secrets_path(self.deployment.cluster.names.grants, name)


def refused(answer: httpx.Response) -> bool:
    """Tell whether the token endpoint says that a code or refresh token is no use."""
    return (
        answer.status_code == httpx.codes.BAD_REQUEST
        and answer.json()["error"] == "invalid_grant"
        and answer.headers["cache-control"] == "no-store"
    )


# --- a code is used twice


@pytest.mark.attack("F-01")
@pytest.mark.parametrize("replica", REPLICAS)
def test_a_code_that_is_redeemed_again_ends_what_the_first_one_gave(
    visitor: Visitor, at: Callable[[int], None], replica: int
) -> None:
    deployment, email = visitor.deployment, new_person(visitor.deployment)
    client = visitor.register()
    code = visitor.code(client, email)
    at(0)
    first = visitor.exchange(client, code).json()
    for number in REPLICAS:
        at(number)
        assert visitor.call(first["access_token"]).status_code == httpx.codes.OK
    at(replica)
    with audited(deployment) as trail:
        assert refused(visitor.exchange(client, code))
    deadline = time.monotonic() + DEAD_WITHIN
    assert trail.reasons("code_replay") == trail.reasons("token_refused") == ["code_replay"]
    assert [line["user"].rpartition("/")[2] for line in trail.of("code_replay")] == [
        email.partition("@")[0]
    ]
    assert Stored(deployment, email).state == "gone"

    def dead() -> bool:
        answer = visitor.call(first["access_token"])
        return answer.status_code == httpx.codes.UNAUTHORIZED

    with audited(deployment) as trail:
        for number in REPLICAS:
            at(number)
            left = deadline - time.monotonic()
            eventually(dead, seconds=left, what=f"the access token is dead at {number}")
            assert refused(visitor.refresh(client, first["refresh_token"]))
            assert refused(visitor.exchange(client, code))
    assert set(trail.reasons("token_refused")) == {"grant_gone"}


# --- a refresh whose answer was lost


@pytest.mark.attack("J-02")
def test_a_refresh_whose_answer_was_lost_gives_the_same_successor_again(
    visitor: Visitor, at: Callable[[int], None]
) -> None:
    deployment, email = visitor.deployment, new_person(visitor.deployment)
    client = visitor.register()
    lost = visitor.tokens(client, email)["refresh_token"]
    with audited(deployment) as trail:
        answers = []
        for number in (0, 1, 1, 0):
            at(number)
            answers.append(visitor.refresh(client, lost))
    assert [answer.status_code for answer in answers] == [httpx.codes.OK] * 4
    [successor] = {answer.json()["refresh_token"] for answer in answers}
    assert successor != lost
    stored = Stored(deployment, email)
    grant = stored.grant()
    assert grant.generation == 2
    secret_of_it = read_refresh(stored.ring, successor, deployment.mcp_url).secret
    assert digest(secret_of_it) == grant.refresh_hash
    assert set(trail.events()) == {"token_refreshed"}
    for answer in answers:
        assert visitor.call(answer.json()["access_token"]).status_code == httpx.codes.OK
    assert visitor.refresh(client, successor).status_code == httpx.codes.OK


@pytest.mark.attack("J-02")
def test_a_successor_that_is_not_the_stored_one_is_never_answered(
    visitor: Visitor, at: Callable[[int], None]
) -> None:
    """A client that stored it would be taken for a thief at its next refresh."""
    deployment, email = visitor.deployment, new_person(visitor.deployment)
    client = visitor.register()
    lost = visitor.tokens(client, email)["refresh_token"]
    successor = visitor.refresh(client, lost).json()["refresh_token"]
    stored = Stored(deployment, email)
    true = stored.grant().refresh_hash
    stored.rewrite(refresh_hash=digest(b"another"))
    for number in REPLICAS:
        at(number)
        with audited(deployment) as trail, nothing_stored(deployment):
            answer = visitor.refresh(client, lost)
        assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert answer.json()["error"] == "temporarily_unavailable"
        assert int(answer.headers["retry-after"]) > 0
        assert trail.reasons("token_refused") == ["forked"]
    stored.rewrite(refresh_hash=true)
    again = visitor.refresh(client, lost)
    assert again.status_code == httpx.codes.OK
    assert again.json()["refresh_token"] == successor


# --- what an answer reveals about a client


@pytest.mark.attack("Q-03", "N-01")
def test_unknown_client_and_wrong_secret_get_the_same_error(visitor: Visitor) -> None:
    known = visitor.register(token_endpoint_auth_method="client_secret_basic")
    assert known.secret is not None
    unknown = known.id[:-1] + ("A" if known.id[-1] != "A" else "B")
    answers = [
        visitor.refresh(known, "pmcp_rt_x", auth=auth, client_id=None, client_secret=None)
        for auth in ((known.id, known.secret[::-1]), (known.id, ""), (unknown, known.secret))
    ]
    for answer in answers:
        assert answer.status_code == httpx.codes.UNAUTHORIZED
        assert answer.json()["error"] == "invalid_client"
        assert answer.headers["www-authenticate"] == answers[0].headers["www-authenticate"]
    assert answers[0].content == answers[1].content


# --- a token is carried to another deployment


@pytest.fixture
def sister(
    deployment: Deployment, cluster: Cluster, deploy: Callable[[Plan], Deployment]
) -> Deployment:
    """A gateway at another address that has all else of ours: keys, people, grants.

    So nothing but the address stands between our tokens and it.
    """
    ours, theirs = deployment.cluster.names, cluster.names
    ring = cluster.kube.get(secrets_path(ours.release, ours.key_ring))
    copied = secret(theirs.key_ring, secret_data(ring), kind=ring["type"])
    cluster.kube.create(secrets_path(theirs.release), copied)
    cluster._accounts["gateway"] = deployment.cluster.account("gateway")
    settings = {
        "GRANTS": f"kubernetes://{ours.grants}",
        "MAPPING_SECRET": ours.mapping,
        "KEY_RING_SECRET": ours.key_ring,
    }
    return deploy(Plan(replicas=1, gateway=settings))


def both_know(deployment: Deployment, sister: Deployment) -> bool:
    published = deployment.people.published_revision()
    return [published] == sister.revisions()


@pytest.mark.rule("R2", "R4")
@pytest.mark.attack("H-03")
def test_a_token_of_another_deployment_with_the_same_keys_opens_nothing(
    visitor: Visitor, sister: Deployment
) -> None:
    ours = visitor.deployment
    email, other = new_person(ours), new_person(ours)
    eventually(lambda: both_know(ours, sister), what="the people at the other gateway")
    client = visitor.register()
    tokens = visitor.tokens(client, email)
    access, refresh = tokens["access_token"], tokens["refresh_token"]
    code = visitor.code(client, email)
    with Visitor(sister) as there:
        answer = there.call(access)
        assert answer.status_code == httpx.codes.UNAUTHORIZED
        assert answer.json()["error"] == "invalid_token"
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert f'resource_metadata="{sister.url}/' in answer.headers["www-authenticate"]

        # Nor does a client of theirs get anything for our code and refresh token.
        theirs = there.register()
        with audited(sister) as trail, nothing_stored(ours):
            assert refused(there.refresh(theirs, refresh))
            assert refused(there.exchange(theirs, code, code_verifier=visitor.verifier))
        assert trail.reasons("token_refused") == ["malformed", "malformed"]
        answer = there.refresh(client, refresh)
        assert answer.status_code == httpx.codes.UNAUTHORIZED
        assert answer.json()["error"] == "invalid_client"

        # It is a gateway in order: its own tokens work, and are no use here in turn.
        its_own = there.tokens(theirs, other)
        assert there.call(its_own["access_token"]).status_code == httpx.codes.OK
    for _ in REPLICAS:
        answer = visitor.call(its_own["access_token"])
        assert answer.status_code == httpx.codes.UNAUTHORIZED
        assert answer.json()["error"] == "invalid_token"
        assert visitor.call(access).status_code == httpx.codes.OK
    assert visitor.exchange(client, code).status_code == httpx.codes.OK
    assert visitor.refresh(client, refresh).status_code == httpx.codes.OK
