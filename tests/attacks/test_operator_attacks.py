"""Attacks through ProductiveUsers and Secrets, against the operator on a real API server."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from harness.cluster import Cluster
from harness.kube import secret, secrets_path
from harness.operatorsite import OperatorSite
from harness.processes import eventually
from productive_contract.mapping import State
from productive_contract.names import KEY_RING_TYPE, MAPPING_TYPE, TOKEN_TYPE
from productive_kube.client import KubeClient
from productive_operator.cluster import TABLE


@pytest.fixture
def site(cluster: Cluster) -> Iterator[OperatorSite]:
    mine = OperatorSite(cluster)
    yield mine
    mine.close()


@pytest.mark.attack("M-07")
@pytest.mark.parametrize("state", ["healthy", "suspended", "broken"])
def test_nobody_takes_an_address_over_by_asking_for_it_later(
    site: OperatorSite, state: str
) -> None:
    """Nor is the older person knocked out by it."""
    token = None if state == "broken" else "own"
    site.add("victim", token=token, suspend=state == "suspended")
    reason = {"healthy": "Synced", "suspended": "Suspended", "broken": "TokenSecretNotFound"}[state]
    site.start().until_ready()
    before = site.until_reason("victim", reason)
    published = site.mapping()
    site.let_age("victim")
    site.add("thief", email="victim@example.com", token="stolen", userId=6666)
    conflict = site.until_reason("thief", "EmailConflict")
    assert f"belongs to the older ProductiveUser {site.names.users}/victim" in conflict["message"]
    assert site.ready("victim") == before
    assert site.mapping() == published
    path = f"/api/v1/namespaces/{site.names.users}/events"

    def told() -> list[str]:
        events = [e for e in site.kube.items(path) if e["reason"] == "EmailConflict"]
        return [event["involvedObject"]["name"] for event in events]

    # The event follows the condition.
    eventually(lambda: told() == ["thief"], what="the event")


@pytest.mark.attack("M-07")
def test_another_spelling_is_refused_before_it_can_compete(site: OperatorSite) -> None:
    with pytest.raises(AssertionError, match=r"must be in lower case: write victim@example\.com"):
        site.add("thief", email="Victim@example.com")


@pytest.mark.attack("M-15")
@pytest.mark.parametrize(
    "kind",
    [KEY_RING_TYPE, MAPPING_TYPE, "kubernetes.io/tls", "Opaque", "productive-mcp.dev/grant"],
)
def test_a_productive_user_reads_no_secret_but_a_token(site: OperatorSite, kind: str) -> None:
    """The operator is nobody's deputy: of other Secrets it asks for name and type, no content."""
    data = {"tls.crt": b"stolen", "tls.key": b"stolen", "token": b"stolen", "keys.json": b"stolen"}
    site.kube.create(secrets_path(site.names.users), secret("coveted", data, kind=kind))
    proxy = site.cluster.proxy()
    operator = site.start(proxy)
    operator.until_ready()
    for number, key in enumerate(data):
        site.add(f"thief{number}", token=None, apiTokenSecretRef={"name": "coveted", "key": key})
    for number in range(len(data)):
        condition = site.until_reason(f"thief{number}", "TokenSecretNotFound")
        assert "--type=productive-mcp.dev/token" in condition["message"]
    mapping = site.mapping()
    assert mapping is not None
    assert {person.state for person in mapping.people.values()} == {State.NO_TOKEN}
    everything = operator.program.output() + str(site.kube.items(site.path()))
    assert "stolen" not in everything
    asked = [s for s in proxy.requests if s.resource == "secrets" and site.names.users in s.path]
    assert asked
    contents = [s for s in asked if s.query.get("includeObject") != "None"]
    selectors = {s.query["fieldSelector"] for s in contents}
    by_type = "type=productive-mcp.dev/token"
    assert selectors <= {by_type, f"metadata.name=coveted,{by_type}"}
    tables = {s.query.get("fieldSelector") for s in asked if s not in contents}
    assert tables == {"type!=productive-mcp.dev/token"}


@pytest.mark.attack("M-15")
async def test_a_table_of_secrets_holds_names_and_types_and_no_content(site: OperatorSite) -> None:
    path = secrets_path(site.names.users)
    body = secret("coveted", {"token": b"stolen"})
    body["metadata"]["annotations"] = {"last-applied": "stolen"}
    site.kube.create(path, body)
    kubeconfig = site.cluster.kubeconfig("operator")
    async with await KubeClient.connect(kubeconfig, user_agent="tests") as client:
        query = (("fieldSelector", f"type!={TOKEN_TYPE}"), ("includeObject", "None"))
        table = await client.get(path, query=query, accept=TABLE)
    written = json.dumps(table)
    assert "coveted" in written
    assert "stolen" not in written
    assert base64.b64encode(b"stolen").decode() not in written
    async with site.objects() as cluster:
        assert await cluster.other_types() == {"coveted": "Opaque"}


@pytest.mark.attack("M-15")
def test_a_secret_of_another_namespace_cannot_be_named(site: OperatorSite) -> None:
    reference = {"name": f"../{site.names.release}/secrets/{site.names.key_ring}"}
    with pytest.raises(AssertionError, match="must be the name of a Secret"):
        site.add("thief", token=None, apiTokenSecretRef=reference)
