"""A receiver of OTLP over HTTP: what a collector would get, or what one passes on."""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PATH = "/v1/traces"


@dataclass(frozen=True, slots=True)
class Received:
    """A span as it arrived."""

    name: str
    trace: str
    id: str
    parent: str
    service: str
    text: str
    """All of it."""


class TraceReceiver:
    """Takes spans as protobuf or JSON."""

    def __init__(self, port: int = 0) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.status == HTTPStatus.OK:
                    receiver.take(self.path, self.headers["Content-Type"], body)
                self.send_response(receiver.status)
                self.send_header("Content-Type", self.headers["Content-Type"])
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.spans: list[Received] = []
        self.status = HTTPStatus.OK
        """Of its answers; with another one it takes nothing."""
        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def take(self, path: str, content_type: str, body: bytes) -> None:
        assert path == PATH
        if content_type == "application/json":
            self.spans += _spans(json.loads(body), bytes.fromhex)
            return
        assert content_type == "application/x-protobuf"
        request = ExportTraceServiceRequest.FromString(body)
        self.spans += _spans(MessageToDict(request), b64decode)

    def find(self, name: str) -> list[Received]:
        return [span for span in self.spans if span.name == name]


@contextmanager
def trace_receiver() -> Iterator[TraceReceiver]:
    receiver = TraceReceiver()
    thread = threading.Thread(target=receiver.server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        thread.join()
        receiver.server.server_close()


def _spans(document: dict[str, Any], read_id: Any) -> Iterator[Received]:
    for of_resource in document["resourceSpans"]:
        attributes = of_resource["resource"]["attributes"]
        [service] = [
            one["value"]["stringValue"] for one in attributes if one["key"] == "service.name"
        ]
        for of_scope in of_resource["scopeSpans"]:
            for span in of_scope["spans"]:
                yield Received(
                    name=span["name"],
                    trace=read_id(span["traceId"]).hex(),
                    id=read_id(span["spanId"]).hex(),
                    parent=read_id(span.get("parentSpanId", "")).hex(),
                    service=service,
                    text=json.dumps(span),
                )
