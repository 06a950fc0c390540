"""Where the next pass has to look, put together from single changes."""

from __future__ import annotations

from productive_operator.changes import EVERYTHING, NOTHING, Changes, secret_named, user_named


def test_names_are_collected() -> None:
    found = NOTHING | user_named("ana") | secret_named("s") | user_named("bob") | user_named("ana")
    assert found == Changes(frozenset({"ana", "bob"}), frozenset({"s"}))


def test_everything_stays_everything() -> None:
    assert (user_named("ana") | EVERYTHING | secret_named("s")).everything
    assert not (user_named("ana") | NOTHING).everything
