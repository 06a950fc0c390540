"""The operator as a program, under its real rights, on a real API server."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cluster import Cluster
from harness.faults import Answer, HalfOpen, Seen
from harness.kube import secrets_path
from harness.operatorsite import WRITES, OperatorSite
from harness.processes import eventually
from productive_contract.mapping import State
from productive_contract.names import MAPPING_KEY

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def site(cluster: Cluster) -> Iterator[OperatorSite]:
    mine = OperatorSite(cluster)
    yield mine
    mine.close()


def test_what_kubectl_applies_is_in_the_mapping(site: OperatorSite) -> None:
    site.cluster.make_empty_mapping()
    site.start().until_ready()
    command = [site.cluster.plane.kubectl, "--kubeconfig", site.cluster.kubeconfig()]
    namespaced = [*command, "-n", site.names.users]
    subprocess.run([*namespaced, "apply", "-f", EXAMPLES], check=True, capture_output=True)
    waited = [*namespaced, "wait", "productiveusers", "--all", "--for=condition=Ready"]
    subprocess.run([*waited, "--timeout=20s"], check=True, capture_output=True)
    mapping = site.mapping()
    assert mapping is not None
    assert {p.state for p in mapping.people.values()} == {State.ACTIVE}
    ana = mapping.people["ana.kovac@northlight.example"]
    assert ana.api_token is not None
    assert (ana.user_id, ana.api_token.reveal()) == (9104, "simulator-ana-kovac")
    assert ana.uid == site.kube.get(site.path("ana-kovac"))["metadata"]["uid"]


def test_every_reason_is_reported_and_cleared(site: OperatorSite) -> None:
    site.start().until_ready()
    site.add("ana", token=None)
    missing = site.until_reason("ana", "TokenSecretNotFound")
    assert "kubectl create secret generic ana-productive" in missing["message"]
    site.set_token("ana", other="x")
    site.until_reason("ana", "TokenKeyMissing")
    site.set_token("ana", token="\n")
    site.until_reason("ana", "TokenEmpty")
    site.set_token("ana", token="two words")
    broken = site.until_reason("ana", "Invalid")
    assert broken["status"] == "False"
    assert broken["lastTransitionTime"] == missing["lastTransitionTime"]
    site.set_token("ana", token="good")
    assert site.until_reason("ana", "Synced")["status"] == "True"
    site.let_age("ana")
    site.add("copy", email="ana@example.com")
    conflict = site.until_reason("copy", "EmailConflict")
    assert f"older ProductiveUser {site.names.users}/ana" in conflict["message"]
    assert site.condition("copy", "Stalled") is not None
    site.change("ana", suspend=True)
    assert site.until_reason("ana", "Suspended")["status"] == "True"
    suspended = site.condition("ana", "Suspended")
    assert suspended is not None
    assert suspended["status"] == "True"
    assert site.ready("copy") == conflict
    mapping = site.mapping()
    assert mapping is not None
    assert mapping.people["ana@example.com"].state is State.SUSPENDED
    site.remove("ana")
    assert site.until_reason("copy", "Synced")["status"] == "True"
    assert site.condition("copy", "Stalled") is None
    site.until_people("ana")


def test_waiting_tools_are_content_with_a_suspended_person(site: OperatorSite) -> None:
    site.start().until_ready()
    site.add("ana", suspend=True)
    kubectl = [site.cluster.plane.kubectl, "--kubeconfig", site.cluster.kubeconfig()]
    waited = [*kubectl, "wait", "pu/ana", "-n", site.names.users, "--timeout=20s"]
    for condition in ("Ready", "Suspended"):
        subprocess.run([*waited, f"--for=condition={condition}"], check=True, capture_output=True)
    site.change("ana", suspend=False)
    site.until_reason("ana", "Synced")
    assert site.condition("ana", "Suspended") is None


def test_a_wrong_type_of_secret_counts_as_none(site: OperatorSite) -> None:
    site.start().until_ready()
    site.add("ana", token=None)
    site.set_token("ana", kind="Opaque", token="x")
    eventually(lambda: site.condition("ana", "Stalled") is not None, seconds=40, what="Stalled")
    condition = site.until_reason("ana", "TokenSecretNotFound")
    assert "has type Opaque" in condition["message"]
    assert "a type cannot be changed" in condition["message"]
    site.kube.delete(secrets_path(site.names.users, "ana-productive"))
    site.set_token("ana", token="x")
    site.until_reason("ana", "Synced")
    assert site.condition("ana", "Stalled") is None


def test_transitions_are_posted_as_events(site: OperatorSite) -> None:
    site.start().until_ready()
    created = site.add("ana", token=None)
    site.until_reason("ana", "TokenSecretNotFound")
    site.set_token("ana", token="x")
    site.until_reason("ana", "Synced")
    path = f"/api/v1/namespaces/{site.names.users}/events"
    eventually(lambda: len(site.kube.items(path)) == 2, what="two events")
    told = {event["reason"]: event for event in site.kube.items(path)}
    assert {reason: event["type"] for reason, event in told.items()} == {
        "TokenSecretNotFound": "Warning",
        "Synced": "Normal",
    }
    subject = told["Synced"]["involvedObject"]
    assert (subject["kind"], subject["uid"]) == ("ProductiveUser", created["metadata"]["uid"])


def test_whatever_is_done_to_the_mapping_is_repaired(site: OperatorSite) -> None:
    site.add("ana")
    operator = site.start()
    operator.until_ready()
    site.until_people("ana")
    mapping = site.mapping()
    assert mapping is not None

    site.kube.merge(site.mapping_path, {"data": {"evil": "eA=="}})
    eventually(lambda: _keys(site) == {MAPPING_KEY}, what="the foreign key is gone")
    assert site.mapping() == mapping

    site.kube.delete(site.mapping_path)
    eventually(lambda: site.mapping() is not None, what="the mapping is made again")
    site.until_people("ana")

    forged = {"data": {MAPPING_KEY: "e30=", "users.json.gz": "e30="}}
    site.kube.merge(site.mapping_path, forged)
    eventually(lambda: _keys(site) == {MAPPING_KEY}, what="the forged mapping is gone")
    site.until_people("ana")
    repaired = site.mapping()
    assert repaired is not None
    assert repaired.revision > mapping.revision
    assert operator.metric('productive_operator_mapping_writes_total{cause="drift"}') >= 3


def test_a_changed_status_is_repaired(site: OperatorSite) -> None:
    site.add("ana")
    site.start().until_ready()
    condition = site.until_reason("ana", "Synced")
    forged = condition | {"reason": "Hacked", "message": "send money"}
    others = {"type": "Audited", "status": "True", "reason": "Yes", "message": ""}
    others["lastTransitionTime"] = condition["lastTransitionTime"]
    site.kube.merge(f"{site.path('ana')}/status", {"status": {"conditions": [forged, others]}})
    site.until_reason("ana", "Synced")
    found = site.kube.get(site.path("ana"))["status"]["conditions"]
    assert {c["type"] for c in found} == {"Ready", "Audited"}


def test_a_restart_writes_nothing_and_asks_only_for_what_it_may(site: OperatorSite) -> None:
    for name in ("ana", "bob", "cleo"):
        site.add(name)
    site.add("dan", token=None)
    first = site.start()
    first.until_ready()
    site.until_people("ana", "bob", "cleo", "dan")
    site.until_reason("dan", "TokenSecretNotFound")
    assert first.program.stop() == 0
    proxy = site.cluster.proxy()
    second = site.start(proxy)
    second.until_ready()
    # All three watches are up, so whatever an event could lead to has begun.
    proxy.wait_for(lambda seen: seen.watch and seen.status == 200, count=3)
    eventually(lambda: second.passes() >= 1, what="a pass")
    assert second.program.stop() == 0
    assert [seen for seen in proxy.requests if seen.method in WRITES] == []
    assert [seen for seen in proxy.requests if seen.status in (401, 403)] == []


def test_one_change_is_one_write_of_the_mapping_and_one_of_a_status(site: OperatorSite) -> None:
    for name in ("ana", "bob"):
        site.add(name)
    proxy = site.cluster.proxy()
    operator = site.start(proxy)
    operator.until_ready()
    site.until_reason("bob", "Synced")
    proxy.wait_for(lambda seen: seen.watch and seen.status == 200, count=3)
    begun = len(proxy.requests)
    site.change("ana", suspend=True)
    site.until_reason("ana", "Suspended")
    passes = operator.passes()
    site.change("bob", userId=9105)
    site.until_reason("bob", "Synced")
    eventually(lambda: operator.passes() > passes, what="the pass for bob ends")
    writes = [(s.method, s.resource, s.name) for s in proxy.requests[begun:] if s.method in WRITES]
    mapping = ("PATCH", "secrets", site.names.mapping)
    assert writes == [
        mapping,
        ("PATCH", "productiveusers/status", "ana"),
        ("POST", "events", None),
        mapping,
        ("PATCH", "productiveusers/status", "bob"),
    ]


def test_a_change_costs_no_full_list(site: OperatorSite) -> None:
    for name in ("ana", "bob"):
        site.add(name)
    proxy = site.cluster.proxy()
    site.start(proxy).until_ready()
    site.until_reason("bob", "Synced")
    proxy.wait_for(lambda seen: seen.watch and seen.status == 200, count=3)

    def listed_by(**spec: int | bool) -> set[str | None]:
        """Change Ana; return the names of what was listed for it."""
        begun = len(proxy.requests)
        site.change("ana", **spec)
        generation = site.kube.get(site.path("ana"))["metadata"]["generation"]
        eventually(
            lambda: site.kube.get(site.path("ana"))["status"]["observedGeneration"] == generation,
            what="the pass for Ana",
        )
        seen = [s for s in proxy.requests[begun:] if s.method == "GET" and not s.watch]
        return {s.name for s in seen} - {site.names.mapping}

    # The first change may come before the pass that follows Kopf's lists, and one into a resync.
    found = [listed_by(suspend=True), listed_by(userId=9105), listed_by(suspend=False)]
    assert {"ana", "ana-productive"} in found


@pytest.mark.parametrize("resource", ["productiveusers", "secrets"])
@pytest.mark.parametrize("status", [403, 410, 429, 500])
def test_a_list_that_fails_keeps_the_last_mapping(
    site: OperatorSite, resource: str, status: int
) -> None:
    site.add("ana")
    proxy = site.cluster.proxy()
    first = site.start(proxy)
    first.until_ready()
    site.until_people("ana")
    before = site.kube.get(site.mapping_path)["metadata"]["resourceVersion"]

    def lists(seen: Seen) -> bool:
        return seen.resource == resource and _by_us(seen) and seen.name != site.names.mapping

    rule = proxy.rule(lists, Answer(status), times=None)
    begun = len(proxy.requests)
    site.add("bob")
    proxy.wait_for(lambda seen: lists(seen) and seen.status == status, count=2, since=begun)
    assert site.kube.get(site.mapping_path)["metadata"]["resourceVersion"] == before
    assert first.answers("/livez") == 200
    rule.remove()
    site.until_people("ana", "bob")


@pytest.mark.parametrize("fault", [None, HalfOpen()])
def test_an_outage_of_the_api_server_is_waited_out(
    site: OperatorSite, fault: HalfOpen | None
) -> None:
    site.add("ana")
    proxy = site.cluster.proxy()
    operator = site.start(proxy)
    operator.until_ready()
    site.until_people("ana")
    with proxy.outage(fault):
        site.add("bob")
        site.remove("ana")
        proxy.wait_for(lambda seen: seen.watch and seen.status is None, count=2)
        assert operator.answers("/livez") == 200
        assert operator.answers("/readyz") == 200
    eventually(lambda: site.people() == {"bob@example.com"}, seconds=40, what="the new mapping")
    assert operator.program.running


def test_it_waits_for_an_api_server_that_is_not_there_yet(site: OperatorSite) -> None:
    site.add("ana")
    proxy = site.cluster.proxy()
    with proxy.outage():
        operator = site.start(proxy)
        proxy.wait_for(lambda _: True)
        eventually(lambda: operator.answers("/livez") == 200, what="it lives")
        assert operator.answers("/readyz") == 503
    operator.until_ready()
    site.until_people("ana")


def test_a_token_that_is_refused_for_a_while_is_tried_again_without_haste(
    site: OperatorSite,
) -> None:
    """Kopf begins a new session after each refusal; the watches go on once the token is taken."""
    proxy = site.cluster.proxy()
    rule = proxy.rule(_by_kopf, Answer(401, reason="Unauthorized"), times=None)
    operator = site.start(proxy)
    operator.until_ready()
    proxy.wait_for(_by_kopf)
    begun = time.monotonic()
    proxy.wait_for(_by_kopf, count=8)
    assert time.monotonic() - begun > 1, "it asks in a loop"
    rule.remove()
    proxy.wait_for(lambda seen: _by_kopf(seen) and seen.watch and seen.status == 200, count=2)
    site.add("ana")
    site.until_people("ana")
    assert operator.program.stop() == 0
    assert "Traceback" not in operator.program.output()
    assert "Unclosed" not in operator.program.output()


def test_it_ends_cleanly_while_it_waits_for_the_api_server(site: OperatorSite) -> None:
    proxy = site.cluster.proxy()
    with proxy.outage():
        operator = site.start(proxy)
        proxy.wait_for(lambda _: True)
        assert operator.program.stop() == 0


def test_it_ends_cleanly_and_its_log_is_json_without_tokens(site: OperatorSite) -> None:
    site.add("ana", token="very-secret-token")
    operator = site.start(LOG_LEVEL="DEBUG")
    operator.until_ready()
    site.until_people("ana")
    site.set_token("ana", token="another-secret-token")
    eventually(lambda: operator.passes() >= 2, what="another pass")
    assert operator.program.stop() == 0
    lines = [json.loads(line) for line in operator.program.output().splitlines()]
    assert lines[0]["event"] == "operator.started"
    assert lines[-1]["event"] == "operator.stopped"
    assert "secret-token" not in operator.program.output()
    assert "secret-token" not in json.dumps(site.kube.get(site.path("ana")))


def test_a_mapping_of_another_type_is_reported_and_not_changed(site: OperatorSite) -> None:
    body = {"metadata": {"name": site.names.mapping}, "type": "Opaque", "data": {"x": "eA=="}}
    made = site.kube.create(secrets_path(site.names.release), body)
    operator = site.start()
    eventually(lambda: "delete the Secret" in operator.program.output(), what="the remedy")
    found = site.kube.get(site.mapping_path)["metadata"]
    assert found["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert operator.answers("/readyz") == 503
    site.kube.delete(site.mapping_path)
    operator.until_ready()


def test_an_immutable_mapping_is_reported_with_the_remedy(site: OperatorSite) -> None:
    site.add("ana")
    operator = site.start()
    operator.until_ready()
    site.until_people("ana")
    site.kube.merge(site.mapping_path, {"immutable": True})
    site.add("bob")
    eventually(lambda: "is immutable" in operator.program.output(), what="the remedy")
    assert site.people() == {"ana@example.com"}
    site.kube.delete(site.mapping_path)
    eventually(lambda: len(site.people()) == 2, seconds=40, what="the new mapping")


def test_a_status_that_is_refused_is_that_persons_alone(site: OperatorSite) -> None:
    proxy = site.cluster.proxy()

    def of_ana(seen: Seen) -> bool:
        return seen.resource == "productiveusers/status" and seen.name == "ana"

    refused = proxy.rule(of_ana, Answer(403, reason="Forbidden"), times=None)
    for name in ("ana", "bob", "cleo"):
        site.add(name)
    operator = site.start(proxy)
    operator.until_ready()
    site.until_people("ana", "bob", "cleo")
    for name in ("bob", "cleo"):
        site.until_reason(name, "Synced")
    failing = "productive_operator_statuses_failing"
    eventually(lambda: operator.metric(failing) == 1, what="it is counted")
    assert operator.passes() >= 1
    site.remove("cleo")
    site.until_people("ana", "bob")
    refused.remove()
    eventually(lambda: site.ready("ana") is not None, seconds=60, what="it is tried again")
    eventually(lambda: operator.metric(failing) == 0, what="nothing is left")


def _keys(site: OperatorSite) -> set[str]:
    found = site.kube.find(site.mapping_path) or {}
    return set(found.get("data") or {})


def _by_us(seen: Seen) -> bool:
    """Tell our own lists from Kopf's."""
    return seen.user_agent == "productive-operator"


def _by_kopf(seen: Seen) -> bool:
    return seen.user_agent == "productive-operator/kopf"
