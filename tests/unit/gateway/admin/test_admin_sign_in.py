"""Sign-ins as administrators see them, whatever somebody wrote into their Secrets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.grantkit import CLIENT, DAY, KEY, NOW, RING, active, ana, new_key, pending
from productive_gateway.admin.output import table, time_text
from productive_gateway.admin.sign_in import HEADS, Check, Selection, in_order, view
from productive_gateway.grants.grant import Cause, client_hash, ended
from productive_gateway.grants.record import Record, RecordKind, encode
from productive_gateway.sealing.keys import KeyRing

RECORD = replace(encode(pending(), RING), uid="1", version="1", created=NOW)
FIELDS = sorted(RECORD.data)


def test_an_active_sign_in_expires_when_it_is_idle_or_at_its_absolute_end() -> None:
    record = encode(active(), RING)
    one = view(record, RING, now=NOW)
    assert (one.check, one.state) == (Check.VERIFIED, "active")
    assert one.expires == NOW + 7 * DAY
    assert view(record, RING, now=NOW + 7 * DAY).state == "expired"


def test_a_sign_in_whose_provider_is_asked_is_shown_for_as_long_as_it_lives() -> None:
    month = active(absolute_end=NOW + 30 * DAY, rotated_at=NOW + 20 * DAY)
    asked = encode(replace(month, upstream="sealed"), RING)
    assert view(asked, RING, now=NOW).expires == NOW + 30 * DAY
    # An older release renewed it, and dropped the provider's token.
    assert view(encode(month, RING), RING, now=NOW).expires == NOW + 7 * DAY


@pytest.mark.attack("R-08")
def test_a_sign_in_of_an_older_epoch_is_shown_as_over_by_it() -> None:
    record = encode(active(), RING)
    assert view(record, replace(RING, epoch=1), now=NOW).state == "old epoch"
    gone = encode(ended(active(), Cause.REVOKED, now=NOW), RING)
    assert view(gone, replace(RING, epoch=1), now=NOW).over


@pytest.mark.attack("R-09", "R-15")
def test_a_record_is_checked_with_the_ring() -> None:
    other = new_key()
    assert view(RECORD, None, now=NOW).check is Check.UNVERIFIED
    assert view(RECORD, KeyRing((other,), other.kid), now=NOW).check is Check.UNKNOWN_KEY
    changed = replace(RECORD, data={**RECORD.data, "user": b"acme-users/eve"})
    assert view(changed, RING, now=NOW).check is Check.TAMPERED
    assert view(changed, RING, now=NOW).row()[-1] == "tampered"
    assert KEY.kid == RING.current


@pytest.mark.attack("R-09", "Q-09")
@given(
    st.dictionaries(st.sampled_from([*FIELDS, "other"]), st.binary(max_size=40), max_size=12),
    st.sets(st.sampled_from(FIELDS)),
    st.booleans(),
)
def test_whatever_a_record_says_it_is_shown_on_one_line_without_control_characters(
    changed: dict[str, bytes], missing: set[str], deleting: bool
) -> None:
    data = {name: value for name, value in RECORD.data.items() if name not in missing} | changed
    record = replace(RECORD, data=data, deleting=deleting)
    for ring in (RING, None):
        one = view(record, ring, now=NOW)
        lines = table(HEADS, [one.row()]).split("\n")
        assert len(lines) == 2
        assert all(line.isprintable() for line in lines)
        one.document()
        in_order([one])


def test_a_choice_must_match_everything_that_is_given() -> None:
    one = view(RECORD, RING, now=NOW)
    person = ana()
    for matching in (
        Selection(),
        Selection(names=frozenset({one.name, "g-other"})),
        Selection(user="ana"),
        Selection(user=person.user, user_uid=person.uid),
        Selection(client="aSSistant"),
        Selection(client=CLIENT),
        Selection(client=client_hash(CLIENT)[:20], user="ana"),
    ):
        assert matching.matches(one)
    for other in (
        Selection(names=frozenset({"g-other"})),
        Selection(user="an"),
        Selection(user="other/ana"),
        Selection(user_uid="x", user="ana"),
        Selection(client="Assist"),
        Selection(client=client_hash(CLIENT)[:19]),
        Selection(client="Assistant", user="eve"),
    ):
        assert not other.matches(one)


def test_a_secret_without_data_is_shown_too() -> None:
    bare = Record(RecordKind.GRANT, "g-x", {}, {}, created=NOW)
    one = view(bare, RING, now=NOW)
    assert (one.check, one.since, one.state) == (Check.TAMPERED, NOW, "expired")


@given(st.floats(allow_nan=False))
def test_any_time_can_be_printed(moment: float) -> None:
    assert time_text(moment).endswith("Z")
