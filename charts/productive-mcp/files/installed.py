"""`helm test`: whether the gateway answers, under the address that the chart gave it.

GATEWAY is its Service, PUBLIC_URL what it must call itself.
"""  # noqa: INP001 (run by itself in a pod)

import os
import sys
from urllib.parse import urlsplit

import httpx

GATEWAY = os.environ["GATEWAY"]
PUBLIC_URL = os.environ["PUBLIC_URL"]


def must(good: bool, problem: str) -> None:
    """End with a sentence unless it is good."""
    if not good:
        sys.exit(f"{problem}. See `kubectl logs` of the gateway.")


def main() -> None:
    """Ask for what a client asks for first."""
    # As the Ingress does: /mcp answers to its public name only.
    host = {"Host": urlsplit(PUBLIC_URL).netloc}
    # A cluster's network takes a moment to learn what a new pod may reach; this waits up to 7.5 s.
    patient = httpx.HTTPTransport(retries=5)
    with httpx.Client(transport=patient, base_url=GATEWAY, headers=host, timeout=10) as http:
        try:
            resource = http.get("/.well-known/oauth-protected-resource/mcp")
        except httpx.TransportError as error:
            sys.exit(f"{GATEWAY} does not answer: {error}. See `kubectl get pods` of the release.")
        must(resource.is_success, f"The resource's metadata answered {resource.status_code}")
        said = resource.json()["resource"]
        must(said == f"{PUBLIC_URL}/mcp", f"The resource calls itself {said}, not {PUBLIC_URL}/mcp")
        server = http.get("/.well-known/oauth-authorization-server")
        must(server.is_success, f"The server's metadata answered {server.status_code}")
        said = server.json()["issuer"]
        must(said == PUBLIC_URL, f"The issuer calls itself {said}, not {PUBLIC_URL}")
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        accept = {"Accept": "application/json, text/event-stream"}
        closed = http.post("/mcp", json=call, headers=accept)
        must(closed.status_code == 401, f"/mcp without a token answered {closed.status_code}")
        challenge = closed.headers.get("www-authenticate", "")
        must("resource_metadata=" in challenge, "The challenge does not lead to the metadata")
    sys.stdout.write(f"The gateway answers as {PUBLIC_URL}.\n")


main()
