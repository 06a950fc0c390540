"""Attacks on /mcp: without a token, and with the token of somebody whose access has changed."""

from __future__ import annotations

import asyncio
import http.client
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from harness.deployment import Deployment
from harness.evidence import audited, nothing_stored
from harness.kube import secret, secrets_path
from harness.mcpkit import result_of
from harness.processes import eventually
from harness.signin import Registered, Visitor

REPLICAS = (0, 1)
GONE_WITHIN = 10.0
"""Seconds; twice what is promised while the watches are healthy."""
WARM_UP, FLOWS = 1_000, 10_000
MOST_GROWTH = 8 * 1024 * 1024
"""Bytes of memory by which a gateway may grow: less than a kilobyte for each flow."""
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
ANA = 9104
BOTH = {"accept": "application/json, text/event-stream"}


# --- without a token


@pytest.mark.rule("R2", "R3")
@pytest.mark.attack("L-01")
@pytest.mark.parametrize("replica", REPLICAS)
@pytest.mark.parametrize(
    ("method", "sent"),
    [
        ("POST", {"json": LIST, "headers": BOTH}),
        ("POST", {"json": LIST, "headers": {**BOTH, "mcp-protocol-version": "2026-07-28"}}),
        ("POST", {"json": LIST, "headers": {**BOTH, "mcp-session-id": "of-somebody-else"}}),
        ("POST", {"content": b"\xff{", "headers": {"content-type": "text/plain"}}),
        ("POST", {"json": LIST, "params": {"access_token": "in-the-query"}}),
        ("POST", {"data": {"access_token": "in-the-body"}}),
        ("GET", {"headers": {"accept": "text/event-stream"}}),
        ("DELETE", {"headers": {"mcp-session-id": "of-somebody-else"}}),
        ("PUT", {}),
    ],
    ids=["old", "new", "session", "no JSON", "query", "form", "stream", "end", "PUT"],
)
def test_request_without_authorization_is_told_where_to_sign_in(
    deployment: Deployment, replica: int, method: str, sent: dict[str, Any]
) -> None:
    url = f"http://127.0.0.1:{deployment.ports[replica]}/mcp"
    own = {"host": deployment.url.partition("://")[2]}
    headers = own | sent.get("headers", {})
    with audited(deployment) as trail, nothing_stored(deployment):
        answer = httpx.request(method, url, trust_env=False, **{**sent, "headers": headers})
    metadata = f"{deployment.url}/.well-known/oauth-protected-resource/mcp"
    assert answer.status_code == httpx.codes.UNAUTHORIZED
    # No error code: nothing was wrong with a token (RFC 6750 3.1).
    assert answer.headers.get_list("www-authenticate") == [
        f'Bearer resource_metadata="{metadata}", scope="productive:read productive:write"'
    ]
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json()) == {"error_description"}
    assert "mcp-session-id" not in answer.headers
    assert trail.events() == []


@pytest.mark.rule("R1", "R8")
@pytest.mark.attack("L-01")
def test_sign_in_address_can_be_found_from_the_challenge(deployment: Deployment) -> None:
    with Visitor(deployment) as anybody:
        challenge = anybody.call(None).headers["www-authenticate"]
        metadata = challenge.partition('resource_metadata="')[2].partition('"')[0]
        found = anybody.http.get(metadata)
        assert found.status_code == httpx.codes.OK
        assert found.json()["resource"] == deployment.mcp_url
        assert found.json()["authorization_servers"] == [deployment.url]
        assert found.json()["scopes_supported"] == ["productive:read", "productive:write"]
        # Old clients look at the root.
        assert anybody.http.get("/.well-known/oauth-protected-resource").json() == found.json()


TRICKS = (
    "//mcp",
    "/mcp/",
    "/mcp/.",
    "/mcp/..",
    "/MCP",
    "/%2fmcp",
    "/%6dcp",
    "/mcp%2f",
    "/mcp;x",
    "/./mcp",
    "/livez/../mcp",
    "/readyz/../mcp",
    "/healthz/..%2fmcp",
    "/register/../mcp",
    "/.well-known/../mcp",
    "/livez",
    "/readyz",
    "/healthz",
)
PROBES = ("kube-probe/1.37", "GoogleHC/1.0", "ELB-HealthChecker/2.0", "GoogleStackdriverMonitoring")
INTERNAL = (
    "/livez",
    "/readyz",
    "/healthz",
    "/metrics",
    "/metrics/",
    "/debug",
    "/debug/pprof",
    "/docs",
    "/redoc",
    "/openapi.json",
    "/admin",
    "/.env",
    "/static/style.css",
)


def raw_request(
    deployment: Deployment, replica: int, method: str, path: str, agent: str = "test"
) -> tuple[int, bytes]:
    """Send a request whose path no client library tidies; return status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", deployment.ports[replica], timeout=15)
    body = json.dumps(LIST).encode() if method == "POST" else b""
    headers = {
        **BOTH,
        "host": deployment.url.partition("://")[2],
        "user-agent": agent,
        "content-type": "application/json",
        "content-length": str(len(body)),
    }
    with closing(connection):
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.mark.attack("L-14")
@pytest.mark.parametrize("path", TRICKS)
def test_no_path_or_user_agent_gets_around_authentication(
    deployment: Deployment, path: str
) -> None:
    with nothing_stored(deployment):
        for agent in PROBES:
            for method in ("GET", "POST", "HEAD"):
                status, body = raw_request(deployment, 0, method, path, agent)
                assert status in {401, 404, 405}, (method, agent)
                assert b"get_me" not in body


@pytest.mark.attack("L-15")
@pytest.mark.parametrize("path", INTERNAL)
def test_public_port_serves_nothing_internal(deployment: Deployment, path: str) -> None:
    for replica in REPLICAS:
        for method in ("GET", "POST"):
            status, body = raw_request(deployment, replica, method, path)
            assert status == httpx.codes.NOT_FOUND, method
            assert b"productive_mcp" not in body


@pytest.mark.timeout(600)
@pytest.mark.attack("Q-06")
def test_unauthenticated_flows_leave_memory_files_and_records_as_they_were(
    deployment: Deployment,
) -> None:
    gateway = deployment.gateways[0]
    with nothing_stored(deployment):
        asyncio.run(unauthenticated_flows(deployment, WARM_UP))
        memory, files = gateway.resident_bytes(), gateway.open_files()
        asyncio.run(unauthenticated_flows(deployment, FLOWS))
        assert gateway.resident_bytes() - memory < MOST_GROWTH
        eventually(lambda: gateway.open_files() <= files + 5, what="its connections are closed")


async def unauthenticated_flows(deployment: Deployment, count: int) -> None:
    """Begin sign-ins that nobody finishes, and call /mcp and /token with made-up tokens."""
    own = {"host": deployment.url.partition("://")[2]}
    address = f"http://127.0.0.1:{deployment.ports[0]}"
    with Visitor(deployment) as visitor:
        query = visitor.request(visitor.register())
    limits = httpx.Limits(max_connections=16)
    async with httpx.AsyncClient(
        base_url=address, headers=own, trust_env=False, limits=limits, timeout=60
    ) as client:
        numbers = iter(range(count))

        async def flows() -> None:
            for number in numbers:
                client.cookies.clear()
                bearer = {"authorization": f"Bearer pmcp_at_{secrets.token_urlsafe(100)}"}
                form = {"grant_type": "authorization_code", "code": secrets.token_urlsafe(60)}
                answer = await client.get("/authorize", params={**query, "state": str(number)})
                assert answer.status_code == httpx.codes.OK
                if number % 10 == 0:
                    await client.post("/mcp", json=LIST, headers=bearer)
                    await client.post("/token", data=form)

        async with asyncio.TaskGroup() as group:
            for _ in range(16):
                group.create_task(flows())


# --- with the token of somebody whose access has changed


@dataclass
class Person:
    """Somebody who connected an assistant, and has a Productive token of their own."""

    deployment: Deployment
    visitor: Visitor
    client: Registered
    name: str
    productive: str
    """The value of that token."""
    held: dict[str, Any]
    """What /token answered last."""

    def call(self) -> httpx.Response:
        return self.visitor.call(self.held["access_token"])

    def get_me(self) -> dict[str, Any]:
        """Call a tool that asks Productive; return its result."""
        answer = self.visitor.call(
            self.held["access_token"], "tools/call", name="get_me", arguments={}
        )
        result: dict[str, Any] = result_of(answer)["result"]
        return result

    def refresh(self) -> httpx.Response:
        return self.visitor.refresh(self.client, self.held["refresh_token"])

    def refreshed(self) -> None:
        """Refresh, as the client does without being asked to."""
        answer = self.refresh()
        assert answer.status_code == httpx.codes.OK, answer.text
        self.held = answer.json()

    def until(self, reason: str) -> None:
        """Wait until the operator judges so, and every gateway knows."""
        people = self.deployment.people
        eventually(lambda: people.ready(self.name)["reason"] == reason, what=reason)
        people.arrive()

    @property
    def secret_path(self) -> str:
        return secrets_path(self.deployment.cluster.names.users, f"{self.name}-token")


def new_productive_token(deployment: Deployment, **changes: Any) -> str:
    value = f"simulator-{secrets.token_hex(8)}"
    put_productive_token(deployment, value=value, people={"1200": str(ANA)}, **changes)
    return value


def put_productive_token(deployment: Deployment, **order: Any) -> None:
    address = f"{deployment.simulator_url}/__simulator/tokens"
    httpx.post(address, json=order, trust_env=False).raise_for_status()


def asked_productive_with(deployment: Deployment) -> list[str | None]:
    """Return the labels of the tokens of Productive's last requests."""
    answer = httpx.get(f"{deployment.simulator_url}/__simulator/log", trust_env=False)
    return [entry["token"] for entry in answer.json()]


@pytest.fixture
def person(deployment: Deployment) -> Iterator[Person]:
    name, token = f"p-{secrets.token_hex(6)}", new_productive_token(deployment)
    email = f"{name}@northlight.example"
    deployment.people.add(name, email=email, user_id=ANA, token=token)
    with Visitor(deployment) as visitor:
        client = visitor.register()
        held = visitor.tokens(client, email)
        yield Person(deployment, visitor, client, name, token, held)
    deployment.ingress.pin(None)


def each_replica(person: Person) -> Iterator[int]:
    """Send what follows to one replica after the other."""
    for number in REPLICAS:
        person.deployment.ingress.pin(number)
        yield number
    person.deployment.ingress.pin(None)


@pytest.mark.attack("M-09")
def test_suspended_person_is_told_and_stays_signed_in(person: Person) -> None:
    deployment = person.deployment
    assert not person.get_me().get("isError")
    deployment.people.change(person.name, suspend=True)
    with nothing_stored(deployment):
        for _ in each_replica(person):
            for answer in (
                person.call(),
                person.visitor.call(
                    person.held["access_token"], "tools/call", name="get_me", arguments={}
                ),
            ):
                assert answer.status_code == httpx.codes.FORBIDDEN
                assert answer.json()["error"] == "suspended"
                assert "is suspended. Ask" in answer.json()["error_description"]
                # Signing in again would not help, and a client would do that for a challenge.
                assert "www-authenticate" not in answer.headers
    with audited(deployment) as trail:
        person.refreshed()
    assert trail.events() == ["token_refreshed"]
    assert person.call().status_code == httpx.codes.FORBIDDEN
    deployment.people.change(person.name, suspend=False)
    for _ in each_replica(person):
        assert not person.get_me().get("isError")


@pytest.mark.attack("M-09")
def test_deleted_person_is_refused_within_seconds_for_good(person: Person) -> None:
    deployment = person.deployment
    for _ in each_replica(person):
        assert person.call().status_code == httpx.codes.OK
    deployment.people.remove(person.name)
    deadline = time.monotonic() + GONE_WITHIN

    def out() -> bool:
        answer = person.call()
        assert answer.status_code in {httpx.codes.OK, httpx.codes.UNAUTHORIZED}
        return answer.status_code == httpx.codes.UNAUTHORIZED

    for number in each_replica(person):
        left = deadline - time.monotonic()
        eventually(out, seconds=left, what=f"the token is refused at {number}")
        answer = person.call()
        assert answer.json()["error"] == "invalid_token"
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert "somebody who has no access any more" in answer.json()["error_description"]
        with audited(deployment) as trail:
            refused = person.refresh()
        assert refused.status_code == httpx.codes.BAD_REQUEST
        assert refused.json()["error"] == "invalid_grant"
        assert trail.reasons("token_refused") == ["person_gone"]

    # Somebody new of that name and address has nothing of theirs.
    email = f"{person.name}@northlight.example"
    deployment.people.add(person.name, email=email, user_id=ANA, token=person.productive)
    for _ in each_replica(person):
        assert person.call().status_code == httpx.codes.UNAUTHORIZED
        assert person.refresh().json()["error"] == "invalid_grant"


def missing(person: Person) -> str:
    person.deployment.cluster.kube.delete(person.secret_path)
    return "TokenSecretNotFound"


def empty(person: Person) -> str:
    person.deployment.people.set_token(person.name, "")
    return "TokenEmpty"


def of_another_key(person: Person) -> str:
    change: dict[str, Any] = {"data": {"token": None, "tokn": "eA=="}}
    person.deployment.cluster.kube.merge(person.secret_path, change)
    return "TokenKeyMissing"


def of_another_type(person: Person) -> str:
    kube, names = person.deployment.cluster.kube, person.deployment.cluster.names
    kube.delete(person.secret_path)
    body = secret(f"{person.name}-token", {"token": person.productive.encode()}, kind="Opaque")
    kube.create(secrets_path(names.users), body)
    return "TokenSecretNotFound"


@pytest.mark.attack("M-09")
@pytest.mark.parametrize("lose", [missing, empty, of_another_key, of_another_type])
def test_person_without_productive_token_gets_tool_errors_and_stays_signed_in(
    person: Person, lose: Callable[[Person], str]
) -> None:
    deployment = person.deployment
    assert not person.get_me().get("isError")
    person.until(lose(person))
    with nothing_stored(deployment), audited(deployment) as trail:
        for _ in each_replica(person):
            assert person.call().status_code == httpx.codes.OK
            told = person.get_me()
            assert told["isError"]
            error = told["structuredContent"]["error"]
            assert error["code"] == "not_connected"
            assert f"{person.name}@northlight.example" in str(error)
            assert "you stay signed in" in str(error)
    assert trail.reasons("tool_called") == ["not_connected"] * len(REPLICAS)
    person.refreshed()

    if lose is of_another_type:
        deployment.cluster.kube.delete(person.secret_path)
    deployment.people.set_token(person.name, person.productive)
    person.until("Synced")
    for _ in each_replica(person):
        assert not person.get_me().get("isError")


@pytest.mark.attack("M-09")
def test_rotated_productive_token_is_used_by_the_next_call(person: Person) -> None:
    deployment, old = person.deployment, person.productive.partition("-")[2]
    for _ in each_replica(person):
        assert not person.get_me().get("isError")
    assert old in asked_productive_with(deployment)
    rotated = new_productive_token(deployment)
    with nothing_stored(deployment):
        deployment.people.set_token(person.name, rotated)
        people = deployment.people
        eventually(lambda: rotated in str(people.published()), what="the rotated token")
        people.arrive()
        put_productive_token(deployment, value=person.productive, revoked=True)
        for _ in each_replica(person):
            assert not person.get_me().get("isError")
    labels, new = asked_productive_with(deployment), rotated.partition("-")[2]
    assert old not in labels[labels.index(new) :]
    person.refreshed()
