"""Complete lists over HTTP: everything or an error, whatever a server or the network does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from harness.kubestub import Handler, serving, write_kubeconfig
from productive_kube import client as module
from productive_kube.client import KubeClient
from productive_kube.errors import Unreachable

PATH = "/api/v1/namespaces/x/secrets"
NAMES = [f"p{number}" for number in range(3_000)]


def listed(names: list[str], **metadata: str) -> bytes:
    items = [{"metadata": {"name": name}} for name in names]
    about = {"resourceVersion": "812", **metadata}
    return json.dumps({"kind": "SecretList", "metadata": about, "items": items}).encode()


@asynccontextmanager
async def served(folder: Path, handler: Handler) -> AsyncIterator[KubeClient]:
    async with (
        serving(handler) as url,
        await KubeClient.connect(write_kubeconfig(folder, url), user_agent="test/1") as api,
    ):
        yield api


async def names_of(api: KubeClient) -> list[str]:
    listed = await api.list(PATH, lambda body: str(body["metadata"]["name"]), query=(("a", "b"),))
    assert listed.version == "812"
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


@pytest.mark.attack("R-03")
async def test_a_server_that_sends_pages_unasked_is_asked_for_the_rest(tmp_path: Path) -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        assert request.query["a"] == "b"
        more = {"": "one", "one": "two", "two": ""}[request.query.get("continue", "")]
        return web.Response(body=listed([more], **{"continue": more}))

    async with served(tmp_path, handle) as api:
        assert await names_of(api) == ["one", "two", ""]


async def test_a_list_that_ends_early_is_an_error(tmp_path: Path) -> None:
    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=listed(NAMES)[:-40])

    async with served(tmp_path, handle) as api:
        with pytest.raises(Unreachable):
            await names_of(api)


async def test_a_connection_that_is_cut_within_a_list_is_an_error(tmp_path: Path) -> None:
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
async def test_a_list_that_falls_silent_costs_a_bounded_time(
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


async def test_a_list_may_take_longer_than_any_of_its_pauses(
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
