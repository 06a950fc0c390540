"""What the doctor says about what it has read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from harness.kube import secret
from harness.operatorkit import token_secret, user_body
from productive_contract.mapping import Mapping as People
from productive_contract.mapping import encode
from productive_contract.names import MAPPING_TYPE
from productive_operator.conditions import Condition, Status
from productive_operator.doctor import clock, crd, people, provider, public_url, replicas, storage
from productive_operator.doctor.fetching import Answer
from productive_operator.doctor.installation import Installation, Provider
from productive_operator.doctor.replicas import Replica
from productive_operator.doctor.result import Outcome, Result
from productive_operator.users import decode_user
from productive_operator.view import ListedUser, StoredMapping

NOW = 1_795_000_000.0
DAY = 86400.0
HERE = Installation(
    namespace="acme",
    users_namespace="acme-users",
    mapping=("acme", "acme-mapping"),
    release="acme",
    grants_namespace="acme-grants",
    key_ring=("acme", "acme-keys"),
)
BASE = "https://mcp.example.com"
ISSUER = "https://idp.example.com"


def verdict(result: Result) -> tuple[Outcome, str]:
    """Return outcome and words; whatever is not good has a remedy."""
    assert bool(result.remedy) == (result.outcome in (Outcome.WARNING, Outcome.WRONG))
    return result.outcome, result.words


def answer(document: Any = None, *, status: int = 200, **headers: str) -> Answer:
    body = b"" if document is None else json.dumps(document).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, body, NOW)


# ProductiveUsers


def definition(**changes: Any) -> dict[str, Any]:
    names = ("email", "userId", "apiTokenSecretRef", "organizationId")
    fields: dict[str, Any] = {one: {} for one in (*names, "access", "suspend", "revokedBefore")}
    version = {
        "name": "v1alpha1",
        "served": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {"properties": {"spec": {"properties": fields}}}},
    } | changes
    established = [{"type": "Established", "status": "True"}]
    return {"spec": {"versions": [version]}, "status": {"conditions": established}}


def test_crd_that_fits_is_good() -> None:
    assert verdict(crd.judge_crd(definition()))[0] is Outcome.OK


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "does not know them"),
        (definition(name="v1beta9"), "does not serve v1alpha1"),
        (definition(served=False), "does not serve v1alpha1"),
        (definition(subresources={}), "no status (subresource)"),
        (
            definition(schema={"openAPIV3Schema": {"properties": {}}}),
            "older than this program: no email, userId",
        ),
        ({**definition(), "status": {}}, "not established"),
    ],
)
def test_crd_that_does_not_fit_is_wrong(found: dict[str, Any] | None, words: str) -> None:
    outcome, said = verdict(crd.judge_crd(found))
    assert outcome is Outcome.WRONG
    assert words in said


# The mapping, people and their token Secrets


def stored(data: Mapping[str, bytes], **changes: Any) -> StoredMapping:
    return replace(StoredMapping("uid", "1", MAPPING_TYPE, data), **changes)


def document(namespace: str | None = "acme-users") -> dict[str, bytes]:
    return encode(People(int((NOW - 7200) * 1000), {}, namespace))


def test_published_mapping_is_good_and_its_age_is_said() -> None:
    outcome, words = verdict(people.judge_mapping(stored(document()), HERE, NOW))
    assert (outcome, words) == (Outcome.OK, "acme/acme-mapping has nobody; last changed 2 h ago")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "there is no Secret"),
        (stored({}), "has published nothing yet"),
        (stored({"users.json": b"canary"}), "cannot be read: it is not JSON"),
        (stored(document(), type="Opaque"), "has the type Opaque"),
        (stored(document(), immutable=True), "is immutable"),
        (stored(document("elsewhere")), "made from the namespace elsewhere"),
    ],
)
def test_mapping_that_cannot_be_used_is_wrong(found: StoredMapping | None, words: str) -> None:
    outcome, said = verdict(people.judge_mapping(found, HERE, NOW))
    assert outcome is Outcome.WRONG
    assert words in said
    assert "canary" not in said


def listed(name: str, reason: str | None = "Synced", message: str = "Fine.") -> ListedUser:
    ready = Condition(reason in ("Synced", "Suspended"), reason or "", message, "")
    return ListedUser(decode_user(user_body(name)), Status(1, ready) if reason else None)


def test_people_who_are_not_ready_are_counted_and_the_first_named() -> None:
    users = [listed("ana"), listed("bo", "Suspended"), listed("cy", None)]
    users += [listed(f"x{n}", "TokenEmpty", "Put a token in.") for n in range(4)]
    result = people.judge_people(users, {})
    assert verdict(result) == (
        Outcome.WARNING,
        "5 of 7 are not ready (4 TokenEmpty, 1 no status)",
    )
    assert "x1: Put a token in." in result.remedy
    assert "And 2 more." in result.remedy


def test_token_secret_of_another_type_is_not_reported_twice() -> None:
    users = [listed("ana", "TokenSecretNotFound")]
    others = {"ana-productive": "Opaque", "unrelated": "Opaque"}
    assert verdict(people.judge_people(users, others))[0] is Outcome.OK
    outcome, words = verdict(people.judge_tokens(users, others))
    assert outcome is Outcome.WRONG
    assert "ana-productive (type Opaque)" in words
    assert verdict(people.judge_tokens(users, {}))[0] is Outcome.OK
    assert token_secret().name == "ana-productive"


# The quota and the key ring


def quota(hard: str, used: str, name: str = "count/secrets") -> dict[str, Any]:
    return {"status": {"hard": {name: hard}, "used": {name: used}}}


@pytest.mark.parametrize(
    ("quotas", "outcome"),
    [
        ([], Outcome.OK),
        ([quota("10", "7")], Outcome.OK),
        ([quota("10", "8")], Outcome.WARNING),
        ([quota("10", "7"), quota("100", "90", "secrets")], Outcome.WARNING),
        ([quota("1k", "1000")], Outcome.WRONG),
        ([quota("0", "0")], Outcome.WRONG),
        ([{"status": {"hard": {"pods": "1"}, "used": {"pods": "1"}}}], Outcome.OK),
        ([{}], Outcome.OK),
    ],
)
@pytest.mark.attack("R-10")
def test_quota_warns_at_four_fifths(quotas: list[dict[str, Any]], outcome: Outcome) -> None:
    assert verdict(storage.judge_quota("acme-grants", quotas))[0] is outcome


def key(kid: str, age: float, secret_text: str = "A" * 43) -> dict[str, str]:
    made = f"2026-11-{18 - age:02.0f}T08:26:40Z"
    return {"kid": kid, "created": made, "secret": secret_text}


def ring(**changes: Any) -> dict[str, Any]:
    text = {"version": 1, "current": "a", "epoch": 0, "keys": [key("a", 3), key("b", 1)]} | changes
    return secret("acme-keys", {"keys.json": json.dumps(text).encode()})


def test_key_ring_says_age_and_waiting_keys() -> None:
    now = storage.summary(ring()).created["a"] + 3 * DAY
    assert verdict(storage.judge_ring(ring(), HERE, now)) == (
        Outcome.OK,
        "acme/acme-keys: keys: 2; the current one is 3 days old; waiting: b",
    )
    assert verdict(storage.judge_ring(ring(), HERE, now + 400 * DAY))[0] is Outcome.WARNING


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "there is no Secret acme/acme-keys"),
        (secret("acme-keys", {}), "it has no keys.json"),
        (secret("acme-keys", {"keys.json": b"canary"}), "not a key ring document"),
        (secret("acme-keys", {"keys.json": b'["canary"]'}), "not a key ring document"),
        (ring(version=2), "version is not 1"),
        (ring(current="canary"), "the current key is not among its keys"),
        (ring(keys=[key("a", 3, "canary")]), "not a key ring document"),
        (ring(keys=[{"kid": "a"}]), "not a key ring document"),
    ],
)
def test_key_ring_that_cannot_be_used_is_wrong(found: dict[str, Any] | None, words: str) -> None:
    outcome, said = verdict(storage.judge_ring(found, HERE, NOW))
    assert outcome is Outcome.WRONG
    assert words in said
    assert "canary" not in said
    assert storage.current_key(found) is None


def test_a_key_ring_that_is_not_there_need_not_be_deleted() -> None:
    assert "delete" not in storage.judge_ring(None, HERE, NOW).remedy
    assert "delete" in storage.judge_ring(secret("acme-keys", {}), HERE, NOW).remedy


# Replicas


def gateway(name: str = "gateway-0", **changes: Any) -> Replica:
    metrics = (
        "productive_mcp_mapping_revision 1.7e+12\n"
        'productive_mcp_key_loaded{current="false",kid="old"} 1.0\n'
        'productive_mcp_key_loaded{current="true",kid="new"} 1.0\n'
    )
    found = Replica("gateway", "acme", name, {"watch_grants": "ok"}, True, metrics)
    return replace(found, **changes)


SILENT = Replica("gateway", "acme", "gateway-9")
OPERATOR = Replica(
    "operator",
    "acme",
    "operator-0",
    {"mapping": "ok"},
    True,
    f"productive_operator_last_success_timestamp_seconds {NOW - 1000}\n",
)


@pytest.mark.parametrize(
    ("found", "outcome", "words"),
    [
        ([gateway(), SILENT], Outcome.OK, "1 ready, all watches fresh; 1 could not be asked"),
        ([], Outcome.WRONG, "none is running"),
        ([SILENT], Outcome.NOT_CHECKED, "pods/proxy"),
        ([gateway(checks={"watch_grants": "stale"})], Outcome.WARNING, "watch_grants is stale"),
        (
            [gateway(checks={"mapping": "no_mapping"}, ready=False)],
            Outcome.WRONG,
            "not ready: gateway-0 (gateway-0: mapping is no_mapping)",
        ),
    ],
)
def test_replicas(found: list[Replica], outcome: Outcome, words: str) -> None:
    result = replicas.judge_replicas("gateway", found, NOW)
    assert result.outcome is outcome
    assert words in result.words


def test_operator_without_a_recent_pass_is_wrong() -> None:
    outcome, words = verdict(replicas.judge_replicas("operator", [OPERATOR], NOW))
    assert (outcome, words) == (
        Outcome.WRONG,
        "operator-0: no pass has succeeded for 17 minutes",
    )
    assert replicas.judge_replicas("operator", [OPERATOR], NOW - 200).outcome is Outcome.OK


def test_propagation_has_fifteen_seconds() -> None:
    revision = int(1.7e12)
    found = [gateway(), gateway("gateway-1", metrics="productive_mcp_mapping_revision 1.0\n")]
    published = revision / 1000
    early = replicas.judge_propagation(revision, found, published + 14)
    late = replicas.judge_propagation(revision, found, published + 16)
    assert early.outcome is Outcome.OK
    outcome, words = verdict(late)
    assert outcome is Outcome.WRONG
    assert words.endswith("is not in use at gateway-1")
    assert replicas.judge_propagation(revision, found[:1], NOW).outcome is Outcome.OK
    assert replicas.judge_propagation(None, found, NOW).outcome is Outcome.NOT_CHECKED
    assert replicas.judge_propagation(revision, [SILENT], NOW).outcome is Outcome.NOT_CHECKED


def test_every_replica_has_to_use_the_current_key() -> None:
    assert verdict(replicas.judge_keys_in_use("new", [gateway()]))[0] is Outcome.OK
    assert verdict(replicas.judge_keys_in_use("newer", [gateway()]))[0] is Outcome.WRONG
    assert replicas.judge_keys_in_use(None, [gateway()]).outcome is Outcome.NOT_CHECKED
    assert replicas.judge_keys_in_use("new", [SILENT]).outcome is Outcome.NOT_CHECKED


# The provider


def metadata(**changes: Any) -> dict[str, Any]:
    return {
        "issuer": ISSUER,
        "authorization_endpoint": f"{ISSUER}/authorize",
        "token_endpoint": f"{ISSUER}/token",
        "jwks_uri": f"{ISSUER}/keys",
    } | changes


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (answer(metadata(issuer=f"{ISSUER}/")), "names the issuer"),
        (answer(status=404), "answers 404 without metadata"),
        (answer(["no object"]), "answers 200 without metadata"),
        (answer(metadata(token_endpoint="http://idp.example.com/token")), "token_endpoint"),
        (answer(metadata(jwks_uri=None)), "jwks_uri"),
    ],
)
def test_discovery_that_breaks_a_rule_is_wrong(found: Answer, words: str) -> None:
    outcome, said = verdict(provider.judge_discovery(ISSUER, f"{ISSUER}/x", found))
    assert outcome is Outcome.WRONG
    assert words in said


def test_discovery_that_fits_is_good() -> None:
    result = provider.judge_discovery(ISSUER, f"{ISSUER}/x", answer(metadata()))
    assert verdict(result)[0] is Outcome.OK


def test_endpoints_have_to_be_https() -> None:
    good = Provider(None, f"{ISSUER}/keys", (f"{ISSUER}/keys",))
    assert verdict(provider.judge_endpoints(good))[0] is Outcome.OK
    weak = Provider(None, f"{ISSUER}/keys", ("http://idp.example.com/keys", ""))
    assert verdict(provider.judge_endpoints(weak))[0] is Outcome.WRONG


@pytest.mark.parametrize(
    ("keys", "outcome"),
    [
        ([{"kty": "RSA", "n": "n" * 342}], Outcome.OK),
        ([{"kty": "RSA", "n": "n" * 342, "use": "sig", "alg": "RS256"}], Outcome.OK),
        ([{"kty": "RSA", "n": "n" * 342, "alg": "PS256"}], Outcome.WRONG),
        ([{"kty": "RSA", "n": "n" * 342, "use": "enc"}], Outcome.WRONG),
        ([{"kty": "RSA", "n": "n" * 171}], Outcome.WRONG),
        ([{"kty": "EC"}], Outcome.WRONG),
        ([7], Outcome.WRONG),
        ("none", Outcome.WRONG),
    ],
)
def test_key_set_needs_a_key_for_rs256(keys: Any, outcome: Outcome) -> None:
    found = provider.judge_keys(f"{ISSUER}/keys", answer({"keys": keys}))
    assert verdict(found)[0] is outcome


# The public URL


def test_public_url_that_clients_can_use_is_good() -> None:
    resource = {"resource": f"{BASE}/mcp", "authorization_servers": [BASE]}
    where = f'Bearer resource_metadata="{BASE}/.well-known/oauth-protected-resource/mcp"'
    for result in (
        public_url.judge_server(BASE, answer({"issuer": BASE})),
        public_url.judge_resource(BASE, answer(resource)),
        public_url.judge_challenge(BASE, answer(status=401, www_authenticate=where)),
    ):
        assert verdict(result)[0] is Outcome.OK


def test_public_url_that_clients_cannot_use_is_wrong() -> None:
    elsewhere = 'Bearer resource_metadata="https://other.example.com/x"'
    for result in (
        public_url.judge_server(BASE, answer({"issuer": f"{BASE}/"})),
        public_url.judge_server(BASE, answer(status=302)),
        public_url.judge_resource(BASE, answer({"resource": f"{BASE}/mcp"})),
        public_url.judge_resource(BASE, answer(status=404)),
        public_url.judge_challenge(BASE, answer(status=403)),
        public_url.judge_challenge(BASE, answer(status=401)),
        public_url.judge_challenge(BASE, answer(status=401, www_authenticate=elsewhere)),
    ):
        assert verdict(result)[0] is Outcome.WRONG


@pytest.mark.parametrize(
    ("hosts", "outcome"),
    [
        ([], Outcome.OK),
        (["mcp.example.com"], Outcome.OK),
        (["*.example.com"], Outcome.OK),
        (["old.example.com"], Outcome.WRONG),
        (["*.mcp.example.com"], Outcome.WRONG),
    ],
)
def test_release_has_to_route_the_host(hosts: list[str], outcome: Outcome) -> None:
    assert verdict(public_url.judge_route(BASE, hosts))[0] is outcome


# Clocks


@pytest.mark.parametrize(
    ("ahead", "outcome"),
    [
        (30.0, Outcome.OK),
        (-31.0, Outcome.WARNING),
        (60.0, Outcome.WARNING),
        (61.0, Outcome.WRONG),
        (-3600.0, Outcome.WRONG),
    ],
)
def test_clocks_may_differ_a_little(ahead: float, outcome: Outcome) -> None:
    ours, theirs = clock.judge_clocks(ahead, ahead)
    assert verdict(ours)[0] is outcome
    # Both are ahead of us, so it is we who are behind.
    assert verdict(theirs)[0] is Outcome.OK
    _, theirs = clock.judge_clocks(0.0, ahead)
    assert verdict(theirs)[0] is outcome
    assert [one.outcome for one in clock.judge_clocks(None, 1.0)] == [Outcome.NOT_CHECKED] * 2


def test_date_of_an_answer_says_how_far_its_clock_is_ahead() -> None:
    found = answer(date="Tue, 18 Nov 2026 11:06:40 GMT")
    assert found.ahead is not None
    assert abs(found.ahead - 0.5) % 60 < 1
    assert answer(date="soon").ahead is None
    assert answer().ahead is None
