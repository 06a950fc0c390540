"""`productive-dev run` with a fake gateway: its environment, and how everything ends."""

import asyncio
import base64
import hashlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.processes import free_port
from productive_contract.mapping import decode_document
from productive_dev.cli import main
from productive_dev.local.gateway import GatewayStopped
from productive_dev.local.run import RunOptions, run
from productive_dev.sockets import PortError, is_loopback, listen

FAKE_GATEWAY = """
import http.server, json, os, pathlib, signal, sys
pathlib.Path(sys.argv[1]).write_text(json.dumps(dict(os.environ)))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["INTERNAL_PORT"])), Ready).serve_forever()
"""
VERIFIER = "v" * 43
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)


def person(name: str, number: int, token: str) -> str:
    return f"""
apiVersion: productive-mcp.dev/v1alpha1
kind: ProductiveUser
metadata: {{name: {name}}}
spec:
  email: {name}@northlight.example
  userId: {number}
  apiTokenSecretRef: {{name: {name}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: {name}}}
type: productive-mcp.dev/token
stringData: {{token: {token}}}
"""


class Run:
    """One run of the command, with its examples and output."""

    def __init__(self, folder: Path) -> None:
        self.examples = folder / "examples"
        self.examples.mkdir()
        self.add("ana.kovac", 9104, "simulator-ana-kovac")
        self.seen = folder / "environment.json"
        self.lines: list[str] = []
        self.stop = asyncio.Event()
        self.options = RunOptions(
            port=free_port(),
            examples=self.examples,
            env_file=folder / ".env",
            environ={"PATH": "/usr/bin:/bin", "READ_ONLY": "true"},
            command=(sys.executable, "-c", FAKE_GATEWAY, str(self.seen)),
        )

    def add(self, name: str, number: int, token: str) -> None:
        (self.examples / f"{name}.yaml").write_text(person(name, number, token))

    @property
    def environ(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.seen.read_text())
        return found

    @property
    def mapping(self) -> dict[str, Any]:
        document = decode_document(Path(self.environ["USER_MAPPING"]).read_bytes())
        return dict(document.people)

    def start(self) -> asyncio.Task[None]:
        return asyncio.create_task(run(self.options, self.lines.append, self.stop))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while True:
                if condition():
                    return
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def ready(self) -> AsyncIterator[None]:
        task = self.start()
        try:
            await self.until(lambda: task.done() or any("Ready:" in line for line in self.lines))
            yield
        finally:
            self.stop.set()
            async with asyncio.timeout(20):
                await task


def is_private(file: Path) -> bool:
    return file.stat().st_mode & 0o077 == 0


@pytest.fixture
def local(tmp_path: Path) -> Run:
    return Run(tmp_path)


async def test_the_gateway_gets_settings_that_keep_it_local(local: Run) -> None:
    async with local.ready():
        environ = local.environ
    address = f"http://localhost:{local.options.port}"
    assert environ["PUBLIC_URL"] == address
    assert environ["PORT"] == str(local.options.port)
    assert environ["GRANTS"] == "memory:"
    assert environ["PRODUCTIVE_ORG_ID"] == "1200"
    assert environ["READ_ONLY"] == "true"
    assert len(bytes.fromhex(environ["COOKIE_ENCRYPTION_KEY"])) == 32
    assert is_loopback(httpx.URL(environ["OIDC_ISSUER"]).host)
    assert is_loopback(httpx.URL(environ["PRODUCTIVE_API_BASE_URL"]).host)
    text = "\n".join(local.lines)
    assert f"{address}/mcp" in text
    assert "ana.kovac@northlight.example" in text
    assert environ["OIDC_CLIENT_SECRET"] not in text


async def test_the_token_of_an_example_works_at_the_simulator(local: Run) -> None:
    async with local.ready(), httpx.AsyncClient() as http:
        ana = local.mapping["ana.kovac@northlight.example"]
        answer = await http.get(
            local.environ["PRODUCTIVE_API_BASE_URL"] + "/organization_memberships",
            params={"include": "person"},
            headers={"X-Auth-Token": ana.api_token.reveal(), "X-Organization-Id": "1200"},
        )
        identity = answer.json()["data"][0]["relationships"]["person"]["data"]["id"]
        assert identity == str(ana.user_id)


async def test_the_sign_in_page_lists_the_examples_and_a_person_without_access(
    local: Run,
) -> None:
    async with local.ready(), httpx.AsyncClient() as http:
        environ = local.environ
        request = {
            "client_id": environ["OIDC_CLIENT_ID"],
            "redirect_uri": environ["PUBLIC_URL"] + "/callback",
            "response_type": "code",
            "scope": "openid email",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        page = await http.get(environ["OIDC_ISSUER"] + "/authorization", params=request)
        assert 'value="ana.kovac@northlight.example"' in page.text
        assert 'value="nobody@example.com"' in page.text


async def test_editing_an_example_changes_who_has_access(local: Run) -> None:
    async with local.ready():
        local.add("marko.cavic", 9103, "simulator-manager")
        await local.until(lambda: "marko.cavic@northlight.example" in local.mapping)
        (local.examples / "ana.kovac.yaml").unlink()
        await local.until(lambda: "ana.kovac@northlight.example" not in local.mapping)
        (local.examples / "broken.yaml").write_text("{")
        await local.until(lambda: any("the access that they had" in line for line in local.lines))
        assert "marko.cavic@northlight.example" in local.mapping
    assert any("The examples changed" in line for line in local.lines)


async def test_without_examples_it_starts_and_says_what_to_do(local: Run) -> None:
    (local.examples / "ana.kovac.yaml").unlink()
    async with local.ready():
        assert local.mapping == {}
    assert any("put a ProductiveUser" in line for line in local.lines)


async def test_the_folder_of_the_mapping_is_removed_at_the_end(local: Run) -> None:
    async with local.ready():
        mapping = Path(local.environ["USER_MAPPING"])
        assert is_private(mapping)
    assert not mapping.parent.exists()


async def test_a_real_setup_is_passed_on_without_idp_and_simulator(local: Run) -> None:
    local.options.env_file.write_text(
        "OIDC_ISSUER=https://idp.example.com\nOIDC_CLIENT_ID=c\nOIDC_CLIENT_SECRET=s\n"
        "USER_MAPPING=users.json\nPRODUCTIVE_ORG_ID=4711\n"
        "PUBLIC_URL=https://mcp.example.com\nGRANTS=kubernetes://grants\n"
        "MAPPING_SECRET=mapping\nKEY_RING_SECRET=keys\n"
        f"COOKIE_ENCRYPTION_KEY={'ab' * 32}\n"
    )
    async with local.ready():
        environ = local.environ
    assert environ["OIDC_ISSUER"] == "https://idp.example.com"
    assert environ["USER_MAPPING"] == "users.json"
    assert environ["COOKIE_ENCRYPTION_KEY"] == "ab" * 32
    assert "PRODUCTIVE_API_BASE_URL" not in environ
    # A local run stays on this machine, whatever the file says.
    assert environ["PUBLIC_URL"] == f"http://localhost:{local.options.port}"
    assert environ["GRANTS"] == "memory:"
    assert not {"MAPPING_SECRET", "KEY_RING_SECRET"} & environ.keys()
    assert not any("Simulator" in line for line in local.lines)


async def test_the_run_ends_with_the_exit_code_of_a_failed_gateway(tmp_path: Path) -> None:
    local = Run(tmp_path)
    options = local.options
    failing = RunOptions(
        options.port,
        options.examples,
        options.env_file,
        options.environ,
        (sys.executable, "-c", "raise SystemExit(3)"),
    )
    with pytest.raises(GatewayStopped, match="code 3"):
        await run(failing, local.lines.append, local.stop)


async def test_a_port_in_use_is_reported_before_anything_starts(local: Run) -> None:
    taken = listen(local.options.port)
    try:
        with pytest.raises(PortError, match=f"Port {local.options.port} is in use"):
            await run(local.options, local.lines.append, local.stop)
    finally:
        taken.close()
    assert local.lines == []


def test_mixed_settings_end_the_command_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("USER_MAPPING", "users.json")
    for name in ("OIDC_ISSUER", "ACCESS_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    assert main(["run", "--env-file", str(tmp_path / ".env"), "--examples", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("USER_MAPPING belongs to a real setup")
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "command",
    [
        ["simulator", "--host", "0.0.0.0"],
        ["idp", "--host", "0.0.0.0", "--redirect-uri", "http://localhost/callback"],
        ["idp", "--host", "192.0.2.1", "--redirect-uri", "http://localhost/callback"],
    ],
)
def test_development_servers_listen_on_loopback_by_default(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == 1
    assert "--beyond-loopback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("localhost.example.com", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_is_loopback_accepts_only_this_machine(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
