"""The traces of an attack in a deployment: records, audit lines, requests to the provider."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from harness.deployment import Deployment
from harness.kube import secrets_path
from productive_contract.names import LABEL_ABSENT_SINCE, SUBJECT_TYPE

UNEXPIRED = timedelta(seconds=240)
"""No record is swept at this age, since codes are valid for 300 s."""


@dataclass(frozen=True, slots=True)
class Records:
    """The objects of the grants namespace at one moment.

    Every write changes the version of an object, except that the sweeper notes in a label of a
    subject binding since when its person is absent, at a time of its own.
    """

    versions: Mapping[str, str]
    created: Mapping[str, datetime]


def records(deployment: Deployment) -> Records:
    """List the grants namespace."""
    path = secrets_path(deployment.cluster.names.grants)
    stored = deployment.cluster.kube.items(path)
    found = [one["metadata"] for one in stored]
    return Records(
        {one["metadata"]["name"]: _version(one) for one in stored},
        {one["name"]: datetime.fromisoformat(one["creationTimestamp"]) for one in found},
    )


def _version(one: Mapping[str, Any]) -> str:
    metadata = one["metadata"]
    if one["type"] != SUBJECT_TYPE:
        return f"{metadata['uid']} {metadata['resourceVersion']}"
    labels = {k: v for k, v in metadata.get("labels", {}).items() if k != LABEL_ABSENT_SINCE}
    return f"{metadata['uid']} {json.dumps([one.get('data'), labels], sort_keys=True)}"


@contextmanager
def nothing_stored(deployment: Deployment) -> Iterator[None]:
    """Assert that the block neither creates, changes nor removes a record.

    Records that a sweeper may have removed in the meantime are ignored.
    """
    before = records(deployment)
    yield
    after = records(deployment)
    changed = {
        name for name, version in after.versions.items() if before.versions.get(name) != version
    }
    assert not changed, f"created or changed: {changed}"
    young = datetime.now(UTC) - UNEXPIRED
    removed = {
        name for name in before.versions.keys() - after.versions if before.created[name] > young
    }
    assert not removed, f"removed: {removed}"


@dataclass(frozen=True, slots=True)
class AuditTrail:
    """The audit lines of all gateways; each has an `event`, and a refusal has a `reason`."""

    lines: list[dict[str, Any]] = field(default_factory=list)

    def events(self) -> list[str]:
        return [line["event"] for line in self.lines]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]

    def reasons(self, event: str = "sign_in_refused") -> list[str | None]:
        return [line.get("reason") for line in self.of(event)]


@contextmanager
def audited(deployment: Deployment) -> Iterator[AuditTrail]:
    """Collect the audit lines that the gateways write during the block.

    A gateway writes the line before it answers, so no answer of the block lacks its line.
    """
    trail = AuditTrail()
    before = _gateway_output(deployment)
    yield trail
    for name, text in _gateway_output(deployment).items():
        for line in text[len(before[name]) :].splitlines():
            document = _object(line)
            if document.get("audit") is True:
                trail.lines.append(document)


@contextmanager
def idp_faults(deployment: Deployment, **faults: Any) -> Iterator[None]:
    """Inject faults into the dev IdP during the block: see `productive_dev.idp.faults`."""
    address = f"{deployment.idp_url}/_faults"
    httpx.put(address, json=faults, trust_env=False).raise_for_status()
    try:
        yield
    finally:
        httpx.delete(address, trust_env=False).raise_for_status()


def asked_upstream(deployment: Deployment) -> dict[str, int]:
    """Return the number of requests to each endpoint of the dev IdP so far."""
    answer = httpx.get(f"{deployment.idp_url}/_counts", trust_env=False)
    answer.raise_for_status()
    counts: dict[str, int] = answer.json()
    return counts


def _gateway_output(deployment: Deployment) -> dict[str, str]:
    return {name: text for name, text in deployment.output().items() if name.startswith("gateway-")}


def _object(line: str) -> dict[str, Any]:
    try:
        document = json.loads(line)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
