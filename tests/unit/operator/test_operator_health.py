from __future__ import annotations

import socket

import httpx
import pytest

from productive_operator.health import PortUnavailable, Probes, serving


def probes(*, alive: bool = True, ready: bool = True) -> Probes:
    return Probes(alive=lambda: alive, ready=lambda: ready, details=lambda: {"watch_x": "stale"})


@pytest.mark.parametrize(
    ("health", "path", "status"),
    [
        (probes(), "/livez", 200),
        (probes(alive=False), "/livez", 503),
        (probes(ready=False), "/livez", 200),
        (probes(), "/readyz", 200),
        (probes(ready=False), "/readyz", 503),
        (probes(), "/other", 404),
    ],
)
async def test_probes_answer_by_status(health: Probes, path: str, status: int) -> None:
    async with serving(health, 0, "127.0.0.1") as port, httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"http://127.0.0.1:{port}{path}")
        assert answer.status_code == status


@pytest.mark.parametrize("ready", [True, False])
async def test_readiness_shows_the_state_of_parts_that_do_not_decide(ready: bool) -> None:
    async with (
        serving(probes(ready=ready), 0, "127.0.0.1") as port,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        answer = await http.get(f"http://127.0.0.1:{port}/readyz")
    report = answer.json()
    assert report["ready"] is ready
    assert report["checks"]["watch_x"] == "stale"
    assert (report["checks"]["mapping"] == "ok") is ready


async def test_metrics_are_served() -> None:
    async with (
        serving(probes(), 0, "127.0.0.1") as port,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        answer = await http.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "productive_operator_mapping_revision" in answer.text


async def test_a_port_in_use_is_named_with_the_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortUnavailable, match="set INTERNAL_PORT to a free one"):
            async with serving(probes(), taken.getsockname()[1], "127.0.0.1"):
                pass
