"""The rules of a grant, one at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.grantkit import (
    CALLBACK,
    CHALLENGE,
    CLIENT,
    KEY,
    NOW,
    RESOURCE,
    RING,
    SCOPES,
    SECRET,
    VERIFIER,
    active,
    ana,
    new_key,
    pending,
    redemption,
    refresh_of,
    sign_in,
)
from productive_contract.clock import system_entropy
from productive_contract.mapping import State
from productive_gateway.grants.config import DAY, GrantConfig
from productive_gateway.grants.grant import (
    Cause,
    Grant,
    GrantState,
    Refusal,
    client_hash,
    ended,
    standing,
)
from productive_gateway.grants.steps import Advance, Claim, End, Refresh, Refuse, Repeat, Revocation
from productive_gateway.grants.tokens import digest, grant_name
from productive_gateway.grants.transitions import (
    current_secret,
    decide,
    issue,
    redeem,
    refresh,
    revoke,
)
from productive_gateway.sealing.errors import UnknownKey
from productive_gateway.sealing.keys import KeyRing

CONFIG = GrantConfig(RESOURCE)


def after(grant: Grant, claim: Refresh, now: float = NOW) -> Grant:
    step = refresh(grant, claim, RING, None, CONFIG, now=now)
    assert isinstance(step, Advance)
    return step.grant


def test_sign_in_makes_a_pending_grant() -> None:
    signed_in = sign_in(lambda: NOW, transaction=b"t" * 16)
    grant = issue(
        signed_in,
        CONFIG,
        subject="0" * 64,
        code_hash=digest(SECRET),
        epoch=3,
        now=NOW,
        entropy=system_entropy,
    )
    assert len(grant.attempt) == 32
    assert len(grant.salt) == 16
    assert grant == pending(
        name=grant_name(b"t" * 16), epoch=3, attempt=grant.attempt, salt=grant.salt
    )


def test_redeemed_code_makes_the_first_generation() -> None:
    grant = active()
    assert grant.state is GrantState.ACTIVE
    assert grant.generation == 1
    assert grant.attempt == "redeemed"
    assert grant.refresh_hash == digest(current_secret(grant, SECRET, RING))
    assert grant.ratchet_kid == KEY.kid


def test_redirect_uri_may_be_left_out() -> None:
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
@pytest.mark.parametrize("state", list(GrantState))
def test_wrong_redemption_changes_nothing_in_any_state(
    changes: dict[str, object], refusal: Refusal, state: GrantState
) -> None:
    grant = active(state=state)
    assert redeem(grant, redemption(**changes), RING, None, now=NOW) == Refuse(refusal)


def test_code_expires() -> None:
    assert isinstance(redeem(pending(), redemption(), RING, None, now=NOW + 299.9), Advance)
    step = redeem(pending(), redemption(), RING, None, now=NOW + 300)
    assert step == Refuse(Refusal.CODE_EXPIRED)


def test_replayed_code_with_everything_right_ends_the_grant_at_any_time() -> None:
    for now in (NOW, NOW + 3 * DAY):
        step = redeem(active(), redemption(attempt="another"), RING, None, now=now)
        assert isinstance(step, End)
        assert step.cause is Cause.CODE_REPLAY
        assert step.grant.state is GrantState.GONE
        assert step.grant.ended_cause == "code_replay"


def test_own_write_whose_answer_was_lost_is_not_a_replay() -> None:
    grant = active()
    assert redeem(grant, redemption(), RING, None, now=NOW) == Repeat(grant)


def test_code_of_a_gone_grant_is_refused() -> None:
    grant = ended(active(), Cause.REVOKED, now=NOW)
    assert redeem(grant, redemption(), RING, None, now=NOW) == Refuse(Refusal.GONE)


def test_person_without_standing_redeems_nothing_but_a_replay_still_ends_the_grant() -> None:
    step = redeem(pending(), redemption(), RING, Refusal.PERSON_GONE, now=NOW)
    assert step == Refuse(Refusal.PERSON_GONE)
    replay = redemption(attempt="another")
    assert isinstance(redeem(active(), replay, RING, Refusal.PERSON_GONE, now=NOW), End)


def test_refresh_advances_by_one_generation_and_keeps_everything_else() -> None:
    grant = active()
    rotated = after(grant, refresh_of(grant), now=NOW + 60)
    assert rotated == replace(
        grant,
        generation=2,
        attempt="refreshed",
        rotated_at=NOW + 60,
        refresh_hash=rotated.refresh_hash,
    )
    assert rotated.refresh_hash != grant.refresh_hash


def test_previous_token_gets_the_same_successor_within_grace_and_skew() -> None:
    grant = active()
    claim = refresh_of(grant)
    rotated = after(grant, claim)
    for later in (-30, 0, 120, 150):
        step = refresh(rotated, claim, RING, None, CONFIG, now=NOW + later)
        assert step == Repeat(rotated)


@pytest.mark.parametrize("later", [150.1, DAY])
def test_previous_token_ends_the_grant_after_the_grace(later: float) -> None:
    grant = active()
    claim = refresh_of(grant)
    step = refresh(after(grant, claim), claim, RING, None, CONFIG, now=NOW + later)
    assert isinstance(step, End)
    assert step.cause is Cause.REFRESH_REUSE


def test_token_whose_successor_was_used_ends_the_grant() -> None:
    grant = active()
    first = refresh_of(grant)
    second = after(grant, first)
    third = after(second, refresh_of(second, first.secret))
    step = refresh(third, first, RING, None, CONFIG, now=NOW)
    assert isinstance(step, End)
    assert step.grant.state is GrantState.GONE


def test_token_that_this_request_saw_as_current_never_ends_the_grant() -> None:
    grant = active()
    first = refresh_of(grant)
    second = after(grant, first)
    third = after(second, refresh_of(second, first.secret))
    step = refresh(third, first, RING, None, CONFIG, now=NOW, was_current=True)
    assert step == Refuse(Refusal.OVERTAKEN)
    late = refresh(second, first, RING, None, CONFIG, now=NOW + DAY, was_current=True)
    assert late == Refuse(Refusal.OVERTAKEN)


@pytest.mark.attack("J-14")
def test_generation_that_a_restored_store_does_not_know_ends_the_grant() -> None:
    grant = active()
    rotated = after(grant, refresh_of(grant))
    newer = refresh_of(rotated, refresh_of(grant).secret)
    step = refresh(grant, newer, RING, None, CONFIG, now=NOW)
    assert isinstance(step, End)


def test_wrong_secret_of_the_current_generation_ends_the_grant() -> None:
    grant = active()
    step = refresh(grant, refresh_of(grant, secret=b"x" * 32), RING, None, CONFIG, now=NOW)
    assert isinstance(step, End)


def test_replicas_that_compute_different_successors_refuse_without_a_change() -> None:
    grant = active()
    claim = refresh_of(grant)
    forked = replace(after(grant, claim), refresh_hash=digest(b"another"))
    assert refresh(forked, claim, RING, None, CONFIG, now=NOW) == Refuse(Refusal.FORKED)


def test_successor_made_with_an_unknown_key_is_not_judged() -> None:
    grant = active()
    claim = refresh_of(grant)
    rotated = replace(after(grant, claim), ratchet_kid="newer")
    with pytest.raises(UnknownKey):
        refresh(rotated, claim, RING, None, CONFIG, now=NOW)


@pytest.mark.attack("R-07")
def test_replicas_with_different_current_keys_compute_one_successor() -> None:
    newer = new_key()
    ahead = KeyRing((KEY, newer), newer.kid)
    grant = active()
    claim = refresh_of(grant)
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
        (active(state=GrantState.PENDING), {}, Refusal.NOT_REDEEMED),
        (ended(active(), Cause.REVOKED, now=NOW), {}, Refusal.GONE),
        (active(), {"scopes": SCOPES | {"productive:admin"}}, Refusal.SCOPE),
        (active(), {"scopes": frozenset({"other"})}, Refusal.SCOPE),
        (active(), {"scopes": frozenset()}, Refusal.SCOPE),
    ],
)
def test_wrong_refresh_changes_nothing(
    grant: Grant, changes: dict[str, object], refusal: Refusal
) -> None:
    step = refresh(grant, refresh_of(grant, **changes), RING, None, CONFIG, now=NOW)
    assert step == Refuse(refusal)


def test_narrower_scope_does_not_narrow_the_grant() -> None:
    grant = active()
    narrowed = after(grant, refresh_of(grant, scopes=frozenset({"productive:read"})))
    assert narrowed.scopes == SCOPES


@pytest.mark.parametrize(
    ("config", "end"),
    [
        (CONFIG, 7 * DAY),
        (GrantConfig(RESOURCE, refresh_idle=DAY), DAY),
    ],
)
def test_expired_grant_ends_when_its_token_is_presented(config: GrantConfig, end: float) -> None:
    grant = active()
    claim = refresh_of(grant)
    assert isinstance(refresh(grant, claim, RING, None, config, now=NOW + end - 1), Advance)
    step = refresh(grant, claim, RING, None, config, now=NOW + end)
    assert isinstance(step, End)
    assert step.cause is Cause.EXPIRED


def test_person_without_standing_refreshes_nothing_and_nothing_is_written() -> None:
    grant = active()
    for refusal in (Refusal.PERSON_GONE, Refusal.REVOKED_BEFORE, Refusal.OLD_EPOCH):
        step = refresh(grant, refresh_of(grant), RING, refusal, CONFIG, now=NOW)
        assert step == Refuse(refusal)


def test_standing_follows_from_presence_revocation_and_epoch() -> None:
    grant = active(epoch=3)
    assert standing(grant, ana(), 3) is None
    assert standing(grant, ana(), 2) is None
    assert standing(grant, ana(), 4) is Refusal.OLD_EPOCH
    assert standing(grant, None, 3) is Refusal.PERSON_GONE
    assert standing(grant, ana(revoked_before=NOW), 3) is None
    assert standing(grant, ana(revoked_before=NOW + 1), 3) is Refusal.REVOKED_BEFORE


@pytest.mark.parametrize("state", [State.SUSPENDED, State.NO_TOKEN])
def test_suspended_person_and_person_without_productive_token_keep_their_standing(
    state: State,
) -> None:
    assert standing(active(), ana(state=state), 0) is None


def test_repr_of_grant_and_claims_shows_no_secret() -> None:
    shown = repr(active()) + repr(refresh_of(active())) + repr(redemption())
    assert VERIFIER not in shown
    assert repr(SECRET) not in shown
    assert repr(refresh_of(active()).secret) not in shown


def test_client_ends_its_own_grant() -> None:
    for grant in (pending(), active()):
        step = revoke(grant, Revocation(client_hash(CLIENT)), now=NOW)
        assert isinstance(step, End)
        assert step.cause is Cause.REVOKED
        assert step.grant == ended(grant, Cause.REVOKED, now=NOW)


def test_revocation_by_another_client_or_of_a_gone_grant_changes_nothing() -> None:
    other = Revocation(client_hash("other"))
    assert revoke(active(), other, now=NOW) == Refuse(Refusal.WRONG_CLIENT)
    gone = ended(active(), Cause.EXPIRED, now=NOW)
    assert revoke(gone, Revocation(client_hash(CLIENT)), now=NOW) == Refuse(Refusal.GONE)


@pytest.mark.parametrize(
    ("grant", "claim"),
    [
        (pending(), redemption()),
        (active(), refresh_of(active())),
        (active(), Revocation(client_hash(CLIENT))),
    ],
)
def test_each_kind_of_claim_is_decided_by_its_rule(grant: Grant, claim: Claim) -> None:
    expected = {
        "Redemption": lambda: redeem(grant, redemption(), RING, None, now=NOW),
        "Refresh": lambda: refresh(grant, refresh_of(active()), RING, None, CONFIG, now=NOW),
        "Revocation": lambda: revoke(grant, Revocation(client_hash(CLIENT)), now=NOW),
    }[type(claim).__name__]()
    assert decide(grant, claim, RING, None, CONFIG, now=NOW) == expected
    assert isinstance(expected, Advance | End)
