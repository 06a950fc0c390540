"""Starts what is measured: each server as a process of its own on one core."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from benchmarks.mcp import peers
from benchmarks.mcp.server import TOKENS, Cores, Server
from benchmarks.mcp.sign_in import PEOPLE, gateway_tokens, worker_token
from benchmarks.mcp.wire import MODERN, message, result_in

from harness.deployment import CLIENT_ID, CLIENT_SECRET, ORGANIZATION, environment
from harness.processes import (
    Program,
    ProgramFailed,
    free_port,
    listening,
    new_folder,
    pause,
    remove_folder,
)

ROOT = Path(__file__).parents[2]
LOOK_SECONDS = 0.005


@dataclass
class Site:
    """Everything that runs, in a folder of its own."""

    folder: Path
    cores: Cores
    definitions: Path = field(init=False)
    simulator_port: int = field(default_factory=free_port)
    programs: list[Program] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.definitions = self.folder / "definitions.json"
        (self.folder / "tokens.json").write_text(json.dumps(TOKENS))

    @property
    def _tokens(self) -> str:
        return str(self.folder / "tokens.json")

    def start(self, name: str) -> Server:
        """Start a server by its name in `SERVERS` and sign in to it, if that is how it works."""
        return SERVERS[name](self)

    def start_simulator(self) -> Program:
        """Start what the gateway asks."""
        command = self._python("benchmarks.mcp.simulator", str(self.simulator_port))
        simulator = self._program("simulator", command, core=self.cores.others)
        simulator.until(lambda: listening(self.simulator_port))
        return simulator

    def plain(self, name: str, module: str, *arguments: str) -> Server:
        """Start a server of ours that knows its tokens."""
        port = free_port()
        return self._started(name, port, self._python(module, str(port), *arguments))

    def sdk(self, mode: str, *, sixty: bool = False) -> Server:
        """Start the SDK alone."""
        more = [str(self.definitions)] if sixty else []
        return self.plain("sdk", "benchmarks.mcp.servers.sdk", mode, self._tokens, *more)

    def fastmcp(self, *, sixty: bool = False) -> Server:
        """Start FastMCP."""
        port = free_port()
        script = ROOT / "benchmarks/mcp/servers/with_fastmcp.py"
        more = [str(self.definitions)] if sixty else []
        command: list[str | Path] = [peers.fastmcp_python(), script, str(port), self._tokens, *more]
        return self._started("fastmcp", port, command)

    def worker(self, *, sixty: bool = False) -> Server:
        """Start the Worker on workerd, and sign in to it."""
        port, direct = free_port(), free_port()
        more = [str(self.definitions)] if sixty else []
        command: list[str | Path] = [*peers.worker_command(), str(port), str(direct), *more]
        server = self._started("worker", port, command)
        server.direct_port = direct
        server.tokens = tuple(worker_token(server) for _ in TOKENS)
        return server

    def gateway(self) -> Server:
        """Start the gateway and a provider, and sign everybody in."""
        port, internal, provider = free_port(), free_port(), free_port()
        url = f"http://localhost:{port}"
        idp = self._start_provider(provider, f"{url}/callback")
        settings = {
            "PUBLIC_URL": url,
            "PORT": str(port),
            "INTERNAL_PORT": str(internal),
            "COOKIE_ENCRYPTION_KEY": "6b" * 16 + "0123456789abcdef0f1e2d3c4b5a6978",
            "USER_MAPPING": json.dumps(
                {
                    email: {"userId": number, "apiToken": token}
                    for email, (token, number) in PEOPLE.items()
                }
            ),
            "OIDC_ISSUER": f"http://127.0.0.1:{provider}/cdn-cgi/access/sso/oidc/{CLIENT_ID}",
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "PRODUCTIVE_API_BASE_URL": f"http://127.0.0.1:{self.simulator_port}/api/v2",
            "PRODUCTIVE_ORG_ID": ORGANIZATION,
        }
        command = self._python("benchmarks.mcp.gateway", "serve")
        server = self._started("gateway", port, command, settings, host=f"localhost:{port}")
        server.tokens = gateway_tokens(server)
        idp.kill()
        return server

    def write_definitions(self, gateway: Server) -> None:
        """Write the tools that the gateway lists, so that others list the same."""
        asked = message("tools/list", MODERN)
        answer = httpx.post(
            gateway.mcp_url,
            content=asked.body,
            headers={**asked.headers, "Authorization": f"Bearer {gateway.tokens[0]}"},
            trust_env=False,
        )
        tools = result_in(answer.headers["content-type"], answer.text)["tools"]
        others = [one for one in tools if one["name"] != "add"]
        self.definitions.write_text(json.dumps(others, separators=(",", ":"), ensure_ascii=False))

    def _start_provider(self, port: int, callback: str) -> Program:
        command: list[str | Path] = [
            Path(sys.executable).with_name("productive-dev"),
            *("idp", f"--port={port}", f"--client-id={CLIENT_ID}", f"--redirect-uri={callback}"),
        ]
        settings = {"OIDC_CLIENT_SECRET": CLIENT_SECRET}
        provider = self._program("idp", command, settings, core=self.cores.others)
        provider.until(lambda: listening(port))
        return provider

    def _started(
        self,
        name: str,
        port: int,
        command: Sequence[str | Path],
        settings: Mapping[str, str] | None = None,
        *,
        host: str | None = None,
    ) -> Server:
        begun = time.monotonic()
        program = self._program(name, command, settings or {}, core=self.cores.server)
        while not listening(port):
            if not program.running:
                ending = program.output()[-3000:]
                raise ProgramFailed(f"{name} ended before it was ready:\n{ending}")
            pause(LOOK_SECONDS)
        ready = time.monotonic() - begun
        server = Server(program, port, host or f"127.0.0.1:{port}", ready, 0.0)
        server.ready_cpu_seconds = server.cpu_seconds()
        return server

    def _python(self, module: str, *arguments: str) -> list[str | Path]:
        return [sys.executable, "-m", module, *arguments]

    def _program(
        self,
        name: str,
        command: Sequence[str | Path],
        settings: Mapping[str, str] | None = None,
        *,
        core: int,
    ) -> Program:
        program = Program(
            name,
            ["taskset", "-c", str(core), *command],
            log=self.folder / f"{name}-{len(self.programs)}.log",
            environment=environment({"PYTHONPATH": str(ROOT), **(settings or {})}),
        )
        self.programs.append(program)
        return program


SERVERS: Mapping[str, Callable[[Site], Server]] = {
    "asgi": lambda site: site.plain("asgi", "benchmarks.mcp.servers.asgi"),
    "route": lambda site: site.plain("route", "benchmarks.mcp.servers.route"),
    "route-60": lambda site: site.plain(
        "route", "benchmarks.mcp.servers.route", str(site.definitions)
    ),
    "sdk-json": lambda site: site.sdk("json"),
    "sdk-stream": lambda site: site.sdk("stream"),
    "sdk-60": lambda site: site.sdk("json", sixty=True),
    "fastmcp": Site.fastmcp,
    "fastmcp-60": lambda site: site.fastmcp(sixty=True),
    "worker": Site.worker,
    "worker-60": lambda site: site.worker(sixty=True),
    "gateway": Site.gateway,
}


@contextmanager
def site() -> Iterator[Site]:
    """Prepare a site during the block; everything that it started ends with it."""
    made = Site(new_folder("mcp-bench"), Cores.of_this_machine())
    try:
        yield made
    finally:
        for program in made.programs:
            program.kill()
        remove_folder(made.folder)
