"""Looking people up in a view of the mapping."""

from __future__ import annotations

import pytest

from harness.grantkit import HeldPeople, ana
from productive_contract.mapping import Mapping
from productive_gateway.errors import Unavailable
from productive_gateway.people.snapshot import Snapshot


def test_person_is_found_by_uid_and_by_email() -> None:
    snapshot = HeldPeople(ana()).snapshot()
    assert snapshot.person(ana().uid) == snapshot.person_of("ana@example.com") == ana()
    assert snapshot.all_uids() == {ana().uid}
    assert snapshot.person("another") is None
    assert snapshot.person_of("another@example.com") is None


def test_absence_from_a_view_that_is_not_confirmed_proves_nothing() -> None:
    people = HeldPeople(ana())
    people.proves_absence = False
    snapshot = people.snapshot()
    assert snapshot.person(ana().uid) == snapshot.person_of("ana@example.com") == ana()
    with pytest.raises(Unavailable):
        snapshot.person("another")
    with pytest.raises(Unavailable):
        snapshot.person_of("another@example.com")
    with pytest.raises(Unavailable):
        snapshot.all_uids()


def test_absence_from_a_mapping_that_lacks_an_entry_proves_nothing() -> None:
    mapping = Mapping(
        1, {ana().email: ana()}, faults=("an entry is not an object",), complete=False
    )
    snapshot = Snapshot.of(mapping)
    assert snapshot.person(ana().uid) == ana()
    with pytest.raises(Unavailable):
        snapshot.person("another")
    with pytest.raises(Unavailable):
        snapshot.all_uids()


def test_faulty_entry_of_one_person_makes_the_absence_of_others_no_less_certain() -> None:
    mapping = Mapping(1, {ana().email: ana()}, faults=("an entry has an unknown state",))
    assert Snapshot.of(mapping).person("another") is None
