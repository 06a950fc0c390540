"""The raw client against a real API server, with exactly the gateway's rights."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from harness.cluster import Cluster
from harness.faults import Answer, CutAfter, CutBefore
from harness.gatewayclient import gateway_client
from harness.kube import secret, secrets_path
from productive_gateway.observability.metrics import REGISTRY
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


async def test_a_long_list_comes_in_pages_of_one_version(api: KubeClient, grants: str) -> None:
    for number in range(7):
        await api.create(grants, secret(f"s{number}", {}, kind=KIND))
    pages = [page async for page in api.pages(grants, limit=3)]
    assert [len(page["items"]) for page in pages] == [3, 3, 1]
    assert len({page["metadata"]["resourceVersion"] for page in pages}) == 1
    assert await _names(api, grants, limit=500) == [f"s{number}" for number in range(7)]


async def _names(api: KubeClient, path: str, *, limit: int) -> list[str]:
    pages = [page async for page in api.pages(path, limit=limit)]
    return [item["metadata"]["name"] for page in pages for item in page["items"]]


async def test_a_window_tells_what_happens_in_it_and_ends_in_order(
    api: KubeClient, grants: str
) -> None:
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


async def test_a_version_that_is_none_is_refused(api: KubeClient, grants: str) -> None:
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
async def test_each_harm_on_the_way_has_its_error(cluster: Cluster, grants: str) -> None:
    proxy = cluster.proxy()
    path = cluster.kubeconfig("gateway", proxy=proxy)
    async with gateway_client(path) as api:
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


@pytest.mark.attack("R-13")
async def test_a_write_whose_answer_is_lost_is_sent_once(cluster: Cluster, grants: str) -> None:
    proxy = cluster.proxy()
    path = cluster.kubeconfig("gateway", proxy=proxy)
    async with gateway_client(path) as api:
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
