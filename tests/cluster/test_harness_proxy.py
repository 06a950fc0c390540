"""The recording proxy applies each kind of fault to the matching requests only."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from harness.cluster import Cluster
from harness.faults import Answer, CutAfter, CutBefore, Delay, HalfOpen, Hold, Seen
from harness.kube import Kube, secret, secrets_path
from harness.processes import eventually
from harness.proxy import RecordingProxy


def _writes(seen: Seen) -> bool:
    return seen.method == "POST"


@pytest.fixture
def proxy(cluster: Cluster) -> RecordingProxy:
    return cluster.proxy()


@pytest.fixture
def gateway(cluster: Cluster, proxy: RecordingProxy) -> Any:
    with cluster.plane.client(proxy.identity(cluster.account("gateway"))) as client:
        yield client


@pytest.fixture
def grants(cluster: Cluster) -> str:
    return secrets_path(cluster.names.grants)


def _names(cluster: Cluster, grants: str) -> list[str]:
    return [item["metadata"]["name"] for item in cluster.kube.items(grants)]


def test_requests_pass_and_are_recorded(gateway: Kube, proxy: RecordingProxy, grants: str) -> None:
    gateway.create(grants, secret("one", {"a": b"1"}))
    gateway.get(f"{grants}/one")
    gateway.items(grants, labelSelector="a=b,c!=d", limit="1")

    post, get, listed = proxy.requests
    assert (post.method, post.path, post.status, post.resource) == ("POST", grants, 201, "secrets")
    assert (get.method, get.name, get.status) == ("GET", "one", 200)
    assert listed.query == {"labelSelector": "a=b,c!=d", "limit": "1"}
    assert post.user_agent == "productive-tests"


def test_a_secret_of_the_largest_size_passes(gateway: Kube, grants: str) -> None:
    made = gateway.create(grants, secret("large", {"a": b"x" * 1_000_000}))
    assert len(made["data"]["a"]) > 1_300_000


def test_the_proxy_keeps_the_identity_of_the_account(
    cluster: Cluster, gateway: Kube, proxy: RecordingProxy
) -> None:
    refused = gateway.ask("GET", secrets_path(cluster.names.users))
    assert refused.status_code == 403
    assert f"serviceaccount:{cluster.names.release}:gateway" in refused.text


def test_a_request_is_cut_before_it_is_sent(
    cluster: Cluster, gateway: Kube, proxy: RecordingProxy, grants: str
) -> None:
    rule = proxy.rule(_writes, CutBefore())
    with pytest.raises(httpx.TransportError):
        gateway.create(grants, secret("one", {}))
    assert _names(cluster, grants) == []
    gateway.create(grants, secret("one", {}))
    assert [seen.status for seen in rule.hits] == [None]


def test_an_answer_is_lost_after_the_commit(
    cluster: Cluster, gateway: Kube, proxy: RecordingProxy, grants: str
) -> None:
    rule = proxy.rule(_writes, CutAfter())
    with pytest.raises(httpx.TransportError):
        gateway.create(grants, secret("one", {}))
    assert _names(cluster, grants) == ["one"]
    assert [(seen.status, seen.upstream_status) for seen in rule.hits] == [(None, 201)]


@pytest.mark.parametrize("status", [409, 429, 500])
def test_the_proxy_can_answer_instead_of_the_server(
    cluster: Cluster, gateway: Kube, proxy: RecordingProxy, grants: str, status: int
) -> None:
    proxy.rule(_writes, Answer(status, "Because", retry_after=3))
    answer = gateway.ask("POST", grants, secret("one", {}))
    assert answer.status_code == status
    assert answer.headers["Retry-After"] == "3"
    assert answer.json()["kind"] == "Status"
    assert answer.json()["reason"] == "Because"
    assert _names(cluster, grants) == []


def test_a_rule_applies_the_given_number_of_times(
    gateway: Kube, proxy: RecordingProxy, grants: str
) -> None:
    proxy.rule(lambda seen: seen.method == "GET", Answer(500), times=2)
    answers = [gateway.ask("GET", grants).status_code for _ in range(3)]
    assert answers == [500, 500, 200]


def test_a_request_is_delayed(gateway: Kube, proxy: RecordingProxy, grants: str) -> None:
    proxy.rule(lambda _: True, Delay(0.3))
    started = time.monotonic()
    gateway.items(grants)
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize("at", ["before", "after"])
def test_a_request_is_held_until_released(
    cluster: Cluster, gateway: Kube, proxy: RecordingProxy, grants: str, at: Any
) -> None:
    hold = Hold(at=at)
    proxy.rule(_writes, hold)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(gateway.create, grants, secret("one", {}))
        if at == "after":
            proxy.wait_for(lambda seen: seen.upstream_status == 201)
        else:
            proxy.wait_for(_writes)
        assert _names(cluster, grants) == (["one"] if at == "after" else [])
        assert not call.done()
        hold.release()
        assert call.result(10)["metadata"]["name"] == "one"


def _watch(gateway: Kube, grants: str, lines: list[str], ended: threading.Event) -> None:
    """Collect the lines of a watch until it ends or fails."""
    query = {"watch": "true", "timeoutSeconds": "60"}
    try:
        with gateway._http.stream("GET", grants, params=query) as answer:
            lines.extend(answer.iter_lines())
    except httpx.TransportError:
        pass
    finally:
        ended.set()


class _Watcher:
    """A watch in a thread, with the lines that it received."""

    def __init__(self, gateway: Kube, proxy: RecordingProxy, grants: str) -> None:
        self.lines: list[str] = []
        self.ended = threading.Event()
        self.thread = threading.Thread(
            target=_watch, args=(gateway, grants, self.lines, self.ended), daemon=True
        )
        self.thread.start()
        proxy.wait_for(lambda seen: seen.watch and seen.status == 200)


def test_a_watch_is_streamed_and_cut(
    cluster: Cluster, gateway: Kube, proxy: RecordingProxy, grants: str
) -> None:
    watcher = _Watcher(gateway, proxy, grants)
    cluster.kube.create(grants, secret("one", {}))
    eventually(lambda: len(watcher.lines) == 1, what="the event")
    proxy.cut()
    assert watcher.ended.wait(10)


def test_an_open_watch_can_go_silent_without_being_cut(
    cluster: Cluster, gateway: Kube, proxy: RecordingProxy, grants: str
) -> None:
    watcher = _Watcher(gateway, proxy, grants)
    rule = proxy.rule(lambda seen: seen.watch, HalfOpen(), times=None)
    cluster.kube.create(grants, secret("one", {}))
    eventually(lambda: len(rule.hits) == 1, what="the event is swallowed")
    assert not watcher.ended.wait(0.5)
    assert watcher.lines == []
    assert gateway.ask("GET", grants).status_code == 200
    rule.remove()
    assert watcher.ended.wait(10)
    assert watcher.lines == []


def test_a_request_to_a_silent_peer_gets_no_answer(
    gateway: Kube, proxy: RecordingProxy, grants: str
) -> None:
    rule = proxy.rule(_writes, HalfOpen())
    with pytest.raises(httpx.ReadTimeout):
        gateway._http.post(grants, json=secret("one", {}), timeout=0.3)
    rule.remove()
    assert gateway.create(grants, secret("one", {}))


def test_during_an_outage_nothing_passes(gateway: Kube, proxy: RecordingProxy, grants: str) -> None:
    watcher = _Watcher(gateway, proxy, grants)
    with proxy.outage():
        assert watcher.ended.wait(10)
        with pytest.raises(httpx.TransportError):
            gateway.items(grants)
    assert gateway.items(grants) == []


async def test_an_asynchronous_test_awaits_a_request(
    gateway: Kube, proxy: RecordingProxy, grants: str
) -> None:
    waiting = asyncio.create_task(proxy.wait(lambda seen: seen.name == "absent"))
    await asyncio.to_thread(gateway.ask, "GET", f"{grants}/absent")
    (seen,) = await waiting
    assert seen.path == f"{grants}/absent"


def test_a_failed_wait_lists_the_requests(
    gateway: Kube, proxy: RecordingProxy, grants: str
) -> None:
    gateway.items(grants)
    with pytest.raises(AssertionError, match=r"0 of 1 matched(.|\n)*GET"):
        proxy.wait_for(_writes, 0.05)
