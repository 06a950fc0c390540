"""The border to the HTTP library, against a server that answers what no API server should."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import certifi
import pytest
from aiohttp import web

from productive_kube import client as module
from productive_kube import credentials
from productive_kube.client import KubeClient
from productive_kube.errors import Gone, NoCluster, Unreachable

PATH = "/api/v1/namespaces/x/secrets"
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def kubeconfig(folder: Path, server: str, **context: str) -> Path:
    document = {
        "current-context": "c",
        "clusters": [{"name": "k", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "abc"}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", **context}}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(document))
    return path


@asynccontextmanager
async def served(folder: Path, handler: Handler) -> AsyncIterator[KubeClient]:
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        async with await KubeClient.connect(
            kubeconfig(folder, f"http://{host}:{port}"), user_agent="productive-gateway"
        ) as api:
            yield api
    finally:
        await runner.cleanup()


def streaming(*chunks: bytes) -> Handler:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        return response

    return handle


async def hang(request: web.BaseRequest) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def watched(api: KubeClient) -> list[dict[str, Any]]:
    return [event async for event in api.watch(PATH, resource_version="1", seconds=1)]


async def test_requests_carry_the_token_and_ask_for_json(tmp_path: Path) -> None:
    seen: list[web.BaseRequest] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request)
        return web.json_response({"kind": "SecretList"})

    async with served(tmp_path, handle) as api:
        await api.get(PATH, query=[("fieldSelector", "metadata.name=a"), ("limit", "5")])
    assert seen[0].headers["Authorization"] == "Bearer abc"
    assert seen[0].headers["Accept"] == "application/json"
    assert seen[0].headers["User-Agent"] == "productive-gateway"
    assert dict(seen[0].query) == {"fieldSelector": "metadata.name=a", "limit": "5"}


@pytest.mark.attack("R-11")
async def test_a_page_of_a_proxy_in_between_counts_as_no_answer(tmp_path: Path) -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="<html>", status=200 if request.method == "GET" else 502)

    async with served(tmp_path, handle) as api:
        with pytest.raises(Unreachable, match="NotJson"):
            await api.get(PATH)
        with pytest.raises(Unreachable, match="502"):
            await api.create(PATH, {})


async def test_a_server_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    async with await KubeClient.connect(
        kubeconfig(tmp_path, "http://127.0.0.1:1"), user_agent="productive-gateway"
    ) as api:
        with pytest.raises(Unreachable) as caught:
            await api.get(PATH)
    assert caught.value.status == 0


@pytest.mark.attack("R-02")
async def test_a_silent_server_costs_a_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.05)
    async with served(tmp_path, hang) as api:
        with pytest.raises(Unreachable, match="Timeout"):
            await api._request("get", PATH, seconds=0.05)
        with pytest.raises(Unreachable, match="Timeout"):
            await watched(api)


@pytest.mark.attack("R-02")
async def test_a_watch_that_falls_silent_ends_soon_after_its_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WATCH_SLACK", -0.9)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        await streaming(b'{"type":"ADDED","object":{}}\n')(request)
        return await hang(request)

    async with served(tmp_path, handle) as api:
        events = api.watch(PATH, resource_version="1", seconds=1)
        assert await anext(events) == {"type": "ADDED", "object": {}}
        with pytest.raises(Unreachable, match="Timeout"):
            await anext(events)


async def test_a_slow_consumer_is_not_cancelled_by_the_watchs_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WATCH_SLACK", -0.95)
    events = []
    line = b'{"type":"ADDED","object":{}}\n'
    async with served(tmp_path, streaming(line, line)) as api:
        async for event in api.watch(PATH, resource_version="1", seconds=1):
            await asyncio.sleep(0.1)
            events.append(event)
            if len(events) == 2:
                break
    assert len(events) == 2


async def test_error_events_become_errors_of_their_kind(tmp_path: Path) -> None:
    gone = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n'
    async with served(tmp_path, streaming(gone)) as api:
        with pytest.raises(Gone):
            await watched(api)
    odd = b'{"type":"ERROR","object":null}\n'
    async with served(tmp_path, streaming(odd)) as api:
        with pytest.raises(Unreachable):
            await watched(api)


async def test_a_stream_cut_within_an_event_is_no_orderly_end(tmp_path: Path) -> None:
    async with served(tmp_path, streaming(b'{"type":"ADDED","obj')) as api:
        with pytest.raises(Unreachable):
            await watched(api)


async def test_an_event_of_a_megabyte_comes_through(tmp_path: Path) -> None:
    event = json.dumps({"type": "ADDED", "object": {"data": {"a": "x" * 1_400_000}}}).encode()
    chunks = [event[i : i + 100_000] for i in range(0, len(event), 100_000)]
    async with served(tmp_path, streaming(*chunks, b"\n")) as api:
        assert await watched(api) == [json.loads(event)]


async def test_a_cancelled_request_stays_cancelled(tmp_path: Path) -> None:
    reached = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        reached.set()
        return await hang(request)

    async with served(tmp_path, handle) as api:
        task = asyncio.create_task(api.get(PATH))
        await asyncio.wait_for(reached.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_the_namespace_is_the_contexts_or_default(tmp_path: Path) -> None:
    for context, namespace in (({"namespace": "team"}, "team"), ({}, "default")):
        path = kubeconfig(tmp_path, "http://127.0.0.1:1", **context)
        async with await KubeClient.connect(path, user_agent="productive-gateway") as api:
            assert api.namespace == namespace


@pytest.mark.parametrize("content", [None, "", "{}", "[", "current-context: nope\n"])
async def test_without_a_usable_configuration_it_says_what_to_do(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    with pytest.raises(NoCluster, match="set KUBECONFIG"):
        await KubeClient.connect(path)


async def test_kubeconfig_from_the_environment_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = kubeconfig(tmp_path, "http://127.0.0.1:1", namespace="env")
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    async with await KubeClient.connect(user_agent="productive-gateway") as api:
        assert api.namespace == "env"


async def test_in_a_pod_the_service_account_is_taken_and_its_token_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in (("token", "one\n"), ("namespace", "mine\n")):
        (tmp_path / name).write_text(content)
    shutil.copy(certifi.where(), tmp_path / "ca.crt")
    monkeypatch.setattr(credentials, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    async with await KubeClient.connect(user_agent="productive-gateway") as api:
        assert api.namespace == "mine"
        assert api._client.configuration.host == "https://127.0.0.1:1"
        assert await _bearer(api) == "Bearer one"
        (tmp_path / "token").write_text("two")
        assert await _bearer(api) == "Bearer two"
        (tmp_path / "token").unlink()
        with pytest.raises(Unreachable, match="FileNotFoundError"):
            await api.get(PATH)


async def _bearer(api: KubeClient) -> str:
    settings = await api._client.configuration.auth_settings()
    return str(settings["BearerToken"]["value"])
