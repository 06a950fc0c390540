"""Starts what is measured: each server as a process of its own on one core."""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import httpx
from benchmarks.figures.processes import session_of
from benchmarks.mcp import peers
from benchmarks.mcp.wire import MODERN, message, result_in

from harness.deployment import CLIENT_ID, CLIENT_SECRET, ORGANIZATION, Deployment, environment
from harness.processes import (
    Program,
    ProgramFailed,
    free_port,
    listening,
    new_folder,
    pause,
    remove_folder,
)
from harness.signin import REDIRECT_URI, Visitor, challenge_of, query_of

ROOT = Path(__file__).parents[2]
TOKENS = ("token-1", "token-2", "token-3", "token-4")
"""Of servers that know their tokens from the start."""
PEOPLE = {
    "ana.kovac@northlight.example": ("simulator-ana-kovac", 9104),
    "ana.horvat@northlight.example": ("simulator-ana-horvat", 9105),
    "luka.babic@northlight.example": ("simulator-luka-babic", 9106),
    "luca.moretti@northlight.example": ("simulator-luca-moretti", 9107),
}
"""Who calls the gateway: one person may have fewer calls running than there are connections."""
LOOK_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Cores:
    """Where server and load run, so that they do not take turns."""

    server: int
    others: int

    @classmethod
    def of_this_machine(cls) -> Cores:
        """Return the first and the last that this process may use."""
        usable = sorted(os.sched_getaffinity(0))
        return cls(usable[0], usable[-1])


@dataclass(slots=True)
class Server:
    """One running server."""

    program: Program
    port: int
    host: str
    """What clients call it."""
    ready_seconds: float
    ready_cpu_seconds: float
    tokens: tuple[str, ...] = TOKENS
    direct_port: int | None = None
    """Of the Worker: past the entry Worker of miniflare."""

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def mcp_url(self) -> str:
        return f"{self.url}/mcp"

    def cpu_seconds(self) -> float:
        """Return what the program and its children have used."""
        return sum(stat.cpu_seconds for stat in session_of(self.program.pid))

    def resident_mb(self) -> float:
        """Return the memory of the program and its children."""
        return sum(stat.resident_bytes for stat in session_of(self.program.pid)) / 2**20


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
        server.tokens = tuple(_sign_in_at_once(server) for _ in TOKENS)
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
        # A visitor needs no more of a deployment than its addresses.
        with Visitor(cast(Deployment, server)) as visitor:
            client = visitor.register()
            server.tokens = tuple(
                str(visitor.tokens(client, email)["access_token"]) for email in PEOPLE
            )
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
        self.definitions.write_text(json.dumps([one for one in tools if one["name"] != "add"]))

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


def _sign_in_at_once(server: Server) -> str:
    """Return an access token of the Worker, which asks nobody for consent."""
    verifier = secrets.token_urlsafe(48)
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as http:
        metadata = {"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none"}
        client = http.post("/register", json={"client_name": "Benchmark", **metadata}).json()
        asked = {
            "response_type": "code",
            "client_id": client["client_id"],
            "redirect_uri": REDIRECT_URI,
            "scope": "mcp:read",
            "state": "state",
            "resource": server.mcp_url,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
        }
        code = query_of(http.get("/authorize", params=asked).headers["location"])["code"]
        form = {
            "grant_type": "authorization_code",
            "client_id": client["client_id"],
            "redirect_uri": REDIRECT_URI,
            "code": code,
            "code_verifier": verifier,
            "resource": server.mcp_url,
        }
        return str(http.post("/token", data=form).raise_for_status().json()["access_token"])
