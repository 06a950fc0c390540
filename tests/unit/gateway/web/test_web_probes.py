from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from starlette.testclient import TestClient

from productive_gateway.errors import Unavailable
from productive_gateway.web.probes import Readiness, internal_app


@dataclass
class Parts:
    """People and keys that are there, or not."""

    people_reason: str | None = None
    keys_reason: str | None = None

    def snapshot(self) -> None:
        if self.people_reason:
            raise Unavailable("x", reason=self.people_reason)

    def ring(self) -> None:
        if self.keys_reason:
            raise Unavailable("x", reason=self.keys_reason)


def served(parts: Parts, **options: object) -> tuple[Readiness, TestClient]:
    needed = {"mapping": parts.snapshot, "key_ring": parts.ring}
    readiness = Readiness(needed, **options)  # type: ignore[arg-type]
    return readiness, TestClient(internal_app(readiness))


def test_livez_is_ok_even_when_nothing_is_loaded() -> None:
    _, client = served(Parts("no_mapping", "no_key_ring"))
    assert client.get("/livez").status_code == 200


def test_ready_when_mapping_and_key_ring_are_loaded() -> None:
    _, client = served(Parts())
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "checks": {"process": "ok", "mapping": "ok", "key_ring": "ok"},
    }


def test_not_ready_before_the_first_mapping_and_key_ring() -> None:
    parts = Parts("no_mapping", "no_key_ring")
    _, client = served(parts)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["mapping"] == "no_mapping"
    assert answer.json()["checks"]["key_ring"] == "no_key_ring"
    parts.people_reason = None
    assert client.get("/readyz").status_code == 503
    parts.keys_reason = None
    assert client.get("/readyz").status_code == 200


def test_once_ready_a_stale_mapping_or_watch_is_reported_but_stays_ready() -> None:
    parts = Parts()
    watches = MappingProxyType({"grants": lambda: False})
    problems = MappingProxyType(
        {"provider": lambda: "the issuer is another", "published mapping": lambda: None}
    )
    _, client = served(parts, watches=watches, problems=problems)
    assert client.get("/readyz").status_code == 200
    parts.people_reason = "mapping_stale"
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["checks"] == {
        "process": "ok",
        "mapping": "mapping_stale",
        "key_ring": "ok",
        "grants": "stale",
        "provider": "the issuer is another",
        "published mapping": "ok",
    }


def test_a_draining_process_is_not_ready() -> None:
    readiness, client = served(Parts())
    readiness.draining = True
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["process"] == "draining"
    assert client.get("/livez").status_code == 200


def test_metrics_are_served() -> None:
    _, client = served(Parts())
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "productive_mcp_mapping_revision" in answer.text


def test_other_internal_paths_are_not_found() -> None:
    _, client = served(Parts())
    for path in ("/", "/mcp", "/docs", "/healthz"):
        assert client.get(path).status_code == 404


def test_metrics_report_the_same_readiness_as_the_probe() -> None:
    parts = Parts("no_mapping")
    readiness, client = served(parts)
    assert "\nproductive_mcp_ready 0.0\n" in client.get("/metrics").text
    parts.people_reason = None
    assert "\nproductive_mcp_ready 1.0\n" in client.get("/metrics").text
    readiness.draining = True
    assert "\nproductive_mcp_ready 0.0\n" in client.get("/metrics").text
