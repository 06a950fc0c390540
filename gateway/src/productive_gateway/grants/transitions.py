"""What a client presents at the token endpoint, and the step that follows from it.

Pure. Time, randomness and keys are arguments; each function looks at one grant and one claim. The
service makes an `Advance` or an `End` true by compare-and-swap, and on a conflict asks again with
what is stored then: so the rules here hold over any number of replicas.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field

from productive_gateway.grants.config import SKEW, GrantConfig
from productive_gateway.grants.grant import Cause, Grant, Refusal, State, ended
from productive_gateway.grants.ratchet import current_secret, digest, next_generation
from productive_gateway.sealing.keys import KeyRing

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
"""RFC 7636 4.1."""


@dataclass(frozen=True, slots=True)
class Advance:
    """Store this grant, and only then answer."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class Repeat:
    """The stored grant is what the answer needs: answer again, store nothing."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class Refuse:
    """Refuse; store nothing."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class End:
    """The grant is over: store that, and refuse."""

    grant: Grant
    cause: Cause


Step = Advance | Repeat | Refuse | End


@dataclass(frozen=True, slots=True)
class Redemption:
    """What was presented with a code."""

    secret: bytes = field(repr=False)
    client: str
    redirect_uri: str | None
    verifier: str = field(repr=False)
    attempt: str


@dataclass(frozen=True, slots=True)
class Refreshing:
    """What was presented with a refresh token."""

    generation: int
    secret: bytes = field(repr=False)
    client: str
    scopes: frozenset[str] | None
    attempt: str


def redeem(
    grant: Grant, claim: Redemption, ring: KeyRing, standing: Refusal | None, *, now: float
) -> Step:
    """Turn a code into an active grant, once.

    Whoever replays a used code with everything right is the client or holds all that it holds, so
    the grant ends (RFC 6749 4.1.2); with a wrong verifier it is an observer, who must not be able
    to end it.

    Args:
        grant: as it is stored now.
        claim: what was presented.
        ring: whose current key makes the first refresh token.
        standing: why the person may not have tokens.
        now: Unix seconds.
    """
    wrong = _wrong_redemption(grant, claim)
    if wrong is not None:
        return Refuse(wrong)
    if grant.state is State.ACTIVE and grant.attempt == claim.attempt:
        return Repeat(grant)
    if grant.state is State.ACTIVE:
        return End(ended(grant, Cause.CODE_REPLAY, now=now), Cause.CODE_REPLAY)
    unfit = Refusal.CODE_EXPIRED if now >= grant.code_end else standing
    if unfit is not None:
        return Refuse(unfit)
    return Advance(next_generation(grant, claim.secret, ring, attempt=claim.attempt, now=now))


def refresh(
    grant: Grant,
    claim: Refreshing,
    ring: KeyRing,
    standing: Refusal | None,
    config: GrantConfig,
    *,
    now: float,
) -> Step:
    """Move to the next generation, or repeat the answer of a refresh that was already made.

    Args:
        grant: as it is stored now.
        claim: what was presented.
        ring: whose current key makes the next token.
        standing: why the person may not have tokens.
        config: lives and grace.
        now: Unix seconds.

    Raises:
        UnknownKey: `ring` lacks the key that made the current generation.
    """
    unfit = _unfit_for_refresh(grant, claim, standing)
    if unfit is not None:
        return Refuse(unfit)
    cause = _ended_by_refresh(grant, claim, config, now)
    if cause is not None:
        return End(ended(grant, cause, now=now), cause)
    if claim.scopes is not None and not (claim.scopes and claim.scopes <= grant.scopes):
        return Refuse(Refusal.SCOPE)
    if claim.generation == grant.generation:
        return Advance(next_generation(grant, claim.secret, ring, attempt=claim.attempt, now=now))
    mine = digest(current_secret(grant, claim.secret, ring))
    if not hmac.compare_digest(mine, grant.refresh_hash):
        return Refuse(Refusal.FORKED)
    return Repeat(grant)


def _wrong_redemption(grant: Grant, claim: Redemption) -> Refusal | None:
    if not hmac.compare_digest(grant.code_hash, digest(claim.secret)):
        return Refusal.WRONG_CODE
    if not hmac.compare_digest(grant.client, claim.client):
        return Refusal.WRONG_CLIENT
    if claim.redirect_uri is not None and claim.redirect_uri != grant.redirect_uri:
        return Refusal.WRONG_REDIRECT
    if not _verifies(grant.challenge, claim.verifier):
        return Refusal.WRONG_VERIFIER
    return Refusal.GONE if grant.state is State.GONE else None


def _verifies(challenge: str, verifier: str) -> bool:
    if not _VERIFIER.fullmatch(verifier):
        return False
    hashed = hashlib.sha256(verifier.encode()).digest()
    expected = base64.urlsafe_b64encode(hashed).rstrip(b"=")
    return hmac.compare_digest(expected, challenge.encode())


def _unfit_for_refresh(grant: Grant, claim: Refreshing, standing: Refusal | None) -> Refusal | None:
    if not hmac.compare_digest(grant.client, claim.client):
        return Refusal.WRONG_CLIENT
    if grant.state is State.GONE:
        return Refusal.GONE
    if grant.state is State.PENDING:
        return Refusal.NOT_REDEEMED
    return standing


def _ended_by_refresh(
    grant: Grant, claim: Refreshing, config: GrantConfig, now: float
) -> Cause | None:
    if now >= grant.end(config):
        return Cause.EXPIRED
    if claim.generation == grant.generation:
        reused = not hmac.compare_digest(digest(claim.secret), grant.refresh_hash)
    elif claim.generation == grant.generation - 1:
        reused = now > grant.rotated_at + config.grace + SKEW
    else:
        # Older ones were used; newer ones are of a time that a restored store does not know.
        reused = True
    return Cause.REFRESH_REUSE if reused else None
