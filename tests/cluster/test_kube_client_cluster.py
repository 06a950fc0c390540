"""The client against a real API server, with exactly the gateway's rights."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import httpx
import pytest

from harness.cluster import Cluster
from harness.connectproxy import ConnectProxy
from harness.faults import Answer, CutAfter, CutBefore, HalfOpen, Page
from harness.gatewayclient import gateway_client
from harness.kube import USER_AGENT, secret, secrets_path
from productive_gateway.observability.metrics import REGISTRY
from productive_kube import client as module
from productive_kube.client import KubeClient
from productive_kube.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    QuotaExceeded,
    Unreachable,
)

Ask: TypeAlias = Callable[[str], Awaitable[object]]
KIND = "productive-mcp.dev/grant"


@pytest.fixture
async def api(cluster: Cluster) -> AsyncIterator[KubeClient]:
    async with gateway_client(cluster.kubeconfig("gateway")) as client:
        yield client


@pytest.fixture
def grants(cluster: Cluster) -> str:
    return secrets_path(cluster.names.grants)


def requests(verb: str, status: int) -> float:
    labels = {"verb": verb, "status": str(status)}
    name = "productive_mcp_kubernetes_requests_total"
    return REGISTRY.get_sample_value(name, labels) or 0


async def test_an_object_is_made_changed_and_deleted_by_compare_and_swap(
    api: KubeClient, grants: str
) -> None:
    counted = requests("replace", 409)
    made = await api.create(grants, secret("one", {"a": b"1"}, kind=KIND))
    with pytest.raises(AlreadyExists):
        await api.create(grants, secret("one", {"a": b"2"}, kind=KIND))
    read = await api.get(f"{grants}/one")
    assert read == made
    changed = await api.replace(f"{grants}/one", read | secret("x", {"a": b"2"}) | _meta(read))
    with pytest.raises(Conflict):
        await api.replace(f"{grants}/one", read)
    assert requests("replace", 409) == counted + 1
    stale = read["metadata"]["resourceVersion"]
    uid, version = changed["metadata"]["uid"], changed["metadata"]["resourceVersion"]
    for bad_uid, bad_version in ((uid, stale), ("other", None), (None, stale)):
        with pytest.raises(Conflict):
            await api.delete(f"{grants}/one", uid=bad_uid, resource_version=bad_version)
    await api.delete(f"{grants}/one", uid=uid, resource_version=version)
    with pytest.raises(NotFound):
        await api.get(f"{grants}/one")
    with pytest.raises(NotFound):
        await api.delete(f"{grants}/one", uid=None, resource_version=None)


def _meta(read: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": read["metadata"], "type": KIND}


async def test_a_long_list_comes_in_one_piece_and_pages_are_put_together(
    cluster: Cluster, grants: str
) -> None:
    proxy = cluster.proxy()
    names = [f"s{number}" for number in range(7)]
    for name in names:
        cluster.kube.create(grants, secret(name, {"a": b"1"}, kind=KIND))
    async with gateway_client(cluster.kubeconfig("gateway", proxy=proxy)) as api:
        for query, requests in (([], 1), ([("limit", "3")], 3)):
            since = len(proxy.requests)
            listed = await api.list(grants, _name_of, query=query)
            assert listed.items == names
            assert len(proxy.requests) == since + requests
            assert listed.version == (await api.get(grants))["metadata"]["resourceVersion"]


def _name_of(found: dict[str, Any]) -> str:
    return str(found["metadata"]["name"])


async def test_a_window_has_all_events_and_ends_in_order(api: KubeClient, grants: str) -> None:
    start = (await api.get(grants))["metadata"]["resourceVersion"]
    value = base64.b64encode(b"x" * 700_000).decode()
    await api.create(grants, secret("big", {"a": b"x" * 700_000}, kind=KIND))
    await api.delete(f"{grants}/big", uid=None, resource_version=None)
    events = [event async for event in api.watch(grants, resource_version=start, seconds=1)]
    told = [event for event in events if event["type"] != "BOOKMARK"]
    assert [event["type"] for event in told] == ["ADDED", "DELETED"]
    assert told[0]["object"]["data"]["a"] == value


async def test_a_watch_can_be_left_early(api: KubeClient, grants: str) -> None:
    await api.create(grants, secret("one", {}, kind=KIND))
    async with aclosing(api.watch(grants, resource_version="0", seconds=30)) as events:
        event = await anext(events)
        while event["type"] == "BOOKMARK":
            event = await anext(events)
    assert event["object"]["metadata"]["name"] == "one"


async def test_watching_from_a_version_that_is_no_number_is_refused(
    api: KubeClient, grants: str
) -> None:
    with pytest.raises(ApiError):
        await anext(api.watch(grants, resource_version="not-a-number"))


@pytest.mark.attack("R-01")
@pytest.mark.refused("gateway")
async def test_the_release_namespace_is_open_by_name_only(
    api: KubeClient, cluster: Cluster
) -> None:
    release, mapping = secrets_path(cluster.names.release), cluster.names.mapping
    cluster.make_empty_mapping()
    by_name = [("fieldSelector", f"metadata.name={mapping}")]
    listed = await api.get(release, query=by_name)
    assert [item["metadata"]["name"] for item in listed["items"]] == [mapping]
    for attempt in (
        api.get(release),
        api.get(release, query=[("fieldSelector", "metadata.name=other")]),
        api.create(release, secret("new", {})),
        api.delete(f"{release}/{mapping}", uid=None, resource_version=None),
        api.get(secrets_path(cluster.names.users)),
    ):
        with pytest.raises(Forbidden):
            await attempt


@pytest.mark.attack("R-10")
async def test_a_full_namespace_is_told_from_a_missing_right(
    api: KubeClient, cluster: Cluster, grants: str
) -> None:
    path = f"/api/v1/namespaces/{cluster.names.grants}/resourcequotas"
    hard = {"count/secrets": "0"}
    body = {"kind": "ResourceQuota", "metadata": {"name": "full"}, "spec": {"hard": hard}}
    made = cluster.kube.create(path, body)
    made["status"] = {"hard": hard, "used": {"count/secrets": "0"}}
    cluster.kube.replace(f"{path}/full/status", made)
    with pytest.raises(QuotaExceeded):
        await _refused_for_quota(api, grants)


async def _refused_for_quota(api: KubeClient, grants: str) -> None:
    """Create until admission knows of the quota: it learns of it a moment later."""
    for number in range(200):
        await api.create(grants, secret(f"q{number}", {}, kind=KIND))


@pytest.mark.attack("R-11", "R-13")
async def test_each_fault_on_the_way_has_its_error(cluster: Cluster, grants: str) -> None:
    proxy = cluster.proxy()
    async with gateway_client(cluster.kubeconfig("gateway", proxy=proxy)) as api:
        proxy.rule(lambda _: True, Answer(429, "TooManyRequests", retry_after=3))
        with pytest.raises(Unreachable) as busy:
            await api.get(grants)
        assert busy.value.retry_after == 3
        proxy.rule(lambda seen: seen.watch, Answer(410, "Expired"))
        with pytest.raises(Gone):
            await anext(api.watch(grants, resource_version="1"))
        proxy.rule(lambda seen: seen.method == "POST", CutAfter())
        with pytest.raises(Unreachable):
            await api.create(grants, secret("lost", {}, kind=KIND))
        assert (await api.get(f"{grants}/lost"))["type"] == KIND
        assert len(proxy.seen(lambda seen: seen.method == "POST")) == 1


@pytest.mark.attack("R-11")
async def test_only_the_api_server_says_that_an_object_does_not_exist(
    cluster: Cluster, grants: str
) -> None:
    proxy = cluster.proxy()
    async with gateway_client(cluster.kubeconfig("gateway", proxy=proxy)) as api:
        with pytest.raises(NotFound):
            await api.get(f"{grants}/one")
        await api.create(grants, secret("one", {}, kind=KIND))
        with proxy.outage(Page(404)):
            for attempt in (
                api.get(f"{grants}/one"),
                api.list(grants, dict),
                api.delete(f"{grants}/one", uid=None, resource_version=None),
                anext(api.watch(grants, resource_version="1")),
            ):
                with pytest.raises(Unreachable, match="404"):
                    await attempt
        assert (await api.get(f"{grants}/one"))["type"] == KIND


async def test_a_kind_that_is_not_served_says_nothing_about_objects(cluster: Cluster) -> None:
    """Without the CRD the API server answers with a page, as a proxy would."""
    async with await KubeClient.connect(cluster.kubeconfig(), user_agent=USER_AGENT) as admin:
        with pytest.raises(Unreachable, match="404"):
            await admin.list("/apis/productive-mcp.dev/v2/namespaces/x/productiveusers", dict)


@pytest.mark.attack("R-02")
@pytest.mark.parametrize("after", [0, 40_000])
async def test_a_list_on_a_half_open_connection_is_given_up(
    cluster: Cluster, grants: str, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(module, "SILENCE_SECONDS", 1.0)
    proxy = cluster.proxy()
    cluster.kube.create(grants, secret("big", {"a": secrets.token_bytes(100_000)}, kind=KIND))
    async with gateway_client(cluster.kubeconfig("gateway", proxy=proxy)) as api:
        proxy.rule(lambda seen: seen.method == "GET", HalfOpen(after=after))
        began = time.monotonic()
        with pytest.raises(Unreachable, match="Timeout"):
            await api.list(grants, dict)
        assert 1 <= time.monotonic() - began < 5
        assert len((await api.list(grants, dict)).items) == 1


@pytest.mark.parametrize("text", ['{"items":[]}', '{"metadata":{"resourceVersion":7},"items":[]}'])
async def test_a_list_without_a_version_is_no_list(
    cluster: Cluster, grants: str, text: str
) -> None:
    proxy = cluster.proxy()
    async with gateway_client(cluster.kubeconfig("gateway", proxy=proxy)) as api:
        proxy.rule(lambda _: True, Page(200, text))
        with pytest.raises(Unreachable, match="NoVersion"):
            await api.list(grants, dict)


@asynccontextmanager
async def both(kubeconfig: Path) -> AsyncIterator[tuple[Ask, Ask]]:
    """Yield two ways to read a path: the client, and a session for another library."""
    async with gateway_client(kubeconfig) as api, api.new_session() as session:

        async def in_session(path: str) -> object:
            async with session.get(f"{api.server}{path}") as answer:
                answer.raise_for_status()
                return await answer.json()

        yield api.get, in_session


@pytest.mark.parametrize("through", ["environment", "kubeconfig"])
async def test_only_a_proxy_of_the_kubeconfig_is_used(
    cluster: Cluster, grants: str, monkeypatch: pytest.MonkeyPatch, through: str
) -> None:
    path = cluster.kubeconfig("gateway")
    async with ConnectProxy().running() as proxy:
        if through == "environment":
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url)
                monkeypatch.setenv(name.lower(), proxy.url)
            for name in ("NO_PROXY", "no_proxy"):
                monkeypatch.delenv(name, raising=False)
        else:
            document = json.loads(path.read_text())
            document["clusters"][0]["cluster"]["proxy-url"] = proxy.url
            path.write_text(json.dumps(document))
        async with both(path) as ways:
            for ask in ways:
                assert await ask(grants)
        server = cluster.plane.admin.server.removeprefix("https://")
        tunnels = 0 if through == "environment" else 2
        assert [head.split(" ")[:2] for head in proxy.heads] == [["CONNECT", server]] * tunnels
        assert "Bearer" not in "".join(proxy.heads)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_carries_neither_token_nor_object_elsewhere(
    cluster: Cluster, grants: str, status: int
) -> None:
    proxy, elsewhere = cluster.proxy(), cluster.proxy()
    path = cluster.kubeconfig("gateway", proxy=proxy)
    with proxy.outage(Page(status, location=f"{elsewhere.server}{grants}")):
        async with gateway_client(path) as api:
            for attempt in (
                api.get(grants),
                api.list(grants, dict),
                api.create(grants, secret("one", {"a": b"1"}, kind=KIND)),
                anext(api.watch(grants, resource_version="1")),
            ):
                with pytest.raises(Unreachable, match="Redirected"):
                    await attempt
        async with both(path) as (_, in_session):
            with pytest.raises(aiohttp.ClientConnectionError):
                await in_session(grants)
    assert elsewhere.requests == []
    assert cluster.kube.items(grants) == []


@pytest.mark.usefixtures("strict_tls")
async def test_certificates_without_key_identifiers_are_accepted(
    cluster: Cluster, grants: str
) -> None:
    proxy = cluster.proxy(key_identifiers=False)
    async with both(cluster.kubeconfig("gateway", proxy=proxy)) as ways:
        for ask in ways:
            assert await ask(grants)
    with pytest.raises(httpx.ConnectError, match="Key Identifier"):
        cluster.plane.client(proxy.identity(cluster.account("gateway"))).ask("GET", grants)


@pytest.mark.attack("R-13")
async def test_a_write_whose_answer_is_lost_is_sent_once(cluster: Cluster, grants: str) -> None:
    proxy = cluster.proxy()
    async with gateway_client(cluster.kubeconfig("gateway", proxy=proxy)) as api:
        made = await api.create(grants, secret("one", {"a": b"1"}, kind=KIND))
        for verb, fault in (
            ("PUT", CutBefore()),
            ("PUT", CutAfter()),
            ("DELETE", CutBefore()),
            ("DELETE", CutAfter()),
        ):
            since = len(proxy.requests)
            proxy.rule(lambda seen, verb=verb: seen.method == verb, fault)  # type: ignore[misc]
            with pytest.raises(Unreachable) as lost:
                await _write(api, verb, f"{grants}/one", made)
            assert lost.value.status == 0
            assert len(proxy.requests) == since + 1
        with pytest.raises(NotFound):
            await api.get(f"{grants}/one")


async def _write(api: KubeClient, verb: str, path: str, body: dict[str, Any]) -> None:
    if verb == "PUT":
        await api.replace(path, body)
    else:
        await api.delete(path, uid=body["metadata"]["uid"], resource_version=None)
