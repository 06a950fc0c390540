"""A simulator in memory, with a client that speaks to it as a person."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

import httpx

from productive_dev.simulator.app import simulator
from productive_dev.simulator.config import SimulatorConfig
from productive_dev.simulator.world import World

MONDAY = datetime(2026, 11, 23, 9, tzinfo=ZoneInfo("Europe/Zagreb")).timestamp()
JSON_API = "application/vnd.api+json"
BULK = f"{JSON_API}; ext=bulk"
ANA = "simulator-ana-kovac"
HORVAT = "simulator-ana-horvat"
MANAGER = "simulator-manager"
DIRECTOR = "simulator-director"
CLIENT = "simulator-client"


@dataclass(frozen=True)
class Simulation:
    """Requests of one person."""

    http: httpx.AsyncClient
    world: World
    token: str = ANA
    organization: str | None = "1200"

    def as_(self, token: str, organization: str | None = "1200") -> Simulation:
        return replace(self, token=token, organization=organization)

    async def send(
        self, method: str, path: str, body: Any = None, *, bulk: bool = False, **parameters: str
    ) -> httpx.Response:
        """Send a request; `path` may have a query of its own."""
        media = BULK if bulk else JSON_API
        path, _, query = path.partition("?")
        pairs = [*parse_qsl(query, keep_blank_values=True), *parameters.items()]
        headers = {"x-auth-token": self.token, "content-type": media, "accept": media}
        if self.organization is not None:
            headers["x-organization-id"] = self.organization
        return await self.http.request(
            method,
            f"/api/v2/{path}?{urlencode(pairs)}",
            headers=headers,
            content=None if body is None else json.dumps(body),
        )

    async def get(self, path: str, **parameters: str) -> Any:
        answer = await self.send("GET", with_query(path, parameters))
        assert answer.status_code == 200, answer.text[:500]
        return answer.json()

    async def ids(self, path: str, **parameters: str) -> list[str]:
        document = await self.get(path, **{"page[size]": "200", **parameters})
        return [item["id"] for item in document["data"]]

    async def one(self, path: str, **parameters: str) -> dict[str, Any]:
        """Return the attributes of a record."""
        attributes: dict[str, Any] = (await self.get(path, **parameters))["data"]["attributes"]
        return attributes

    async def write(self, method: str, path: str, data: Any = None, **parameters: str) -> Any:
        answer = await self.send(method, with_query(path, parameters), {"data": data})
        assert answer.status_code in (200, 201), answer.text
        return answer.json()["data"]

    async def refused(self, method: str, path: str, data: Any = None) -> tuple[int, list[Any]]:
        """Return the status and, per error, the code and what it points at."""
        body = None if data is None else {"data": data}
        answer = await self.send(method, path, body)
        assert answer.status_code >= 400, answer.text
        errors = answer.json()["errors"]
        return answer.status_code, [(e.get("code"), pointer(e), e.get("detail")) for e in errors]

    async def control(self, method: str, path: str, order: Any = None) -> Any:
        answer = await self.http.request(method, f"/__simulator/{path}", json=order)
        assert answer.status_code == 200, answer.text
        return answer.json()


def with_query(path: str, parameters: Mapping[str, str]) -> str:
    """Return a path with further parameters."""
    joint = "&" if "?" in path else "?"
    return f"{path}{joint}{urlencode(parameters)}" if parameters else path


def pointer(error: dict[str, Any]) -> str:
    """Return the attribute that an error points at."""
    text: str = error.get("source", {}).get("pointer", "")
    return text.removeprefix("data/attributes/")


def link(kind: str, number: str | None) -> dict[str, Any]:
    """Return a relationship to one record, or to none."""
    return {"data": None if number is None else {"type": kind, "id": number}}


def document(kind: str, attributes: Any = None, number: str | None = None, **links: Any) -> Any:
    """Return a resource object; `links` are relationships."""
    made: dict[str, Any] = {"type": kind, "attributes": attributes or {}, "relationships": links}
    return made if number is None else {**made, "id": number}


@asynccontextmanager
async def simulation(**settings: Any) -> AsyncIterator[Simulation]:
    """A simulator at the beginning of its seed, on a Monday at nine."""
    config = SimulatorConfig(
        **{
            "clock": lambda: MONDAY,
            "control": True,
            "requests_per_token": 10**6,
            "requests_per_organization": 10**6,
            **settings,
        }
    )
    app = simulator(config)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://sim") as http:
        yield Simulation(http, app.state.world)
