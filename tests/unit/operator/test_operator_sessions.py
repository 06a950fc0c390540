"""What Kopf's requests show: windows, lists after a gap, a CRD that is gone, refused tokens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from harness.grantkit import eventually
from productive_kube.client import KubeClient
from productive_operator import sessions as module
from productive_operator.sessions import Sessions
from productive_operator.watches import Watches

USERS = "/apis/productive-mcp.dev/v1alpha1/namespaces/x/productiveusers"
SECRETS = "/api/v1/namespaces/x/secrets"


@dataclass
class Server:
    """Answers every request with the first status that is left, else 200."""

    statuses: list[int] = field(default_factory=list)
    served: list[bool] = field(default_factory=list)
    """Answers to whether ProductiveUsers are known; yes when none is left."""
    requests: list[web.BaseRequest] = field(default_factory=list)
    enqueued: list[str] = field(default_factory=list)
    watches: Watches = field(default_factory=Watches)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        return web.json_response({}, status=self.statuses.pop(0) if self.statuses else 200)

    async def still_served(self) -> bool:
        return self.served.pop(0) if self.served else True

    @asynccontextmanager
    async def sessions(self, folder: Path) -> AsyncIterator[Sessions]:
        runner = web.ServerRunner(web.Server(self.answer), shutdown_timeout=0.1)
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
            async with await KubeClient.connect(kubeconfig, user_agent="tests") as client:
                opened = Sessions(client, self.watches, self.enqueued.append, self.still_served)
                async with aclosing(opened):
                    yield opened
        finally:
            await runner.cleanup()

    async def ask(self, sessions: Sessions, path: str) -> int:
        async with (
            asyncio.timeout(5),
            await sessions.open() as session,
            session.get(sessions.server + path) as answer,
        ):
            return answer.status


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_FROM", 0.001)
    monkeypatch.setattr(module, "PAUSE_TO", 0.001)


async def test_requests_carry_our_token_and_another_name_than_our_own(tmp_path: Path) -> None:
    server = Server()
    async with server.sessions(tmp_path) as sessions:
        await server.ask(sessions, "/api")
    [request] = server.requests
    assert request.headers["Authorization"] == "Bearer abc"
    assert request.headers["User-Agent"] == "productive-operator/kopf"
    assert server.enqueued == []


@pytest.mark.parametrize("path", [USERS, SECRETS])
async def test_a_list_asks_for_a_pass_and_is_a_sign_of_life(tmp_path: Path, path: str) -> None:
    server = Server()
    for watch in server.watches:
        for content in ("a", "ab"):
            watch.compare(frozenset(content), 0.0)
    async with server.sessions(tmp_path) as sessions:
        await server.ask(sessions, f"{path}?limit=500")
    assert server.enqueued == ["list"]
    doubted = {watch.name: watch.in_doubt for watch in server.watches}
    name = path.rpartition("/")[2]
    assert doubted == {"productiveusers": True, "secrets": True} | {name: False}


async def test_a_window_that_opens_makes_the_watch_young_and_asks_for_nothing(
    tmp_path: Path,
) -> None:
    server = Server()
    async with server.sessions(tmp_path) as sessions:
        await server.ask(sessions, f"{USERS}?watch=true&resourceVersion=5")
    assert server.enqueued == []
    assert server.watches.users.age < 5
    assert server.watches.secrets.age == float("inf")


@pytest.mark.parametrize("status", [401, 403, 500])
async def test_a_request_that_fails_shows_nothing(tmp_path: Path, status: int) -> None:
    server = Server([status, status])
    async with server.sessions(tmp_path) as sessions:
        assert await server.ask(sessions, f"{USERS}?limit=500") == status
        assert await server.ask(sessions, f"{USERS}?watch=true") == status
    assert server.enqueued == []
    assert server.watches.users.age == float("inf")


async def test_a_404_of_a_proxy_in_between_is_asked_again(tmp_path: Path) -> None:
    server = Server([404, 404])
    async with server.sessions(tmp_path) as sessions:
        assert await server.ask(sessions, f"{USERS}?watch=true") == 200
    assert len(server.requests) == 3


async def test_when_the_crd_is_gone_kopf_waits_for_the_end(tmp_path: Path) -> None:
    server = Server([404, 404], served=[True, False])
    async with server.sessions(tmp_path) as sessions:
        asked = asyncio.create_task(server.ask(sessions, f"{USERS}?watch=true"))
        await eventually(lambda: not server.served, what="the CRD is known to be gone")
        done, _ = await asyncio.wait([asked], timeout=0.1)
        asked.cancel()
    assert not done
    assert len(server.requests) == 2


async def test_logins_that_follow_each_other_are_paced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    server = Server()
    async with server.sessions(tmp_path) as sessions:
        monkeypatch.setattr(asyncio, "sleep", pause)
        first = await sessions.open()
        assert pauses == []
        await first.close()
        second = await sessions.open()
        assert len(pauses) == 1
        assert module.PAUSE_FROM / 2 <= pauses[0] <= module.PAUSE_FROM
        monkeypatch.undo()
        assert second is not first
    assert second.closed
