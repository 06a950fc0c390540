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


def test_a_process_that_answers_is_alive_whatever_it_lacks() -> None:
    _, client = served(Parts("no_mapping", "no_key_ring"))
    assert client.get("/livez").status_code == 200


def test_it_is_ready_with_people_and_keys() -> None:
    _, client = served(Parts())
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "checks": {"process": "ok", "mapping": "ok", "key_ring": "ok"},
    }


def test_before_the_first_mapping_or_ring_it_is_not_ready_and_says_why() -> None:
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


def test_once_ready_a_stale_mapping_and_sick_watches_are_told_and_change_nothing() -> None:
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


def test_a_draining_process_wants_no_new_requests() -> None:
    readiness, client = served(Parts())
    readiness.draining = True
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["process"] == "draining"
    assert client.get("/livez").status_code == 200


def test_metrics_are_those_of_the_gateway() -> None:
    _, client = served(Parts())
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "productive_mcp_mapping_revision" in answer.text


def test_there_is_nothing_else() -> None:
    _, client = served(Parts())
    for path in ("/", "/mcp", "/docs", "/healthz"):
        assert client.get(path).status_code == 404
