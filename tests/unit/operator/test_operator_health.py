from __future__ import annotations

import socket
from dataclasses import dataclass

import httpx
import pytest

from productive_operator.health import PortUnavailable, serving


@dataclass
class Held:
    alive: bool = True
    ready: bool = True


@pytest.mark.parametrize(
    ("health", "path", "status"),
    [
        (Held(), "/livez", 200),
        (Held(alive=False), "/livez", 503),
        (Held(ready=False), "/livez", 200),
        (Held(), "/readyz", 200),
        (Held(ready=False), "/readyz", 503),
        (Held(), "/other", 404),
    ],
)
async def test_probes_say_how_it_is(health: Held, path: str, status: int) -> None:
    async with serving(health, 0, "127.0.0.1") as port, httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"http://127.0.0.1:{port}{path}")
        assert answer.status_code == status


async def test_metrics_are_served() -> None:
    async with serving(Held(), 0, "127.0.0.1") as port, httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "productive_operator_mapping_revision" in answer.text


async def test_a_port_in_use_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortUnavailable, match="set INTERNAL_PORT to a free one"):
            async with serving(Held(), taken.getsockname()[1], "127.0.0.1"):
                pass
