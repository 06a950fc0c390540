"""A client that holds its request open while its person is taken away."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

import httpx
from benchmarks.revocation.run import Result, Thing
from benchmarks.revocation.subjects import GRANT, PERSON, Act, Subject, sign_in

from harness.deployment import Deployment
from harness.processes import eventually, pause
from harness.signin import Visitor

REPLICA: Final = 1
STEP_SECONDS: Final = 0.1
STEPS: Final = 60
"""Bodies that are held back, completed one after the other."""
BODY: Final = "client holds back the end of its body"
CALL: Final = "client waits for the answer of a running call"

_ACTS: Final[list[tuple[Thing, Act]]] = [
    *[("person", act) for act in PERSON.values()],
    *[("grant", act) for act in GRANT.values()],
]

Measure = Callable[[Deployment, Subject, Act], tuple[float, str]]


def measure_held(deployment: Deployment, runs: int, results: dict[str, Result]) -> None:
    """Measure both kinds of requests that are held open."""
    kinds: dict[str, Measure] = {BODY: _held_body, CALL: _running_call}
    with Visitor(deployment) as visitor:
        client = visitor.register()
        for _ in range(runs):
            for name, one in kinds.items():
                for thing, act in _ACTS:
                    subject = sign_in(deployment, visitor, client)
                    served, refused = one(deployment, subject, act)
                    samples = results[name][thing]
                    samples.served.append(served)
                    samples.answers.update([refused])


def _held_body(deployment: Deployment, subject: Subject, act: Act) -> tuple[float, str]:
    """Complete one held body after the other; returns when the last one was served."""
    message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}})
    held = [_begin(deployment, subject, message) for _ in range(STEPS)]
    sent = act(deployment, subject)
    served, refused = 0.0, ""
    for number, connection in enumerate(held):
        pause(max(0.0, sent + number * STEP_SECONDS - time.monotonic()))
        with connection:
            connection.sendall(message[-1:].encode())
            status = int(connection.recv(1 << 16).split(b" ", 2)[1])
        if status == httpx.codes.OK:
            served = time.monotonic() - sent
        else:
            refused = str(status)
    assert refused, "every held request was served"
    return served, refused


def _begin(deployment: Deployment, subject: Subject, message: str) -> socket.socket:
    """Send a request without the last byte of its body."""
    connection = socket.create_connection(("127.0.0.1", deployment.ports[REPLICA]), 30)
    head = (
        "POST /mcp HTTP/1.1\r\n"
        f"Host: {deployment.url.removeprefix('http://')}\r\n"
        f"Authorization: Bearer {subject.access_token}\r\n"
        "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
        f"Content-Length: {len(message)}\r\n\r\n"
    )
    connection.sendall((head + message[:-1]).encode())
    return connection


def _running_call(deployment: Deployment, subject: Subject, act: Act) -> tuple[float, str]:
    """Take away what a call runs under; returns when its answer ended."""
    faults = f"{deployment.simulator_url}/__simulator/faults"
    with httpx.Client(timeout=60, trust_env=False) as http:
        http.put(faults, json=[{"delay": 20.0, "times": 100}]).raise_for_status()
        ended: list[tuple[float, httpx.Response]] = []

        def call() -> None:
            answer = http.post(
                f"http://127.0.0.1:{deployment.ports[REPLICA]}/mcp",
                json={
                    "jsonrpc": "2.0",
                    "id": 1,
                    "method": "tools/call",
                    "params": {"name": "get_me", "arguments": {}},
                },
                headers={
                    "Accept": "application/json, text/event-stream",
                    "Authorization": f"Bearer {subject.access_token}",
                    "Host": deployment.url.removeprefix("http://"),
                },
            )
            ended.append((time.monotonic(), answer))

        thread = threading.Thread(target=call, daemon=True)
        thread.start()
        # The call is under way; nothing shows that from outside. It is checked every two seconds.
        pause(0.3 + random.uniform(0.0, 2.0))
        sent = act(deployment, subject)
        eventually(lambda: bool(ended), seconds=30, what="the call ended")
        thread.join()
        http.put(faults, json=[]).raise_for_status()
    moment, answer = ended[0]
    assert "result" not in answer.text, answer.text
    how = "ended without a result" if answer.is_success else str(answer.status_code)
    return moment - sent, how
