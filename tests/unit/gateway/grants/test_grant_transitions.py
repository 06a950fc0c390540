"""The rules of a grant, one at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.grantkit import (
    CALLBACK,
    CHALLENGE,
    CLIENT,
    NOW,
    RESOURCE,
    SCOPES,
    VERIFIER,
    ana,
    new_key,
)
from productive_gateway.grants.config import DAY, GrantConfig
from productive_gateway.grants.grant import Cause, Grant, Refusal, State, ended, standing
from productive_gateway.grants.naming import client_hash
from productive_gateway.grants.ratchet import current_secret, digest
from productive_gateway.grants.transitions import (
    Advance,
    End,
    Redemption,
    Refreshing,
    Refuse,
    Repeat,
    redeem,
    refresh,
)
from productive_gateway.sealing.errors import UnknownKey
from productive_gateway.sealing.keys import KeyRing

CONFIG = GrantConfig(RESOURCE)
KEY = new_key()
RING = KeyRing((KEY,), KEY.kid)
SECRET = b"c" * 32


def pending(**changes: object) -> Grant:
    grant = Grant(
        name="g-" + "a" * 26,
        state=State.PENDING,
        user_uid=ana().uid,
        user=ana().user,
        subject="0" * 64,
        client=client_hash(CLIENT),
        client_name="Assistant",
        client_host="assistant.example",
        redirect_uri=CALLBACK,
        resource=RESOURCE,
        scopes=SCOPES,
        auth_time=NOW,
        created=NOW,
        absolute_end=NOW + 7 * DAY,
        epoch=0,
        attempt="created",
        code_hash=digest(SECRET),
        challenge=CHALLENGE,
        code_end=NOW + 300,
        salt=b"s" * 16,
    )
    return replace(grant, **changes)  # type: ignore[arg-type]


def redemption(**changes: object) -> Redemption:
    claim = Redemption(SECRET, client_hash(CLIENT), CALLBACK, VERIFIER, "redeemed")
    return replace(claim, **changes)  # type: ignore[arg-type]


def active(**changes: object) -> Grant:
    step = redeem(pending(), redemption(), RING, None, now=NOW)
    assert isinstance(step, Advance)
    return replace(step.grant, **changes)  # type: ignore[arg-type]


def claim_of(grant: Grant, previous: bytes = SECRET, **changes: object) -> Refreshing:
    """Return the claim of who holds the current refresh token."""
    secret = current_secret(grant, previous, RING)
    claim = Refreshing(grant.generation, secret, client_hash(CLIENT), None, "refreshed")
    return replace(claim, **changes)  # type: ignore[arg-type]


def after(grant: Grant, claim: Refreshing, now: float = NOW) -> Grant:
    step = refresh(grant, claim, RING, None, CONFIG, now=now)
    assert isinstance(step, Advance)
    return step.grant


def test_a_code_makes_the_first_generation() -> None:
    grant = active()
    assert grant.state is State.ACTIVE
    assert grant.generation == 1
    assert grant.attempt == "redeemed"
    assert grant.refresh_hash == digest(current_secret(grant, SECRET, RING))
    assert grant.ratchet_kid == KEY.kid


def test_a_redirect_uri_may_be_left_out() -> None:
    step = redeem(pending(), redemption(redirect_uri=None), RING, None, now=NOW)
    assert isinstance(step, Advance)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"secret": b"x" * 32}, Refusal.WRONG_CODE),
        ({"client": client_hash("other")}, Refusal.WRONG_CLIENT),
        ({"redirect_uri": CALLBACK + "/"}, Refusal.WRONG_REDIRECT),
        ({"verifier": "w" * 64}, Refusal.WRONG_VERIFIER),
        ({"verifier": ""}, Refusal.WRONG_VERIFIER),
        ({"verifier": "v" * 42}, Refusal.WRONG_VERIFIER),
        ({"verifier": "v" * 129}, Refusal.WRONG_VERIFIER),
        ({"verifier": "ü" * 64}, Refusal.WRONG_VERIFIER),
        ({"verifier": VERIFIER + "\n"}, Refusal.WRONG_VERIFIER),
        ({"verifier": CHALLENGE}, Refusal.WRONG_VERIFIER),
    ],
)
@pytest.mark.parametrize("state", list(State))
def test_a_wrong_redemption_changes_nothing_in_any_state(
    changes: dict[str, object], refusal: Refusal, state: State
) -> None:
    grant = active(state=state)
    assert redeem(grant, redemption(**changes), RING, None, now=NOW) == Refuse(refusal)


def test_a_code_ends_at_its_end() -> None:
    assert isinstance(redeem(pending(), redemption(), RING, None, now=NOW + 299.9), Advance)
    step = redeem(pending(), redemption(), RING, None, now=NOW + 300)
    assert step == Refuse(Refusal.CODE_EXPIRED)


def test_a_used_code_with_everything_right_ends_the_grant_at_any_time() -> None:
    for now in (NOW, NOW + 3 * DAY):
        step = redeem(active(), redemption(attempt="another"), RING, None, now=now)
        assert isinstance(step, End)
        assert step.cause is Cause.CODE_REPLAY
        assert step.grant.state is State.GONE
        assert step.grant.ended_cause == "code_replay"


def test_the_write_of_the_same_attempt_is_repeated_not_replayed() -> None:
    grant = active()
    assert redeem(grant, redemption(), RING, None, now=NOW) == Repeat(grant)


def test_a_code_of_a_gone_grant_is_refused() -> None:
    grant = ended(active(), Cause.REVOKED, now=NOW)
    assert redeem(grant, redemption(), RING, None, now=NOW) == Refuse(Refusal.GONE)


def test_a_person_without_standing_redeems_nothing_but_a_replay_still_ends() -> None:
    step = redeem(pending(), redemption(), RING, Refusal.PERSON_GONE, now=NOW)
    assert step == Refuse(Refusal.PERSON_GONE)
    replay = redemption(attempt="another")
    assert isinstance(redeem(active(), replay, RING, Refusal.PERSON_GONE, now=NOW), End)


def test_a_refresh_moves_on_by_one_and_keeps_everything_else() -> None:
    grant = active()
    rotated = after(grant, claim_of(grant), now=NOW + 60)
    assert rotated == replace(
        grant,
        generation=2,
        attempt="refreshed",
        rotated_at=NOW + 60,
        refresh_hash=rotated.refresh_hash,
    )
    assert rotated.refresh_hash != grant.refresh_hash


def test_the_token_before_gets_the_same_successor_within_grace_and_skew() -> None:
    grant = active()
    claim = claim_of(grant)
    rotated = after(grant, claim)
    for later in (-30, 0, 120, 150):
        step = refresh(rotated, claim, RING, None, CONFIG, now=NOW + later)
        assert step == Repeat(rotated)


@pytest.mark.parametrize("later", [150.1, DAY])
def test_the_token_before_ends_the_grant_after_the_grace(later: float) -> None:
    grant = active()
    claim = claim_of(grant)
    step = refresh(after(grant, claim), claim, RING, None, CONFIG, now=NOW + later)
    assert isinstance(step, End)
    assert step.cause is Cause.REFRESH_REUSE


def test_a_token_whose_successor_was_used_ends_the_grant() -> None:
    grant = active()
    first = claim_of(grant)
    second = after(grant, first)
    third = after(second, claim_of(second, first.secret))
    step = refresh(third, first, RING, None, CONFIG, now=NOW)
    assert isinstance(step, End)
    assert step.grant.state is State.GONE


@pytest.mark.attack("J-14")
def test_a_generation_that_a_restored_store_does_not_know_ends_the_grant() -> None:
    grant = active()
    rotated = after(grant, claim_of(grant))
    newer = claim_of(rotated, claim_of(grant).secret)
    step = refresh(grant, newer, RING, None, CONFIG, now=NOW)
    assert isinstance(step, End)


def test_another_secret_of_the_current_generation_ends_the_grant() -> None:
    grant = active()
    step = refresh(grant, claim_of(grant, secret=b"x" * 32), RING, None, CONFIG, now=NOW)
    assert isinstance(step, End)


def test_two_replicas_that_compute_different_successors_are_our_trouble() -> None:
    grant = active()
    claim = claim_of(grant)
    forked = replace(after(grant, claim), refresh_hash=digest(b"another"))
    assert refresh(forked, claim, RING, None, CONFIG, now=NOW) == Refuse(Refusal.FORKED)


def test_a_successor_made_with_a_key_that_is_not_here_is_not_judged() -> None:
    grant = active()
    claim = claim_of(grant)
    rotated = replace(after(grant, claim), ratchet_kid="newer")
    with pytest.raises(UnknownKey):
        refresh(rotated, claim, RING, None, CONFIG, now=NOW)


@pytest.mark.attack("R-07")
def test_replicas_with_different_current_keys_meet_on_one_successor() -> None:
    newer = new_key()
    ahead = KeyRing((KEY, newer), newer.kid)
    grant = active()
    claim = claim_of(grant)
    step = refresh(grant, claim, ahead, None, CONFIG, now=NOW)
    assert isinstance(step, Advance)
    assert step.grant.ratchet_kid == newer.kid
    behind = KeyRing((KEY, newer), KEY.kid)
    assert refresh(step.grant, claim, behind, None, CONFIG, now=NOW) == Repeat(step.grant)
    assert current_secret(step.grant, claim.secret, ahead) == current_secret(
        step.grant, claim.secret, behind
    )


@pytest.mark.parametrize(
    ("grant", "changes", "refusal"),
    [
        (active(), {"client": client_hash("other")}, Refusal.WRONG_CLIENT),
        (active(state=State.PENDING), {}, Refusal.NOT_REDEEMED),
        (ended(active(), Cause.REVOKED, now=NOW), {}, Refusal.GONE),
        (active(), {"scopes": SCOPES | {"productive:admin"}}, Refusal.SCOPE),
        (active(), {"scopes": frozenset({"other"})}, Refusal.SCOPE),
        (active(), {"scopes": frozenset()}, Refusal.SCOPE),
    ],
)
def test_a_wrong_refresh_changes_nothing(
    grant: Grant, changes: dict[str, object], refusal: Refusal
) -> None:
    step = refresh(grant, claim_of(grant, **changes), RING, None, CONFIG, now=NOW)
    assert step == Refuse(refusal)


def test_a_narrower_scope_leaves_the_grant_as_wide_as_it_was() -> None:
    grant = active()
    narrowed = after(grant, claim_of(grant, scopes=frozenset({"productive:read"})))
    assert narrowed.scopes == SCOPES


@pytest.mark.parametrize(
    ("config", "end"),
    [
        (CONFIG, 7 * DAY),
        (GrantConfig(RESOURCE, refresh_idle=DAY), DAY),
    ],
)
def test_an_expired_grant_ends_when_it_is_presented(config: GrantConfig, end: float) -> None:
    grant = active()
    claim = claim_of(grant)
    assert isinstance(refresh(grant, claim, RING, None, config, now=NOW + end - 1), Advance)
    step = refresh(grant, claim, RING, None, config, now=NOW + end)
    assert isinstance(step, End)
    assert step.cause is Cause.EXPIRED


def test_a_person_without_standing_refreshes_nothing_and_nothing_is_written() -> None:
    grant = active()
    for refusal in (Refusal.PERSON_GONE, Refusal.REVOKED_BEFORE, Refusal.OLD_EPOCH):
        step = refresh(grant, claim_of(grant), RING, refusal, CONFIG, now=NOW)
        assert step == Refuse(refusal)


def test_standing_follows_from_presence_revocation_and_epoch() -> None:
    grant = active(epoch=3)
    assert standing(grant, ana(), 3) is None
    assert standing(grant, ana(), 2) is None
    assert standing(grant, ana(), 4) is Refusal.OLD_EPOCH
    assert standing(grant, None, 3) is Refusal.PERSON_GONE
    assert standing(grant, ana(revoked_before=NOW), 3) is None
    assert standing(grant, ana(revoked_before=NOW + 1), 3) is Refusal.REVOKED_BEFORE


def test_nothing_that_a_grant_shows_is_a_secret() -> None:
    shown = repr(active()) + repr(claim_of(active())) + repr(redemption())
    assert VERIFIER not in shown
    assert repr(SECRET) not in shown
    assert repr(claim_of(active()).secret) not in shown
