"""Confirmation tokens: what a preview showed is done once, as shown, by the person who saw it.

The preview of a call issues a token; the call repeats it. It is sealed and holds when it expires, a
nonce, and keyed digests of the person, of tool and arguments, and of the state that the preview
showed. It is single use at any replica: its nonce is noted in the ledger, for a guarded call in the
write that the guard makes anyway.
"""

from __future__ import annotations

import hmac
import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from productive_contract.clock import Clock, Entropy, system_clock, system_entropy
from productive_contract.mapping import Person
from productive_gateway.sealing.errors import SealError
from productive_gateway.sealing.keys import Key, KeyRing, Keys, with_known_key
from productive_gateway.sealing.purposes import Purpose
from productive_gateway.sealing.seal import encode_text, frame, mac, seal, unseal
from productive_gateway.tools.writes.canonical import canonical
from productive_gateway.tools.writes.errors import ConfirmFault, ConfirmRefused
from productive_gateway.tools.writes.ledger import Ledger, Ledgers, Used

LIFE: Final = 600.0
"""Seconds for which a token can be used."""
PREFIX: Final = "pmcp_cf_"
_SKEW: Final = 60.0
"""A used token is remembered for longer than it lives, for clocks that differ."""
_NONCE: Final = 8
_DIGEST: Final = 8
"""Keyed, so nobody can look for two arguments of one digest."""
_SIZE: Final = 4 + _NONCE + 3 * _DIGEST
_ATTEMPT: Final = 8


class Channel(StrEnum):
    """How the person is asked; a token of one is no token of the other."""

    ARGUMENT = "argument"
    """The model shows the preview and repeats the token as an argument."""
    QUESTION = "question"
    """The client shows the preview itself and keeps the token (MCP `requestState`)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a token confirms."""

    person: Person
    tool: str
    arguments: object
    """Of JSON's types, as the tool understood them, without the token itself."""
    state: object
    """Of JSON's types: all that the preview showed of the present state."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A token that was checked, and is to be used up."""

    person: Person
    nonce: str
    expires: float

    def used(self, ledger: Ledger, attempt: str) -> Ledger:
        """Return the ledger with this token used up by an attempt.

        Raises:
            ConfirmRefused: another attempt used it before.
        """
        held = ledger.used.get(self.nonce)
        if held is None:
            used = Used(attempt, self.expires + _SKEW)
            return replace(ledger, used={**ledger.used, self.nonce: used})
        if held.attempt != attempt:
            raise ConfirmRefused(ConfirmFault.USED)
        return ledger  # our own write, whose answer was lost


class Confirmations:
    """Issues, checks and uses up confirmation tokens."""

    def __init__(
        self,
        ledgers: Ledgers,
        keys: Keys,
        *,
        clock: Clock = system_clock,
        entropy: Entropy = system_entropy,
    ) -> None:
        """Note used tokens in `ledgers`, and seal them with `keys`."""
        self._ledgers = ledgers
        self._keys = keys
        self._clock = clock
        self._entropy = entropy

    def issue(self, asked: Asked, channel: Channel) -> str:
        """Return a token for what a preview shows; nothing is stored."""
        ring = self._keys.ring()
        expires = math.floor(self._clock() + LIFE)
        payload = expires.to_bytes(4) + self._entropy(_NONCE)
        payload += b"".join(_digests(ring.sealing_key(), asked))
        bound = channel.encode()
        return PREFIX + seal(ring, Purpose.CONFIRM, payload, bound=bound, entropy=self._entropy)

    async def check(self, token: str, asked: Asked, channel: Channel) -> Confirmed:
        """Check a token against the call that presents it and the state of this moment.

        It is not used up yet: give the result to the guard, or to `use`.

        Raises:
            ConfirmRefused: the token does not confirm this.
            Unavailable: the key ring cannot be read afresh.
        """
        text, bound = token.strip().removeprefix(PREFIX), channel.encode()

        def opened(ring: KeyRing) -> tuple[bytes, Key]:
            payload = unseal(ring, Purpose.CONFIRM, text, bound=bound)
            return payload, ring.require(text.partition(".")[0])

        try:
            payload, key = await with_known_key(self._keys, opened)
        except (SealError, UnicodeEncodeError) as error:
            raise ConfirmRefused(ConfirmFault.INVALID) from error
        if len(payload) != _SIZE:
            raise ConfirmRefused(ConfirmFault.INVALID)
        expires = float(int.from_bytes(payload[:4]))
        nonce, held = payload[4 : 4 + _NONCE], payload[4 + _NONCE :]
        person, call, state = _digests(key, asked)
        if not hmac.compare_digest(held[:_DIGEST], person):
            raise ConfirmRefused(ConfirmFault.ANOTHER_PERSON)
        if not hmac.compare_digest(held[_DIGEST : 2 * _DIGEST], call):
            raise ConfirmRefused(ConfirmFault.OTHER_ARGUMENTS)
        if self._clock() >= expires:
            raise ConfirmRefused(ConfirmFault.EXPIRED)
        if not hmac.compare_digest(held[2 * _DIGEST :], state):
            raise ConfirmRefused(ConfirmFault.CHANGED)
        return Confirmed(asked.person, encode_text(nonce), expires)

    async def use(self, confirmed: Confirmed) -> None:
        """Use up a checked token, in one write; for a call that is not guarded, such as a deletion.

        Raises:
            ConfirmRefused: it was used before.
            LedgerUnavailable: the ledger cannot be changed; the token may be used up.
        """
        attempt = self._entropy(_ATTEMPT).hex()
        await self._ledgers.change(
            confirmed.person, lambda ledger: (confirmed.used(ledger, attempt), None)
        )


def _digests(key: Key, asked: Asked) -> tuple[bytes, bytes, bytes]:
    uid, tool = asked.person.uid.encode(), asked.tool.encode()
    parts = (
        frame(b"person", uid),
        frame(b"call", uid, tool, canonical(asked.arguments)),
        frame(b"state", uid, tool, canonical(asked.state)),
    )
    person, call, state = (mac(key, Purpose.CONFIRM, part)[:_DIGEST] for part in parts)
    return person, call, state
