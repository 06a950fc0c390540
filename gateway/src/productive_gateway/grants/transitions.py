"""How a grant changes: the step that follows from a claim.

Pure: time, randomness and keys are arguments, and each function looks at one grant and one claim.
`commit` stores a step by compare-and-swap and decides again after a conflict, so the rules here
hold over any number of replicas. Where the provider gave a refresh token, a refresh takes several
steps: `Lease`, `Ask`, then `Advance`, `Keep` or `End`.
"""

from __future__ import annotations

import hmac
from dataclasses import replace

from productive_contract.clock import Entropy
from productive_gateway.grants.config import LEASE, SKEW, GrantConfig
from productive_gateway.grants.grant import (
    Cause,
    Grant,
    GrantState,
    Refusal,
    SignIn,
    client_hash,
    ended,
    without_lease,
)
from productive_gateway.grants.pkce import proves
from productive_gateway.grants.provider import Confirmed, Denied, Reply, Unanswered, Unproven
from productive_gateway.grants.steps import (
    Advance,
    Ask,
    Claim,
    Disconnection,
    End,
    Keep,
    Lease,
    Redemption,
    Refresh,
    Refuse,
    Repeat,
    Revocation,
    Step,
    Wait,
)
from productive_gateway.grants.tokens import digest, grant_name, successor
from productive_gateway.sealing.keys import KeyRing


def issue(
    sign_in: SignIn,
    config: GrantConfig,
    *,
    subject: str,
    code_hash: str,
    epoch: int,
    now: float,
    entropy: Entropy,
    upstream: str = "",
) -> Grant:
    """Return the pending grant of a sign-in, waiting for its code.

    Args:
        sign_in: who allowed which client what.
        config: lifetimes.
        subject: digest of the upstream account.
        code_hash: digest of the code's secret.
        epoch: of the key ring.
        now: Unix seconds.
        entropy: for the salt and the id of this attempt.
        upstream: the provider's refresh token, sealed; empty if there is none.
    """
    person = sign_in.person
    life = config.absolute_life_asked if upstream else config.absolute_life
    return Grant(
        name=grant_name(sign_in.transaction),
        state=GrantState.PENDING,
        user_uid=person.uid,
        user=person.user,
        subject=subject,
        client=client_hash(sign_in.client_id),
        client_name=sign_in.client_name,
        client_host=sign_in.client_host,
        redirect_uri=sign_in.redirect_uri,
        resource=sign_in.resource,
        scopes=sign_in.scopes,
        auth_time=sign_in.auth_time,
        created=now,
        absolute_end=now + life,
        epoch=epoch,
        attempt=entropy(16).hex(),
        code_hash=code_hash,
        challenge=sign_in.challenge,
        code_end=now + config.code_life,
        salt=entropy(16),
        upstream=upstream,
    )


def decide(
    grant: Grant,
    claim: Claim,
    ring: KeyRing,
    standing: Refusal | None,
    config: GrantConfig,
    *,
    now: float,
    was_current: bool = False,
) -> Step:
    """Return what follows from a claim on a grant.

    Args:
        grant: as it is stored now.
        claim: what was presented.
        ring: its current key makes the next refresh token.
        standing: why the person may not have tokens; a revocation does not depend on it.
        config: lifetimes and grace.
        now: Unix seconds.
        was_current: whether this request already saw its own token as the current one.

    Raises:
        UnknownKey: `ring` lacks the key that made the current generation.
    """
    match claim:
        case Redemption():
            return redeem(grant, claim, ring, standing, now=now)
        case Refresh():
            return refresh(grant, claim, ring, standing, config, now=now, was_current=was_current)
        case Revocation():
            return revoke(grant, claim, now=now)
        case Disconnection():
            return disconnect(grant, claim, now=now)


def redeem(
    grant: Grant, claim: Redemption, ring: KeyRing, standing: Refusal | None, *, now: float
) -> Step:
    """Turn a code into an active grant, once.

    Somebody who replays a used code with everything right is the client or holds all that it holds,
    so the grant ends (RFC 6749 4.1.2), also when the two came at once; with a wrong verifier it is
    an observer, who must not be able to end it.
    """
    wrong = _wrong_redemption(grant, claim)
    if wrong is not None:
        return Refuse(wrong)
    if grant.state is GrantState.ACTIVE and grant.attempt == claim.attempt:
        return Repeat(grant)
    if grant.state is GrantState.ACTIVE:
        return End(ended(grant, Cause.CODE_REPLAY, now=now), Cause.CODE_REPLAY)
    unfit = Refusal.CODE_EXPIRED if now >= grant.code_end else standing
    if unfit is not None:
        return Refuse(unfit)
    return Advance(_next_generation(grant, claim.secret, ring, attempt=claim.attempt, now=now))


def refresh(
    grant: Grant,
    claim: Refresh,
    ring: KeyRing,
    standing: Refusal | None,
    config: GrantConfig,
    *,
    now: float,
    was_current: bool = False,
) -> Step:
    """Move to the next generation, or repeat the answer of a refresh that was already made.

    A request that once read its own token as the current one comes from an honest client, however
    far others have gone since, or is the one that made the next generation and never learnt of it:
    it may be refused, but it never ends the grant.

    Raises:
        UnknownKey: `ring` lacks the key that made the current generation.
    """
    unfit = _unfit_for_refresh(grant, claim, standing)
    if unfit is not None:
        return Refuse(unfit)
    cause = _ended_by_refresh(grant, claim, config, now)
    if cause is not None:
        over = End(ended(grant, cause, now=now), cause)
        return Refuse(Refusal.OVERTAKEN) if was_current else over
    if claim.scopes is not None and not (claim.scopes and claim.scopes <= grant.scopes):
        return Refuse(Refusal.SCOPE)
    if claim.generation != grant.generation:
        return _repeat(grant, claim, ring)
    return _move_on(grant, claim, ring, now=now)


def revoke(grant: Grant, claim: Revocation, *, now: float) -> Step:
    """End the grant, if it is this client's and not over yet."""
    if grant.state is GrantState.GONE:
        return Refuse(Refusal.GONE)
    if not hmac.compare_digest(grant.client, claim.client):
        return Refuse(Refusal.WRONG_CLIENT)
    return End(ended(grant, Cause.REVOKED, now=now), Cause.REVOKED)


def disconnect(grant: Grant, claim: Disconnection, *, now: float) -> Step:
    """End the grant, if it is this person's and not over yet."""
    if grant.user_uid != claim.user_uid:
        return Refuse(Refusal.WRONG_PERSON)
    if grant.state is GrantState.GONE:
        return Refuse(Refusal.GONE)
    return End(ended(grant, Cause.DISCONNECTED, now=now), Cause.DISCONNECTED)


def current_secret(grant: Grant, previous: bytes, ring: KeyRing) -> bytes:
    """Return the secret of the current generation, given the one before.

    Raises:
        UnknownKey: `ring` lacks the key that made it.
    """
    key = ring.require(grant.ratchet_kid)
    return successor(key, previous, grant.salt, grant.generation)


def _repeat(grant: Grant, claim: Refresh, ring: KeyRing) -> Step:
    """Answer a refresh of the previous generation with the successor that it already has."""
    mine = digest(current_secret(grant, claim.secret, ring))
    if not hmac.compare_digest(mine, grant.refresh_hash):
        return Refuse(Refusal.FORKED)
    return Repeat(grant)


def _move_on(grant: Grant, claim: Refresh, ring: KeyRing, *, now: float) -> Step:
    """Make the next generation, after the provider was asked if it gave a refresh token."""
    if not grant.upstream:
        return Advance(_next_generation(grant, claim.secret, ring, attempt=claim.attempt, now=now))
    if claim.reply is None:
        return _ask_provider(grant, claim, now=now)
    return _after_reply(grant, claim, claim.reply, ring, now=now)


def _ask_provider(grant: Grant, claim: Refresh, *, now: float) -> Step:
    """Let one request at a time ask the provider: most accept a refresh token only once."""
    if grant.lease == claim.attempt:
        return Ask(claim)
    # The end was written by another clock.
    if grant.lease and now < grant.lease_end + SKEW:
        return Wait()
    return Lease(replace(grant, lease=claim.attempt, lease_end=now + LEASE, asks=grant.asks + 1))


def _after_reply(grant: Grant, claim: Refresh, reply: Reply, ring: KeyRing, *, now: float) -> Step:
    """Return what follows from the provider's reply.

    A request that took longer than its lease may find another one asking. A new token that it got
    counts all the same; that it was refused does not, because the other one may have been first.
    """
    mine, free = grant.lease == claim.attempt, without_lease(grant)
    renewed = replace(free, upstream=reply.sealed, asks=0)
    match reply.answer:
        case Confirmed():
            return Advance(
                _next_generation(renewed, claim.secret, ring, attempt=claim.attempt, now=now)
            )
        case Unproven(failure=failure):
            return Keep(renewed, failure)
        case Unanswered(failure=failure):
            return Keep(free if mine else grant, failure)
        case Denied(cause=Cause.UPSTREAM_REFUSED) if not mine:
            return Wait()
        case Denied(cause=Cause.UPSTREAM_REFUSED) if grant.asks > 1:
            lost = Cause.UPSTREAM_TOKEN_LOST
            return End(ended(grant, lost, now=now), lost)
        case Denied(cause=cause):
            return End(ended(grant, cause, now=now), cause)


def _next_generation(
    grant: Grant, secret: bytes, ring: KeyRing, *, attempt: str, now: float
) -> Grant:
    key, generation = ring.sealing_key(), grant.generation + 1
    return replace(
        grant,
        state=GrantState.ACTIVE,
        attempt=attempt,
        generation=generation,
        refresh_hash=digest(successor(key, secret, grant.salt, generation)),
        ratchet_kid=key.kid,
        rotated_at=now,
    )


def _wrong_redemption(grant: Grant, claim: Redemption) -> Refusal | None:
    if not hmac.compare_digest(grant.code_hash, digest(claim.secret)):
        return Refusal.WRONG_CODE
    if not hmac.compare_digest(grant.client, claim.client):
        return Refusal.WRONG_CLIENT
    if claim.redirect_uri is not None and claim.redirect_uri != grant.redirect_uri:
        return Refusal.WRONG_REDIRECT
    if claim.registered is not None and not claim.registered(grant.redirect_uri):
        return Refusal.WRONG_REDIRECT
    if not proves(claim.verifier, grant.challenge):
        return Refusal.WRONG_VERIFIER
    return Refusal.GONE if grant.state is GrantState.GONE else None


def _unfit_for_refresh(grant: Grant, claim: Refresh, standing: Refusal | None) -> Refusal | None:
    if not hmac.compare_digest(grant.client, claim.client):
        return Refusal.WRONG_CLIENT
    if grant.state is GrantState.GONE:
        return Refusal.GONE
    if grant.state is GrantState.PENDING:
        return Refusal.NOT_REDEEMED
    return standing


def _ended_by_refresh(
    grant: Grant, claim: Refresh, config: GrantConfig, now: float
) -> Cause | None:
    if now >= grant.end(config):
        return Cause.EXPIRED
    if claim.generation == grant.generation:
        reused = not hmac.compare_digest(digest(claim.secret), grant.refresh_hash)
    elif claim.generation == grant.generation - 1:
        reused = now > grant.rotated_at + config.grace + SKEW
    else:
        # Older generations were used; a newer one is from before the restore of a backup.
        reused = True
    return Cause.REFRESH_REUSE if reused else None
