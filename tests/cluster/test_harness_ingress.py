"""The ingress sends each request to the next replica and does not change it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest

from harness.ingress import Ingress
from harness.processes import free_port


class _Replica(BaseHTTPRequestHandler):
    """Answers with the request."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        told = {
            "path": self.path,
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
            "body": body.decode(),
        }
        answer = json.dumps(told).encode()
        self.send_response(201)
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


@pytest.fixture
def replicas() -> Iterator[list[ThreadingHTTPServer]]:
    servers = [ThreadingHTTPServer(("127.0.0.1", free_port()), _Replica) for _ in range(2)]
    threads = [Thread(target=server.serve_forever, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    yield servers
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def ingress(replicas: list[ThreadingHTTPServer]) -> Iterator[Ingress]:
    with Ingress([server.server_port for server in replicas]) as running:
        yield running


@pytest.fixture
def client(ingress: Ingress) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{ingress.port}", trust_env=False) as running:
        yield running


def test_each_request_goes_to_the_next_replica(ingress: Ingress, client: httpx.Client) -> None:
    for _ in range(4):
        client.post("/")
    first, second, third, fourth = [served.replica for served in ingress.served]
    assert first == third
    assert second == fourth
    assert first != second


def test_a_pinned_replica_gets_every_request(ingress: Ingress, client: httpx.Client) -> None:
    ingress.pin(1)
    for _ in range(3):
        client.post("/")
    assert [served.replica for served in ingress.served] == [1, 1, 1]


def test_a_replica_that_refuses_connections_is_skipped(
    ingress: Ingress, client: httpx.Client, replicas: list[ThreadingHTTPServer]
) -> None:
    replicas[0].shutdown()
    replicas[0].server_close()
    assert [client.post("/").status_code for _ in range(3)] == [201, 201, 201]


def test_requests_and_answers_are_not_changed(client: httpx.Client) -> None:
    request = client.build_request("POST", "/a%2Fb/%7E;c?d=%20+&d=2", content=b"text")
    request.headers = httpx.Headers(
        [("Host", "mcp.example.com"), ("Content-Length", "4"), ("X-Twice", "1"), ("X-Twice", "2")]
    )
    answer = client.send(request)
    told = answer.json()
    assert answer.status_code == 201
    assert answer.headers.get_list("Set-Cookie") == ["a=1", "b=2"]
    assert told["path"] == "/a%2Fb/%7E;c?d=%20+&d=2"
    assert told["body"] == "text"
    assert sorted(map(tuple, told["headers"])) == [
        ("content-length", "4"),
        ("host", "mcp.example.com"),
        ("x-twice", "1"),
        ("x-twice", "2"),
    ]


def test_long_lines_pass(client: httpx.Client) -> None:
    assert client.post("/?" + "a" * 20_000, headers={"Cookie": "b" * 20_000}).status_code == 201
