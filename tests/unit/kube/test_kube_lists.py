"""Complete lists over HTTP: everything or an error, whatever a server or the network does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from productive_kube import client as module
from productive_kube.client import KubeClient
from productive_kube.errors import Unreachable

PATH = "/api/v1/namespaces/x/secrets"
NAMES = [f"p{number}" for number in range(3_000)]

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def listed(names: list[str], **metadata: str) -> bytes:
    items = [{"metadata": {"name": name}} for name in names]
    return json.dumps({"kind": "SecretList", "metadata": metadata, "items": items}).encode()


@asynccontextmanager
async def served(folder: Path, handler: Handler) -> AsyncIterator[KubeClient]:
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    document = {
        "current-context": "c",
        "clusters": [{"name": "k", "cluster": {"server": f"http://{host}:{port}"}}],
        "users": [{"name": "u", "user": {"token": "abc"}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    }
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(json.dumps(document))
    try:
        async with await KubeClient.connect(kubeconfig, user_agent="tests") as api:
            yield api
    finally:
        await runner.cleanup()


async def names_of(api: KubeClient) -> list[Any]:
    listed = await api.list(PATH, lambda body: body["metadata"]["name"], query=(("a", "b"),))
    return listed.items


async def test_a_list_is_asked_for_in_one_piece(tmp_path: Path) -> None:
    asked: list[dict[str, str]] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(dict(request.query))
        response = web.Response(body=listed(NAMES))
        response.enable_compression(web.ContentCoding.gzip)
        return response

    async with served(tmp_path, handle) as api:
        assert await names_of(api) == NAMES
    assert asked == [{"a": "b"}]


async def test_a_server_that_gives_pages_all_the_same_is_asked_for_the_rest(tmp_path: Path) -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        assert request.query["a"] == "b"
        more = {"": "one", "one": "two", "two": ""}[request.query.get("continue", "")]
        return web.Response(body=listed([more], **{"continue": more}))

    async with served(tmp_path, handle) as api:
        assert await names_of(api) == ["one", "two", ""]


async def test_a_list_that_ends_too_early_is_none(tmp_path: Path) -> None:
    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=listed(NAMES)[:-40])

    async with served(tmp_path, handle) as api:
        with pytest.raises(Unreachable):
            await names_of(api)


async def test_a_connection_that_is_cut_within_a_list_leaves_none(tmp_path: Path) -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(listed(NAMES)[:50_000])
        assert request.transport is not None
        request.transport.close()
        return response

    async with served(tmp_path, handle) as api:
        with pytest.raises(Unreachable):
            await names_of(api)


@pytest.mark.parametrize("begun", [b"", listed(NAMES)[:50_000]])
async def test_a_server_that_falls_silent_costs_a_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(module, "SILENCE_SECONDS", 0.2)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(begun)
        await asyncio.Event().wait()
        return response

    async with served(tmp_path, handle) as api, asyncio.timeout(10):
        with pytest.raises(Unreachable):
            await names_of(api)


async def test_a_list_that_goes_on_coming_may_take_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENCE_SECONDS", 2.0)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        text = listed(NAMES)
        for begin in range(0, len(text), len(text) // 4):
            await response.write(text[begin : begin + len(text) // 4])
            await asyncio.sleep(0.5)
        return response

    async with served(tmp_path, handle) as api:
        assert await names_of(api) == NAMES
