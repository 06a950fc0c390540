"""People with a sign-in each, and the four ways to take one away."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from harness.deployment import Deployment
from harness.kube import secrets_path
from harness.people import API
from harness.processes import pause
from harness.signin import Registered, Visitor, new_person
from productive_contract.names import LABEL_USER
from productive_gateway.grants.record import RecordKind

REVOKING_REPLICA: Final = 0
"""Where clients revoke; faults of "a gateway" apply to the other replica."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One person who signed in with one client."""

    email: str
    client: Registered
    access_token: str
    refresh_token: str

    @property
    def name(self) -> str:
        """The ProductiveUser's name."""
        return self.email.partition("@")[0]


def sign_in(deployment: Deployment, visitor: Visitor, client: Registered) -> Subject:
    """Create a person who may sign in, and sign in."""
    email = new_person(deployment)
    tokens = visitor.tokens(client, email)
    return Subject(email, client, tokens["access_token"], tokens["refresh_token"])


Act = Callable[[Deployment, Subject], float]
"""Takes something away; returns when that was sent, by `time.monotonic`."""


def delete_person(deployment: Deployment, subject: Subject) -> float:
    sent = time.monotonic()
    deployment.people.remove(subject.name)
    return sent


def suspend_person(deployment: Deployment, subject: Subject) -> float:
    path = f"{API}/{deployment.cluster.names.users}/productiveusers/{subject.name}"
    sent = time.monotonic()
    deployment.cluster.kube.merge(path, {"spec": {"suspend": True}})
    return sent


def delete_grant(deployment: Deployment, subject: Subject) -> float:
    """Delete the person's grant as an administrator does."""
    kube = deployment.cluster.kube
    path = secrets_path(deployment.cluster.names.grants)
    query = {
        "labelSelector": f"{LABEL_USER}={subject.name}",
        "fieldSelector": f"type={RecordKind.GRANT.value}",
    }
    (grant,) = kube.items(path, **query)
    sent = time.monotonic()
    kube.delete(f"{path}/{grant['metadata']['name']}")
    return sent


def revoke_grant(deployment: Deployment, subject: Subject) -> float:
    """Revoke the sign-in as its client does, again after a 503 as RFC 7009 2.2.1 has it."""
    form = {"token": subject.refresh_token, "client_id": subject.client.id}
    url = f"http://127.0.0.1:{deployment.ports[REVOKING_REPLICA]}/revoke"
    host = {"Host": deployment.url.removeprefix("http://")}
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        sent = time.monotonic()
        answer = httpx.post(url, data=form, headers=host, timeout=30, trust_env=False)
        if answer.is_success:
            return sent
        assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
        pause(0.2)
    raise AssertionError("nothing could be revoked within a minute")


PERSON: Final[Mapping[str, Act]] = {"deleted": delete_person, "suspended": suspend_person}
GRANT: Final[Mapping[str, Act]] = {"deleted": delete_grant, "revoked": revoke_grant}
