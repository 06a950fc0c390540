"""Many ProductiveUsers with their token Secrets on a real API server, and changes of them."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from harness.cluster import Cluster
from productive_contract.names import TOKEN_TYPE

GROUP_PATH = "/apis/productive-mcp.dev/v1alpha1"
IN_FLIGHT = 32


def email(number: int) -> str:
    return f"person-{number:05}@northlight.example"


class Crowd:
    """The people of one installation, as the administrator handles them."""

    def __init__(self, http: aiohttp.ClientSession, namespace: str) -> None:
        self._http = http
        self._namespace = namespace
        self._users = f"{GROUP_PATH}/namespaces/{namespace}/productiveusers"
        self._secrets = f"/api/v1/namespaces/{namespace}/secrets"

    async def make(self, numbers: Iterable[int]) -> None:
        await each(numbers, self.add)

    async def add(self, number: int) -> None:
        name = f"p{number:05}"
        await self._ask("POST", self._secrets, _secret(name))
        spec = {
            "email": email(number),
            "userId": 1 + number,
            "apiTokenSecretRef": {"name": f"{name}-productive"},
        }
        body = {
            "apiVersion": "productive-mcp.dev/v1alpha1",
            "kind": "ProductiveUser",
            "metadata": {"name": name},
            "spec": spec,
        }
        await self._ask("POST", self._users, body)

    async def remove(self, number: int) -> None:
        await self._ask("DELETE", f"{self._users}/p{number:05}")

    async def change(self, number: int, **spec: Any) -> None:
        await self._ask("PATCH", f"{self._users}/p{number:05}", {"spec": spec})

    async def suspend(self, numbers: Iterable[int]) -> None:
        await each(numbers, lambda number: self.change(number, suspend=True))

    async def rotate(self, number: int, token: str) -> None:
        body = {"data": {"token": base64.b64encode(token.encode()).decode()}}
        await self._ask("PATCH", f"{self._secrets}/p{number:05}-productive", body)

    async def touch(self, number: int) -> None:
        """Change a Secret in a way that means nothing to anybody."""
        body = {"metadata": {"annotations": {"touched": uuid.uuid4().hex}}}
        await self._ask("PATCH", f"{self._secrets}/p{number:05}-productive", body)

    async def read_all(self) -> int:
        """List both kinds and decode them: what no operator can do without; returns how many."""
        count = 0
        for path in (self._users, self._secrets):
            async with self._http.get(path) as answer:
                count += len(json.loads(await answer.read())["items"])
        return count

    async def _ask(self, method: str, path: str, body: Any = None) -> None:
        headers = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else None
        async with self._http.request(method, path, json=body, headers=headers) as answer:
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status} {await answer.text()}")
            await answer.read()


@asynccontextmanager
async def crowd_of(cluster: Cluster) -> AsyncIterator[Crowd]:
    """Open the installation as its administrator."""
    admin = cluster.plane.admin
    connector = aiohttp.TCPConnector(ssl=admin.tls(cluster.folder), limit=IN_FLIGHT)
    async with aiohttp.ClientSession(admin.server, connector=connector) as http:
        yield Crowd(http, cluster.names.users)


async def each(numbers: Iterable[int], work: Callable[[int], Awaitable[None]]) -> None:
    """Do something for all of them, a fixed number at a time."""
    waiting = iter(numbers)

    async def take() -> None:
        for number in waiting:
            await work(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(take())


def _secret(name: str) -> dict[str, Any]:
    # 36 characters, as Productive's tokens have.
    token = base64.b64encode(str(uuid.uuid4()).encode()).decode()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"{name}-productive"},
        "type": TOKEN_TYPE,
        "data": {"token": token},
    }
