"""One gateway in local mode, its grants in memory, at a provider of the test's choice.

What foreign clients and providers need, without a cluster: it starts in a second or two.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from harness.deployment import CLIENT_ID, CLIENT_SECRET, ORGANIZATION, PROGRAMS, environment
from harness.npm import node, script
from harness.processes import Program, free_port, listening, new_folder, remove_folder

ANA = "ana.kovac@northlight.example"
PEOPLE = {ANA: {"userId": 9104, "apiToken": "simulator-ana-kovac"}}


@dataclass
class Standalone:
    """A gateway, the simulator and a provider, as processes of one test."""

    folder: Path
    settings: Mapping[str, str]
    port: int = field(default_factory=free_port)
    internal_port: int = field(default_factory=free_port)
    simulator_port: int = field(default_factory=free_port)
    provider_port: int = field(default_factory=free_port)
    programs: dict[str, Program] = field(default_factory=dict)
    issuer: str = ""
    """By default that of the providers that are shaped like Cloudflare Access."""
    gateway: Sequence[str | Path] = (PROGRAMS / "productive-gateway", "serve")
    """The command that starts the gateway."""

    def __post_init__(self) -> None:
        host = f"http://127.0.0.1:{self.provider_port}"
        self.issuer = f"{host}/cdn-cgi/access/sso/oidc/{CLIENT_ID}"

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def mcp_url(self) -> str:
        return f"{self.url}/mcp"

    @property
    def callback(self) -> str:
        return f"{self.url}/callback"

    def start(self, name: str, *command: str | Path, settings: Mapping[str, str]) -> Program:
        """Start a program with exactly these settings."""
        self.programs[name] = Program(
            name, command, log=self.folder / f"{name}.log", environment=environment(settings)
        )
        return self.programs[name]

    def start_dev_provider(self) -> None:
        """Start our own provider."""
        self.start(
            "idp",
            PROGRAMS / "productive-dev",
            "idp",
            f"--port={self.provider_port}",
            f"--client-id={CLIENT_ID}",
            f"--redirect-uri={self.callback}",
            "--control",
            settings={"OIDC_CLIENT_SECRET": CLIENT_SECRET},
        )
        self.programs["idp"].until(lambda: listening(self.provider_port))

    def start_foreign_provider(self) -> None:
        """Start npm's oidc-provider."""
        self.start(
            "provider",
            node(),
            script("provider.mjs"),
            settings={
                "PORT": str(self.provider_port),
                "CLIENT_ID": CLIENT_ID,
                "CLIENT_SECRET": CLIENT_SECRET,
                "CALLBACK": self.callback,
            },
        )
        self.programs["provider"].until(lambda: listening(self.provider_port))

    def control(self, method: str, path: str, document: Any = None) -> None:
        """Use the control address of the foreign provider."""
        url = f"http://127.0.0.1:{self.provider_port}/_control/{path}"
        httpx.request(method, url, json=document, trust_env=False).raise_for_status()

    def start_gateway(self) -> None:
        """Start the simulator and the gateway, and wait until it is ready."""
        self.start(
            "simulator",
            PROGRAMS / "productive-dev",
            "simulator",
            f"--port={self.simulator_port}",
            settings={},
        )
        self.start(
            "gateway",
            *self.gateway,
            settings={
                "PUBLIC_URL": self.url,
                "PORT": str(self.port),
                "INTERNAL_PORT": str(self.internal_port),
                "COOKIE_ENCRYPTION_KEY": "6b" * 16 + "0123456789abcdef0f1e2d3c4b5a6978",
                "USER_MAPPING": json.dumps(PEOPLE),
                "OIDC_ISSUER": self.issuer,
                "OIDC_CLIENT_ID": CLIENT_ID,
                "OIDC_CLIENT_SECRET": CLIENT_SECRET,
                "PRODUCTIVE_API_BASE_URL": f"http://127.0.0.1:{self.simulator_port}/api/v2",
                "PRODUCTIVE_ORG_ID": ORGANIZATION,
                **self.settings,
            },
        )
        self.programs["simulator"].until(lambda: listening(self.simulator_port))
        self.until_ready()

    def until_ready(self) -> None:
        """Wait until the gateway serves."""
        self.programs["gateway"].until(lambda: listening(self.port))


@contextmanager
def standalone(**settings: str) -> Iterator[Standalone]:
    """Prepare one during the block; the test starts its parts. Settings are the gateway's."""
    folder = new_folder("standalone")
    mine = Standalone(folder, settings)
    try:
        yield mine
    finally:
        for program in mine.programs.values():
            program.kill()
        remove_folder(folder)
