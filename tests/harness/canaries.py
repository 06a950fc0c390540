"""Secrets of a deployment, searched for wherever an administrator or a stranger could read.

Every deployment is searched when its tests are over, so the whole suite is the traffic: the logs of
operator and gateways (at debug), their metrics, command lines and environments, the events, the
ProductiveUsers with their status, and the grants. What is looked for are the secrets that exist
(tokens of people, keys, the client secret, the PKCE verifiers of the tests' clients) and everything
that has the form of one of ours or of an ID token.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import httpx

from harness.cluster import Cluster
from harness.deployment import CLIENT_SECRET, Deployment
from harness.kube import secret_data, secrets_path
from productive_contract.names import GROUP, KEY_RING_KEY, TOKEN_TYPE, VERSION

_FORMS: Final = {
    "a token or code of the gateway": re.compile(r"pmcp_(?:at|rt|ac)_[A-Za-z0-9._-]{20,}"),
    "a client id with its seal": re.compile(r"pmcp_dc_[A-Za-z0-9._-]{20,}"),
    "a JWT": re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
}
SHORTEST: Final = 12
"""Characters of a token that is looked for; tests write shorter ones, which are words."""
VERIFIERS: Final[set[str]] = set()
"""PKCE verifiers that clients of the tests use."""


def leaks(deployment: Deployment) -> list[str]:
    """Return which secret is where; never the secret itself."""
    known = {value: what for what, value in _secrets(deployment.cluster)}
    return [
        f"{place}: {what}"
        for place, text, allowed in _places(deployment)
        for what in _found(text, known)
        if what not in allowed
    ]


def _found(text: str, known: Mapping[str, str]) -> Iterator[str]:
    for value, what in known.items():
        if value in text:
            yield what
    for what, form in _FORMS.items():
        if form.search(text):
            yield what


def _secrets(cluster: Cluster) -> Iterator[tuple[str, str]]:
    names = cluster.names
    yield "the client secret", CLIENT_SECRET
    for verifier in VERIFIERS:
        yield "a PKCE verifier", verifier
    listed = cluster.kube.items(secrets_path(names.users), fieldSelector=f"type={TOKEN_TYPE}")
    for secret in listed:
        for value in secret_data(secret).values():
            if len(value) >= SHORTEST:
                yield "the token of a person", value.decode(errors="replace").strip()
    ring = cluster.kube.find(secrets_path(names.release, names.key_ring))
    if ring is not None and KEY_RING_KEY in secret_data(ring):
        for key in json.loads(secret_data(ring)[KEY_RING_KEY])["keys"]:
            yield "a key", key["secret"]
            raw = base64.urlsafe_b64decode(key["secret"] + "=")
            yield "a key in hexadecimal", raw.hex()


def _places(deployment: Deployment) -> Iterator[tuple[str, str, frozenset[str]]]:
    """Yield the name, the text, and what may be in it."""
    nothing: frozenset[str] = frozenset()
    names, kube = deployment.cluster.names, deployment.cluster.kube
    for name, program in deployment.programs.items():
        if not name.startswith(("gateway", "operator")):
            continue
        yield f"log of {name}", program.output(), nothing
        if program.running:
            process = Path(f"/proc/{program.pid}")
            yield f"command line of {name}", _text(process / "cmdline"), nothing
            own = nothing if name == "operator" else frozenset({"the client secret"})
            yield f"environment of {name}", _text(process / "environ"), own
    for port in (*deployment.internal_ports, deployment.operator_port):
        for path in ("/metrics", "/readyz"):
            yield f"{path} at {port}", _page(port, path), nothing
    for namespace in (names.release, names.users, names.grants):
        events = kube.items(f"/api/v1/namespaces/{namespace}/events")
        yield f"events of {namespace}", json.dumps(events), nothing
    people = kube.items(f"/apis/{GROUP}/{VERSION}/namespaces/{names.users}/productiveusers")
    yield "the ProductiveUsers", json.dumps(people), nothing
    for grant in kube.items(secrets_path(names.grants)):
        data = b"\n".join(secret_data(grant).values()).decode(errors="replace")
        yield f"{grant['metadata']['name']}", data + json.dumps(grant["metadata"]), nothing


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except FileNotFoundError:  # it just ended
        return ""


def _page(port: int, path: str) -> str:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False).text
    except httpx.TransportError:
        return ""
