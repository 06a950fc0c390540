"""The client against a server that answers what no API server should."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.kubestub import TOKEN, Handler, serving, write_kubeconfig
from productive_kube import client as module
from productive_kube.client import KubeClient
from productive_kube.collection import Collection, secret_data
from productive_kube.errors import ApiError, Gone, NotFound, Unreachable

PATH = "/api/v1/namespaces/x/secrets"
EVENT = {"type": "ADDED", "object": {"metadata": {"resourceVersion": "7"}}}
LINE = json.dumps(EVENT).encode() + b"\n"


@asynccontextmanager
async def served(folder: Path, handler: Handler) -> AsyncIterator[KubeClient]:
    async with (
        serving(handler) as url,
        await KubeClient.connect(write_kubeconfig(folder, url), user_agent="test/1") as api,
    ):
        yield api


def answering(text: str | bytes, status: int = 200, **headers: str) -> Handler:
    body = text.encode() if isinstance(text, str) else text

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=body, status=status, headers=headers)

    return handle


def streaming(*chunks: bytes) -> Handler:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        return response

    return handle


def falling_silent(*chunks: bytes) -> Handler:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        await streaming(*chunks)(request)
        return await hang(request)

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
    assert seen[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert seen[0].headers["Accept"] == "application/json"
    assert seen[0].headers["User-Agent"] == "test/1"
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


@pytest.mark.attack("R-11")
async def test_a_404_of_a_proxy_in_between_says_nothing_about_the_object(tmp_path: Path) -> None:
    async with served(tmp_path, answering("<html>not found", 404)) as api:
        for attempt in (
            api.get(f"{PATH}/one"),
            api.list(PATH, dict),
            api.delete(f"{PATH}/one", uid=None, resource_version=None),
            anext(api.watch(PATH, resource_version="1")),
        ):
            with pytest.raises(Unreachable, match="404"):
                await attempt
    status = '{"kind":"Status","reason":"NotFound","code":404}'
    async with served(tmp_path, answering(status, 404)) as api:
        with pytest.raises(NotFound):
            await api.get(f"{PATH}/one")


async def test_a_server_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path, "http://127.0.0.1:1")
    async with await KubeClient.connect(path, user_agent="test/1") as api:
        with pytest.raises(Unreachable) as caught:
            await api.get(PATH)
    assert caught.value.status == 0


@pytest.mark.attack("R-02")
async def test_a_silent_server_costs_a_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.05)
    monkeypatch.setattr(module, "SILENCE_SECONDS", 0.05)
    async with served(tmp_path, hang) as api:
        for attempt in (api.get(PATH), api.create(PATH, {}), api.list(PATH, dict), watched(api)):
            with pytest.raises(Unreachable, match="Timeout"):
                await attempt


@pytest.mark.attack("R-02")
async def test_a_watch_that_falls_silent_ends_soon_after_its_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WATCH_SLACK", -0.9)
    async with served(tmp_path, falling_silent(LINE)) as api:
        events = api.watch(PATH, resource_version="1", seconds=1)
        assert await anext(events) == EVENT
        with pytest.raises(Unreachable, match="Timeout"):
            await anext(events)


async def test_the_deadline_of_a_watch_does_not_run_in_the_consumers_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WATCH_SLACK", -0.95)
    events = []
    async with served(tmp_path, streaming(LINE, LINE)) as api:
        async for event in api.watch(PATH, resource_version="1", seconds=1):
            await asyncio.sleep(0.1)
            events.append(event)
    assert events == [EVENT, EVENT]


async def test_the_last_event_counts_without_its_newline(tmp_path: Path) -> None:
    async with served(tmp_path, streaming(LINE, LINE.rstrip())) as api:
        assert await watched(api) == [EVENT, EVENT]


async def test_error_events_become_errors_of_their_kind(tmp_path: Path) -> None:
    gone = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n'
    async with served(tmp_path, streaming(gone)) as api:
        with pytest.raises(Gone):
            await watched(api)
    for odd in (b"null", b"{}", b"[]", b'{"code":"x"}', b'{"code":true}', b'{"code":200}'):
        line = b'{"type":"ERROR","object":' + odd + b"}\n"
        async with served(tmp_path, streaming(line)) as api:
            with pytest.raises(Unreachable):
                await watched(api)


async def test_a_stream_cut_within_an_event_is_no_orderly_end(tmp_path: Path) -> None:
    async with served(tmp_path, streaming(b'{"type":"ADDED","obj')) as api:
        with pytest.raises(Unreachable):
            await watched(api)


async def test_an_event_of_a_megabyte_comes_through(tmp_path: Path) -> None:
    event = json.dumps(EVENT | {"data": {"a": "x" * 1_400_000}}).encode()
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


async def test_leaving_a_watch_early_closes_its_connection(tmp_path: Path) -> None:
    closed = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await falling_silent(LINE)(request)
        finally:
            closed.set()

    async with served(tmp_path, handle) as api:
        async with aclosing(api.watch(PATH, resource_version="1", seconds=30)) as events:
            assert await anext(events) == EVENT
        await asyncio.wait_for(closed.wait(), 5)


async def test_requests_are_observed_by_verb_and_status(tmp_path: Path) -> None:
    observed = []
    async with serving(answering('{"a":1}')) as url:
        path = write_kubeconfig(tmp_path, url)
        async with await KubeClient.connect(
            path, user_agent="test/1", observe=lambda *told: observed.append(told)
        ) as api:
            await api.get(PATH)
    async with await KubeClient.connect(
        write_kubeconfig(tmp_path, "http://127.0.0.1:1"),
        user_agent="test/1",
        observe=lambda *told: observed.append(told),
    ) as api:
        with pytest.raises(Unreachable):
            await api.delete(PATH, uid=None, resource_version=None)
    assert observed == [("get", "200"), ("delete", "error")]


VERSIONS = st.sampled_from([None, 7, "", "7", "seven", "-7", "\u0667", "9" * 5000, [], {}])
METADATA = st.sampled_from([None, [], "x"]) | VERSIONS.map(lambda v: {"resourceVersion": v})
SECRETS = st.fixed_dictionaries(
    {},
    optional={
        "metadata": METADATA,
        "data": st.sampled_from([None, [], {"a": "eA=="}, {"a": "e"}, {"a": 7}, {"a": None}]),
    },
)
ANY = st.sampled_from([None, 7, math.nan, "x", [], {}, [[]]])
ANSWERS = ANY | st.fixed_dictionaries(
    {},
    optional={
        "metadata": METADATA,
        "items": ANY | st.lists(SECRETS | ANY, max_size=2),
        "type": st.sampled_from(["ADDED", "BOOKMARK", "DELETED", "ERROR", None, 7, {}]),
        "object": SECRETS | ANY,
    },
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ANSWERS, min_size=1, max_size=20))
async def test_whatever_is_answered_is_an_answer_or_an_api_error(
    tmp_path: Path, answers: list[object]
) -> None:
    texts = []
    for_now: object = None

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await answering(json.dumps(for_now))(request)

    async with served(tmp_path, handle) as api:
        source = Collection(api, PATH, secret_data)
        for for_now in answers:  # noqa: B007 (the server gives it)
            for attempt in (api.get(PATH), source.list(), source.version(), _drained(source)):
                try:
                    await attempt
                except ApiError as error:
                    texts.append(str(error))
    assert not any("eA==" in text for text in texts)


async def _drained(source: Collection[dict[str, bytes]]) -> None:
    async for change in source.watch("1", 1):
        assert change.version
