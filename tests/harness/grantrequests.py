"""What gateways ask the API server about grants, and what comes of it.

The predicates are for the recording proxies in front of a deployment's gateways.
"""

from __future__ import annotations

import httpx

from harness.deployment import Deployment
from harness.faults import Seen
from harness.kube import secret_data, secrets_path
from harness.proxy import RecordingProxy
from harness.signin import Registered, Visitor
from productive_contract.names import GRANT_TYPE, LABEL_USER, SUBJECT_TYPE


def proxies(site: Deployment) -> list[RecordingProxy]:
    return [site.proxies[f"gateway-{number}"] for number in range(site.plan.replicas)]


def creates_a_grant(seen: Seen) -> bool:
    return seen.method == "POST" and GRANT_TYPE.encode() in seen.body


def creates_a_binding(seen: Seen) -> bool:
    return seen.method == "POST" and SUBJECT_TYPE.encode() in seen.body


def changes_a_grant(seen: Seen) -> bool:
    return seen.method == "PUT" and (seen.name or "").startswith("g-")


def reads_a_grant(seen: Seen) -> bool:
    return seen.method == "GET" and (seen.name or "").startswith("g-")


def of_one_object(seen: Seen) -> bool:
    """Report whether it is no list and no watch of the grants."""
    return seen.method != "GET" or (seen.name or "").startswith(("g-", "subject-"))


def stored(site: Deployment, email: str) -> list[dict[str, str]]:
    """Return the fields of each grant that the person has."""
    found = site.cluster.kube.items(
        secrets_path(site.cluster.names.grants),
        labelSelector=f"{LABEL_USER}={email.partition('@')[0]}",
        fieldSelector=f"type={GRANT_TYPE}",
    )
    wanted = ("state", "generation")
    return [{name: secret_data(item)[name].decode() for name in wanted} for item in found]


def opens_everywhere(visitor: Visitor, access_token: str) -> None:
    """Assert that an access token works at each replica."""
    ingress = visitor.deployment.ingress
    for number in range(visitor.deployment.plan.replicas):
        ingress.pin(number)
        assert visitor.call(access_token).status_code == httpx.codes.OK
    ingress.pin(None)


def works_everywhere(visitor: Visitor, client: Registered, tokens: dict[str, str]) -> None:
    """Assert that tokens work at each replica, and that the refresh token is the stored one."""
    opens_everywhere(visitor, tokens["access_token"])
    assert visitor.refresh(client, tokens["refresh_token"]).status_code == httpx.codes.OK
