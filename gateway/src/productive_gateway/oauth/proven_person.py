"""The cookie of somebody who has just proved, at the provider, that they are this person themself.

It opens pages of the person's own for ten minutes, and nothing else: no consent and no sign-in is
shortened by it. It is sealed, so any replica can read it, and every use is judged again by the
present mapping, key ring and subject binding: who was suspended, removed or replaced meanwhile is
somebody without access.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from productive_contract.mapping import Person
from productive_gateway.oauth.context import OAuthContext
from productive_gateway.oauth.no_access import admitted
from productive_gateway.people.admission import Denial, check
from productive_gateway.sealing.purposes import Purpose
from productive_gateway.sealing.seal import opened, seal
from productive_gateway.web.json_object import compact_json

LIFE: Final = 600.0
"""Seconds for which the proof counts."""
ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Visit:
    """A person who looks at a page of their own."""

    id: bytes = field(repr=False)
    """Random; the forms of the pages are bound to it."""
    person: Person
    """As the present mapping holds them."""


@dataclass(frozen=True, slots=True)
class _Proof:
    """What the cookie holds."""

    id: bytes = field(repr=False)
    uid: str
    email: str
    account: str
    """Digest of the upstream account that signed in."""
    proven: float
    """Unix seconds."""
    epoch: int
    """Of the key ring then."""


def remember_person(
    context: OAuthContext, response: Response, person: Person, account: str
) -> None:
    """Set the cookie of a person who has just signed in at the provider.

    Args:
        context: seals it.
        response: that sets it.
        person: as the mapping holds them.
        account: digest of the upstream account that signed in.

    Raises:
        Unavailable: there is no key ring to seal with.
    """
    ring, now = context.keys.ring(), context.clock()
    visit = context.entropy(ID_BYTES)
    payload = [visit.hex(), person.uid, person.email, account, now, ring.epoch]
    sealed = seal(ring, Purpose.PERSON, compact_json(payload), entropy=context.entropy)
    context.cookies.put_person(response, sealed, now=now, max_age=int(LIFE))


async def find_visit(context: OAuthContext, request: Request) -> Visit | None:
    """Return who looks at the page; None if they have to sign in.

    Raises:
        NoAccess: they have no access any more.
        SubjectMismatch: their address belongs to another upstream account now.
        Unavailable: mapping, keys or store cannot be read.
    """
    for sealed in context.cookies.persons(request):
        proof = await _proof(context, sealed)
        if proof is not None:
            return await _judged(context, proof)
    return None


async def _proof(context: OAuthContext, sealed: str) -> _Proof | None:
    payload = await opened(context.keys, Purpose.PERSON, sealed)
    if payload is None:
        return None
    visit, uid, email, account, proven, epoch = json.loads(payload)
    proof = _Proof(bytes.fromhex(visit), uid, email, account, float(proven), epoch)
    # The browser also drops the cookie then, but it need not.
    expired = context.clock() >= proof.proven + LIFE
    return None if expired or proof.epoch < context.keys.ring().epoch else proof


async def _judged(context: OAuthContext, proof: _Proof) -> Visit | None:
    person = context.people.snapshot().person(proof.uid)
    if check(person, proof.proven) is Denial.REVOKED_BEFORE:
        return None
    person = admitted(person)
    if person.email != proof.email:
        return None
    await context.grants.check_subject(person, proof.account)
    return Visit(proof.id, person)
