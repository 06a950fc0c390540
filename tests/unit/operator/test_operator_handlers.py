"""Kopf's part: events ask for a pass, unless they are the echo of a status of ours."""

from __future__ import annotations

import itertools

import pytest

from harness.operatorkit import secret_body, user_body
from productive_contract.names import TOKEN_TYPE
from productive_operator import handlers
from productive_operator.conditions import Status
from productive_operator.users import User


class Nudged:
    def __init__(self) -> None:
        self.kinds: list[str] = []

    def nudge(self, kind: str) -> None:
        self.kinds.append(kind)


class Knowing:
    def __init__(self, *, settled: bool) -> None:
        self._settled = settled

    def has_listed(self, version: str) -> bool:
        return version == "uid/1"

    def is_settled(self, user: User, status: Status | None) -> bool:  # noqa: ARG002
        return self._settled


@pytest.mark.parametrize(
    ("kind", "settled", "asked"),
    [
        (None, False, ["user"]),
        (None, True, []),
        ("ADDED", False, ["user"]),
        ("MODIFIED", False, ["user"]),
        ("MODIFIED", True, []),
        ("DELETED", False, ["user"]),
        ("DELETED", True, ["user"]),
    ],
)
def test_an_event_asks_for_a_pass_unless_it_is_our_own(
    kind: str | None, settled: bool, asked: list[str]
) -> None:
    nudged = Nudged()
    event = {"type": kind, "object": user_body()}
    handlers.user_changed(event, nudged, Knowing(settled=settled))  # type: ignore[arg-type]
    assert nudged.kinds == asked


@pytest.mark.parametrize(
    ("kind", "version", "asked"),
    [
        (None, "1", []),
        (None, "2", ["secret"]),
        ("ADDED", "1", []),
        ("MODIFIED", "2", ["secret"]),
        ("DELETED", "1", ["secret"]),
    ],
)
def test_a_secret_that_the_last_pass_saw_asks_for_none(
    kind: str | None, version: str, asked: list[str]
) -> None:
    nudged = Nudged()
    body = secret_body()
    body["metadata"] |= {"uid": "uid", "resourceVersion": version}
    event = {"type": kind, "object": body}
    handlers.secret_changed(event, nudged, Knowing(settled=False))  # type: ignore[arg-type]
    assert nudged.kinds == asked


def test_kopf_only_watches() -> None:
    registry = handlers.registry(Nudged(), Knowing(settled=False))
    found = {
        h.selector.plural or h.selector.any_name for h in registry._watching.get_all_handlers()
    }
    assert found == {"productiveusers", "secrets"}
    for others in (registry._changing, registry._spawning, registry._indexing, registry._webhooks):
        assert not list(others.get_all_handlers())  # type: ignore[attr-defined]


def test_kopf_asks_for_no_rights_beyond_the_role() -> None:
    settings = handlers.settings()
    assert settings.scanning.disabled
    assert not settings.posting.enabled
    assert list(settings.watching.field_selectors.values()) == [f"type={TOKEN_TYPE}"]


def test_kopf_never_gives_up_on_the_api_server() -> None:
    delays = list(itertools.islice(handlers.Backoffs(), 1000))
    assert delays[:3] == [0.5, 1, 2]
    assert max(delays) == 8
