"""The audit log of a control plane: what the product's programs asked its API server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.kube import USER_AGENT, Object
from productive_gateway import ADMIN_USER_AGENT

ADMINISTRATOR = "admin"
"""No program may run as this user, but for commands of administrators; the log would show it."""
POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    # Log a watch when it starts, too: its program may be killed before it ends.
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "Metadata", "users": [ADMINISTRATOR]},
        {"level": "None"},
    ],
}
"""Requests of test accounts and the administrator, without bodies, not the control plane's own."""

TESTS = (USER_AGENT, "kubectl/", "Helm/", "productive-operator/doctor")
"""Prefixes of the user agents of requests that a test makes itself, or that the doctor makes for an
administrator, under any account."""

DECISION = "authorization.k8s.io/decision"


@dataclass(frozen=True, slots=True)
class Asked:
    """A program's request, as the API server's authorizer saw it."""

    user: str
    verb: str
    resource: str
    """As kubectl writes it, such as `productiveusers.productive-mcp.dev/status`; or a path."""
    namespace: str
    name: str
    """The name in the path or a field selector, or of the created object; otherwise empty."""
    allowed: bool
    created: bool
    """Whether the answer was 201: server-side apply creates objects with the verb patch."""


def audit_arguments(folder: Path) -> list[str]:
    """Write the audit policy into a folder; return the API server's arguments for a log there."""
    policy = folder / "audit-policy.json"
    policy.write_text(json.dumps(POLICY))
    # The log is never rotated, so that there is one file to read.
    log = f"--audit-log-path={_log(folder)}"
    return [f"--audit-policy-file={policy}", log, "--audit-log-maxsize=0"]


def asked_by_programs(folder: Path) -> Iterator[Asked]:
    """Yield the requests in the log; each was logged before it was answered."""
    with _log(folder).open() as lines:
        for line in lines:
            if not line.endswith("\n"):
                # The API server is still writing this line.
                return
            event = json.loads(line)
            # Requests that are rejected earlier, such as by rate limits, have no decision.
            decided = DECISION in event.get("annotations", {})
            if decided and not _by_a_person(event):
                yield _asked(event)


def qualified(group: str, resource: str, subresource: str = "") -> str:
    """Return a resource as kubectl writes it."""
    return resource + (f".{group}" if group else "") + (f"/{subresource}" if subresource else "")


def _by_a_person(event: Object) -> bool:
    """Report whether a test made the request, or an administrator with our command."""
    agent = str(event.get("userAgent", ""))
    administrator = bool(event["user"]["username"] == ADMINISTRATOR)
    return agent.startswith(TESTS) or (administrator and agent.startswith(ADMIN_USER_AGENT))


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
        created=event["responseStatus"]["code"] == 201,
    )
