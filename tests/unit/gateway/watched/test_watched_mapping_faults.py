"""A mapping with faulty entries: what is in it counts, what is missing from it proves nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from productive_contract.mapping import Mapping, Person, State, encode
from productive_contract.names import MAPPING_KEY
from productive_contract.secret import Secret
from productive_gateway.errors import Unavailable
from productive_gateway.observability.metrics import REGISTRY
from productive_gateway.watched.mapping import LastGoodMapping

EMAILS = ("ana@example.com", "bob@example.com")


def published(*emails: str, **faults: dict[str, object]) -> dict[str, bytes]:
    """Return a mapping of these people, with other fields for some, or further entries."""
    people = {
        email: Person(email, f"uid-{email}", "ns/x", 1, State.ACTIVE, api_token=Secret("canary"))
        for email in emails
    }
    document = json.loads(encode(Mapping(7, people))[MAPPING_KEY])
    for key, fields in faults.items():
        document["users"].setdefault(key, {}).update(fields)
    return {MAPPING_KEY: json.dumps(document).encode()}


@pytest.fixture
def good() -> Iterator[LastGoodMapping]:
    good = LastGoodMapping()
    assert good.take(published(*EMAILS))
    yield good
    good.take(published(*EMAILS))


def broken() -> float | None:
    return REGISTRY.get_sample_value("productive_mcp_mapping_broken")


@pytest.mark.attack("M-13")
@pytest.mark.parametrize(
    "fields",
    [
        {"revokedBefore": "1-01-01T00:00:00Z"},
        {"state": "retired"},
        {"access": {"readOnly": "yes"}},
        {"userId": 10**400},
    ],
)
def test_removal_counts_although_an_entry_of_somebody_else_is_faulty(
    good: LastGoodMapping, fields: dict[str, object]
) -> None:
    assert good.take(published("bob@example.com", **{"bob@example.com": fields}))
    snapshot = good.snapshot()
    assert snapshot.person("uid-ana@example.com") is None
    bob = snapshot.person("uid-bob@example.com")
    assert bob is not None
    assert (bob.state, bob.api_token) == (State.NO_TOKEN, None)
    assert "faulty entries" in str(good.problem)
    assert "canary" not in str(good.problem)
    assert broken() == 1


@pytest.mark.parametrize("key", ["no address", "carl@example.com"])
def test_entry_of_nobody_makes_absence_prove_nothing(good: LastGoodMapping, key: str) -> None:
    assert good.take(published("bob@example.com", **{key: {"uid": 5}}))
    snapshot = good.snapshot()
    assert snapshot.person("uid-bob@example.com") is not None
    with pytest.raises(Unavailable):
        snapshot.person("uid-ana@example.com")
    assert broken() == 1


def test_alarm_is_raised_once_and_ends_with_the_fault(good: LastGoodMapping) -> None:
    faulty = published("bob@example.com", **{"bob@example.com": {"state": "retired"}})
    with capture_logs() as logs:
        for _ in range(3):
            good.take(faulty)
        assert good.take(published(*EMAILS))
    assert good.problem is None
    assert broken() == 0
    events = [line["event"] for line in logs if line["event"] != "mapping.loaded"]
    assert events == ["mapping.broken", "mapping.restored"]
