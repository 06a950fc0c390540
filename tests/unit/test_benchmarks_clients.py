"""The runner of public clients, with a small client of our own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from benchmarks.clients import berwickgeek, druellan, sources, studiometa, time_mcp
from benchmarks.clients.__main__ import run
from benchmarks.clients.flows import Client, Flow
from benchmarks.clients.sources import Access, Command, Source

SCRIPT = """
import json, os, sys
import httpx

HEADERS = {
    "x-auth-token": os.environ["TOKEN"],
    "x-organization-id": "1200",
    "content-type": "application/vnd.api+json",
}


def answered(request):
    if request["method"] == "initialize":
        return {
            "protocolVersion": request["params"]["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "a client", "version": "1"},
        }
    if request["method"] == "tools/list":
        return {"tools": [{"name": "get", "inputSchema": {"type": "object"}}]}
    path = request["params"]["arguments"]["path"]
    answer = httpx.get(os.environ["URL"] + path, headers=HEADERS, trust_env=False)
    content = [{"type": "text", "text": answer.text}]
    return {"content": content, "isError": answer.is_error}


for line in sys.stdin:
    request = json.loads(line)
    if "id" in request:
        message = {"jsonrpc": "2.0", "id": request["id"], "result": answered(request)}
        print(json.dumps(message), flush=True)
"""


def installed(_: Source, folder: Path, mirror: Path | None) -> None:
    assert mirror is None
    (folder / "client.py").write_text(SCRIPT)


def started(folder: Path, access: Access) -> Command:
    words = (sys.executable, str(folder / "client.py"))
    return Command(words, {"URL": access.url, "TOKEN": access.token})


def get(path: str, refused: str | None = None) -> Flow:
    return Flow("get", {"path": path}, refused)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Source:
    monkeypatch.setattr(sources, "FOLDER", tmp_path)
    return Source("own", "1", installed, started)


async def test_flows_that_come_out_as_they_have_to_are_no_failures(source: Source) -> None:
    flows = (get("/tasks/20510087"), get("/tasks?filter[nothing]=1", "no such filter"))
    assert await run(Client(source, flows)) == []


async def test_flow_that_fails_is_reported_with_what_the_simulator_refused(source: Source) -> None:
    (failure,) = await run(
        Client(source, (get("/tasks?filter[nothing]=1"), get("/tasks/20510087")))
    )
    assert failure.startswith("get(path='/tasks?filter[nothing]=1') failed: ")
    assert failure.endswith("400 GET /tasks?filter[nothing]=1")


async def test_reason_of_a_refusal_that_is_out_of_date_is_reported(source: Source) -> None:
    (failure,) = await run(Client(source, (get("/tasks/20510087", "not simulated: tasks"),)))
    assert failure == "get(path='/tasks/20510087') worked, although: not simulated: tasks"


async def test_client_is_installed_once(source: Source, tmp_path: Path) -> None:
    await run(Client(source, ()))
    (tmp_path / "own-1" / "mine").touch()
    await run(Client(source, ()))
    assert (tmp_path / "own-1" / "mine").exists()


def test_numbers_of_flows_are_those_of_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()
    for client in (time_mcp.CLIENT, berwickgeek.CLIENT, druellan.CLIENT, studiometa.CLIENT):
        total = len(client.flows)
        refused = sum(flow.refused is not None for flow in client.flows)
        name, version = client.source.repository or client.source.name, client.source.version
        assert f"| {name} {version} | {total} | {total - refused} |" in page, name
