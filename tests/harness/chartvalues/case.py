"""What a case of the chart's values is, and what several of them need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

POD = "spec.template.spec"
CONTAINER = f"{POD}.containers.0"
PEER = [{"namespaceSelector": {"matchLabels": {"a": "b"}}}]
MONITORED = {
    "metrics": {"serviceMonitor": {"enabled": True}},
    "networkPolicy": {"metricsFrom": PEER},
}
ABSENT = object()
PRESENT = object()


@dataclass(frozen=True, slots=True)
class Case:
    """A value, and where it shows."""

    path: str
    value: Any
    where: str
    """Kind/name; the name without the release's."""
    inside: str = ""
    """Path in the object; `env.NAME` is a variable of the program."""
    expected: Any = PRESENT
    more: dict[str, Any] = field(default_factory=dict)
    """Further values."""


def env(
    path: str, value: Any, variable: str, expected: object, more: dict[str, Any] | None = None
) -> Case:
    """Return a case about a variable of the gateway."""
    return Case(path, value, "Deployment/gateway", f"env.{variable}", expected, more or {})
