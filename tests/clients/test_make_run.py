"""`make run`: one command, a browser and the Python SDK, without a cluster or an account."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from harness.browser import approve, chromium, sign_in
from harness.deployment import INHERITED, PROGRAMS
from harness.processes import Program, eventually, free_port, listening, new_folder, remove_folder
from harness.sdkclient import Assistant

EXAMPLES = Path(__file__).parents[2] / "examples"
ANA = "ana.kovac@northlight.example"
SEEN_WITHIN = 60.0
"""Seconds from a changed example to its effect. Both programs look about once a second; the rest is
for a busy machine."""


class LocalRun:
    """`productive-dev run` with its own copy of the examples."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.mcp_url = f"{self.url}/mcp"
        self.examples = folder / "examples"
        shutil.copytree(EXAMPLES, self.examples)
        self.program = Program(
            "run",
            [
                PROGRAMS / "productive-dev",
                "run",
                f"--port={self.port}",
                f"--examples={self.examples}",
                f"--env-file={folder / '.env'}",
            ],
            log=folder / "run.log",
            environment=_environment(),
        )

    def until_ready(self) -> None:
        self.program.until(lambda: "Ready: " in self.program.output())

    def edit(self, old: str, new: str) -> None:
        """Replace a text in all examples."""
        for file in self.examples.glob("*.yaml"):
            text = file.read_text()
            if old in text:
                file.write_text(text.replace(old, new))


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


@pytest.fixture
def local() -> Iterator[LocalRun]:
    folder = new_folder("run")
    running = LocalRun(folder)
    try:
        running.until_ready()
        yield running
    finally:
        running.program.kill()
        remove_folder(folder)


def status(local: LocalRun, assistant: Assistant) -> int:
    """Return how /mcp answers the assistant's own token."""
    assert assistant.memory.tokens is not None
    return httpx.post(
        local.mcp_url,
        headers={
            "Authorization": f"Bearer {assistant.memory.tokens.access_token}",
            "Accept": "application/json, text/event-stream",
        },
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
        timeout=30,
        trust_env=False,
    ).status_code


async def test_person_of_the_examples_logs_time_until_suspended(
    local: LocalRun,
) -> None:
    async with chromium() as browser:
        assistant = Assistant(local.mcp_url, ANA, browser)
        me = await assistant.call("get_me")
        assert me.structured_content["person"]["name"] == "Ana Kovač"
        entry = {"project": "Website relaunch", "service": "16880011", "hours": 0.5}
        logged = await assistant.call("log_time", {"entries": [{**entry, "allow_duplicate": True}]})
        assert logged.structured_content["results"][0]["ok"], logged.content
        assert assistant.sign_ins == 1

        local.edit("  userId: 9104\n", "  userId: 9104\n  suspend: true\n")
        await asyncio.to_thread(
            eventually,
            lambda: status(local, assistant) == 403,
            seconds=SEEN_WITHIN,
            what="the suspended person is refused",
        )
        local.edit("  userId: 9104\n  suspend: true\n", "  userId: 9104\n")
        await asyncio.to_thread(
            eventually,
            lambda: status(local, assistant) == 200,
            seconds=SEEN_WITHIN,
            what="the person is back, with the same sign-in",
        )


async def test_stranger_gets_the_no_access_page(local: LocalRun) -> None:
    async with chromium() as browser, httpx.AsyncClient(timeout=30, trust_env=False) as http:
        registered = await http.post(
            f"{local.url}/register",
            json={
                "client_name": "Assistant of the tests",
                "redirect_uris": ["http://127.0.0.1:1/cb"],
                "token_endpoint_auth_method": "none",
            },
        )
        query = httpx.QueryParams(
            response_type="code",
            client_id=registered.json()["client_id"],
            redirect_uri="http://127.0.0.1:1/cb",
            code_challenge="c" * 43,
            code_challenge_method="S256",
            resource=local.mcp_url,
        )
        page = await browser.new_page()
        await approve(page, f"{local.url}/authorize?{query}")
        await sign_in(page, "nobody@example.com")
        await page.get_by_role("heading", name="You have no access").wait_for()
        assert "nobody@example.com" in await page.inner_text("main, body")


def test_interrupt_ends_everything_without_traceback(local: LocalRun) -> None:
    issuer = httpx.URL(_line(local, "Development sign-in").split()[-1])
    assert issuer.port is not None
    assert listening(issuer.port)
    assert listening(local.port)
    local.program.signal(signal.SIGINT)
    assert local.program.wait() == 0
    assert not listening(issuer.port)
    assert not listening(local.port)
    assert "Traceback" not in local.program.output()


def test_only_this_machine_reaches_the_gateway(local: LocalRun) -> None:
    with socket.socket() as probe:
        probe.settimeout(1)
        # Another address of the loopback net stands for every address that is not 127.0.0.1: a
        # socket bound to all of them would answer here.
        assert probe.connect_ex(("127.0.0.2", local.port)) != 0


def _line(local: LocalRun, beginning: str) -> str:
    return next(line for line in local.program.output().splitlines() if line.startswith(beginning))
