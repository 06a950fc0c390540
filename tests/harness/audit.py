"""What the API server of a plane was asked by the programs of the product: its audit log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.kube import USER_AGENT, Object

ADMINISTRATOR = "admin"
"""No program runs under its rights, which the log shows."""
POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    # A watch is told of when it starts as well: its program may be killed before it ends.
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "Metadata", "users": [ADMINISTRATOR]},
        {"level": "None"},
    ],
}
"""Accounts of tests and the administrator, without bodies; the control plane's own stay out."""

TESTS = (USER_AGENT, "kubectl/", "Helm/")
"""How the user agents begin of what a test asks by itself, under whatever account."""

DECISION = "authorization.k8s.io/decision"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of a program, as the API server's authorizer saw it."""

    user: str
    verb: str
    resource: str
    """As kubectl writes it, such as `productiveusers.productive-mcp.dev/status`; or a path."""
    namespace: str
    name: str
    """The name in the path or in a field selector, or of the object that was made; or nothing."""
    allowed: bool
    made: bool
    """Whether it was answered with 201: server-side apply makes an object by the verb patch."""


def audit_arguments(folder: Path) -> list[str]:
    """Return the API server's arguments for a log in that folder, and write its policy there."""
    policy = folder / "audit-policy.json"
    policy.write_text(json.dumps(POLICY))
    # Never rotated: there is one file to read.
    log = f"--audit-log-path={_log(folder)}"
    return [f"--audit-policy-file={policy}", log, "--audit-log-maxsize=0"]


def asked_by_programs(folder: Path) -> Iterator[Asked]:
    """Read the log, which has whatever was answered: a request is written before that."""
    with _log(folder).open() as lines:
        for line in lines:
            if not line.endswith("\n"):
                # It is being written.
                return
            event = json.loads(line)
            # What is turned away earlier, as too much at once, never gets to the authorizer.
            decided = DECISION in event.get("annotations", {})
            if decided and not event.get("userAgent", "").startswith(TESTS):
                yield _asked(event)


def qualified(group: str, resource: str, subresource: str = "") -> str:
    """Return a resource as kubectl writes it."""
    return resource + (f".{group}" if group else "") + (f"/{subresource}" if subresource else "")


def _log(folder: Path) -> Path:
    return folder / "audit.log"


def _asked(event: Object) -> Asked:
    target = event.get("objectRef", {})
    path = event["requestURI"].partition("?")[0]
    resource = qualified(
        target.get("apiGroup", ""), target.get("resource", ""), target.get("subresource", "")
    )
    return Asked(
        user=event["user"]["username"],
        verb=event["verb"],
        resource=resource or path,
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        allowed=event["annotations"][DECISION] == "allow",
        made=event["responseStatus"]["code"] == 201,
    )
