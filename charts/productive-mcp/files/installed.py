"""`helm test`: does the gateway answer, under the address that the chart gave it?

GATEWAY is the address of its Service, PUBLIC_URL the address that it must call itself.
"""  # noqa: INP001 (run by itself in a pod)

import os
import sys
from urllib.parse import urlsplit

import httpx

GATEWAY = os.environ["GATEWAY"]
PUBLIC_URL = os.environ["PUBLIC_URL"]
RESOURCE = "/.well-known/oauth-protected-resource/mcp"
SERVER = "/.well-known/oauth-authorization-server"


def must(good: bool, problem: str) -> None:
    """End the test with a message unless `good`."""
    if not good:
        sys.exit(f"{problem}. See `kubectl logs` of the gateway.")


def name_in(http: httpx.Client, path: str, member: str) -> object:
    """Return what a metadata document says the gateway's name is."""
    answer = http.get(path)
    must(answer.is_success, f"{path} answered {answer.status_code}")
    try:
        return answer.json()[member]
    except (ValueError, LookupError, TypeError):
        sys.exit(f"{path} answered with something else than metadata. Is {GATEWAY} the gateway?")


def check(http: httpx.Client) -> None:
    """Ask for what a client asks for first."""
    resource = name_in(http, RESOURCE, "resource")
    must(
        resource == f"{PUBLIC_URL}/mcp",
        f"The resource calls itself {resource}, not {PUBLIC_URL}/mcp",
    )
    issuer = name_in(http, SERVER, "issuer")
    must(issuer == PUBLIC_URL, f"The issuer calls itself {issuer}, not {PUBLIC_URL}")
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"Accept": "application/json, text/event-stream"}
    closed = http.post("/mcp", json=call, headers=accept)
    must(closed.status_code == 401, f"/mcp without a token answered {closed.status_code}")
    challenge = closed.headers.get("www-authenticate", "")
    must("resource_metadata=" in challenge, "The challenge of /mcp does not name the metadata")


def main() -> None:
    """Run the check; every failure is one line."""
    # As the Ingress does: /mcp answers to its public name only.
    host = {"Host": urlsplit(PUBLIC_URL).netloc}
    # A cluster's network takes a moment to learn what a new pod may reach; this waits up to 7.5 s.
    patient = httpx.HTTPTransport(retries=5)
    with httpx.Client(transport=patient, base_url=GATEWAY, headers=host, timeout=10) as http:
        try:
            check(http)
        except httpx.TransportError as error:
            sys.exit(f"{GATEWAY} does not answer: {error}. See `kubectl get pods` of the release.")
    sys.stdout.write(f"The gateway answers as {PUBLIC_URL}.\n")


main()
