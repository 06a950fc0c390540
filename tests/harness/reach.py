"""Checks from within a pod which targets it can reach, to test NetworkPolicies.

A target is `host:port` (TCP) or `dns:name` (a name to resolve). Nothing is sent: a target is
reached if the connection is established, not if it is refused or unanswered.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.kube import Object
from harness.processes import eventually
from harness.terminal import Terminal

DEV_IMAGE = "productive-mcp-dev:0.1.0"
IN_FORCE_SECONDS = 30
"""Time that the network may take to apply a new pod or policy."""
TRY = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def reached(target):
    host, _, port = target.rpartition(":")
    try:
        if host == "dns":
            socket.getaddrinfo(port, None)
        else:
            socket.create_connection((host, int(port)), timeout=3).close()
    except OSError:
        return False
    return True
with ThreadPoolExecutor(32) as pool:
    print(json.dumps(dict(zip(sys.argv[1:], pool.map(reached, sys.argv[1:])))))
"""
LISTEN = """
import asyncio
async def closed(reader, writer):
    writer.close()
async def main():
    for port in {ports}:
        await asyncio.start_server(closed, None, port)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod from which connections can be tried."""

    terminal: Terminal
    namespace: str
    name: str

    @property
    def address(self) -> str:
        """Its IP address."""
        asked = f"kubectl get pod -n {self.namespace} {self.name} -o json"
        return str(self.terminal.found(asked)["status"]["podIP"])

    def reached(self, targets: Sequence[str]) -> dict[str, bool]:
        """Return which targets it reaches."""
        line = f"kubectl exec -n {self.namespace} {self.name} -- python -c {shlex.quote(TRY)}"
        return dict(json.loads(self.terminal(f"{line} {shlex.join(targets)}")))

    def reaches(self, expected: Mapping[str, bool]) -> None:
        """Assert that it reaches these targets and not those, once policies are in force.

        Raises:
            AssertionError: it still differed when the time was up.
        """
        seen: dict[str, bool] = {}

        def look() -> bool:
            seen.update(self.reached(list(expected)))
            return seen == expected

        def right() -> bool:
            # Require two checks in a row: on a busy machine one may fail for other reasons.
            return all(look() for _ in range(2))

        try:
            eventually(right, seconds=IN_FORCE_SECONDS, what="flows as expected")
        except AssertionError:
            wrong = {
                target: seen[target] for target in expected if seen[target] != expected[target]
            }
            raise AssertionError(f"{self.namespace}/{self.name} reaches: {wrong}") from None


def listener(ports: Sequence[int]) -> list[str]:
    """Return the command of a container that accepts connections on these ports."""
    return ["python", "-c", LISTEN.format(ports=list(ports))]


def unrestricted(namespace: str, name: str, ports: Sequence[int] = ()) -> Object:
    """Return a pod of our development image that nothing restricts."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": "python",
                    "image": DEV_IMAGE,
                    "command": listener(ports),
                    # Low ports are root's.
                    "securityContext": {"runAsUser": 0},
                }
            ],
        },
    }


def started(terminal: Terminal, manifest: Object) -> Pod:
    """Start a pod and wait until it is ready."""
    namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
    terminal("kubectl apply -f -", given=json.dumps(manifest))
    terminal(f"kubectl wait -n {namespace} pod/{name} --for=condition=Ready --timeout=60s")
    return Pod(terminal, namespace, name)
