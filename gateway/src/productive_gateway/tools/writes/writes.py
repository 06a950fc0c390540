"""All that a tool writes with, connected."""

from __future__ import annotations

from dataclasses import dataclass

from productive_contract.clock import Clock, Entropy, system_clock, system_entropy
from productive_gateway.sealing.keys import Keys
from productive_gateway.tools.writes.confirm import Confirmations
from productive_gateway.tools.writes.guard import Guard
from productive_gateway.tools.writes.ledger import Ledgers, LedgerStore
from productive_gateway.tools.writes.undo import Undos


@dataclass(frozen=True, slots=True)
class Writes:
    """The parts that share the ledgers."""

    guard: Guard
    undos: Undos
    confirmations: Confirmations

    @classmethod
    def over(
        cls,
        store: LedgerStore,
        keys: Keys,
        *,
        clock: Clock = system_clock,
        entropy: Entropy = system_entropy,
    ) -> Writes:
        """Connect the parts.

        Args:
            store: where ledgers are kept.
            keys: seal tokens and tag handles.
            clock: Unix seconds.
            entropy: for ids and nonces.
        """
        ledgers = Ledgers(store, clock=clock, entropy=entropy)
        undos = Undos(ledgers, keys, clock=clock, entropy=entropy)
        return cls(
            Guard(ledgers, undos, clock=clock, entropy=entropy),
            undos,
            Confirmations(ledgers, keys, clock=clock, entropy=entropy),
        )
