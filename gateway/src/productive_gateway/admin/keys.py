"""`productive-gateway keys rotate`, `status` and `sign-everybody-out`.

Each command reads the ring, decides, writes by compare-and-swap, and says in words what it did and
what comes next. No key is ever printed, but by `rotate --print`, whose purpose it is.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Final

from productive_contract.clock import Clock, Entropy, system_clock, system_entropy
from productive_gateway.admin.init_key_ring import key_ring_manifest
from productive_gateway.admin.key_ring_secret import (
    KeyRingSecret,
    change_key_ring,
    find_key_ring,
    read_key_ring,
)
from productive_gateway.admin.output import as_json, confirm, say, table, time_text
from productive_gateway.grants.config import DAY
from productive_gateway.sealing.keys import MAX_KEYS, Key, KeyRing
from productive_gateway.sealing.rotation import (
    KEPT_DAYS,
    Role,
    Rotation,
    promotable_at,
    raise_epoch,
    removable_at,
    role,
    rotate,
)
from productive_kube.client import KubeClient

METRIC: Final = "productive_mcp_key_loaded"
HEADS: Final = ("KEY", "CREATED", "ROLE", "UNTIL")


@dataclass(frozen=True, slots=True)
class RotateOptions:
    """The options of `keys rotate`."""

    dry_run: bool = False
    force: bool = False
    print_manifest: bool = False
    after_days: float = 0.0
    """A rotation begins when the current key is this old."""


@dataclass(frozen=True, slots=True)
class NewEpoch:
    """What `sign-everybody-out` decided."""

    ring: KeyRing


async def rotate_keys(
    client: KubeClient,
    namespace: str,
    name: str | None,
    options: RotateOptions,
    *,
    clock: Clock = system_clock,
    entropy: Entropy = system_entropy,
) -> int:
    """Take the next safe step of a rotation, and print what was done; returns the exit code.

    Raises:
        AdminError, ApiError, KeyRingError: nothing was changed, or it is not known.
    """
    name = name or await find_key_ring(client, namespace)

    def decide(read: KeyRingSecret) -> Rotation:
        return rotate(
            read.ring,
            now=read.now,
            entropy=entropy,
            force=options.force,
            after=options.after_days * DAY,
        )

    if options.print_manifest or options.dry_run:
        read = await read_key_ring(client, namespace, name, clock=clock)
        rotation = decide(read)
        message = rotation_message(rotation, f"{namespace}/{name}", planned=True)
        if options.print_manifest:
            say(key_ring_manifest(rotation.ring, name, namespace).rstrip("\n"))
            print(message, file=sys.stderr)  # noqa: T201
        else:
            say(f"Nothing is written, because of --dry-run.\n{message}")
    else:
        rotation = await change_key_ring(client, namespace, name, decide, clock=clock)
        say(rotation_message(rotation, f"{namespace}/{name}"))
    return 1 if rotation.full else 0


async def show_keys(
    client: KubeClient, namespace: str, name: str | None, *, json_output: bool
) -> int:
    """Print the keys of the ring and what becomes of them; returns the exit code.

    Raises:
        AdminError, ApiError, KeyRingError: there is no ring that can be read.
    """
    name = name or await find_key_ring(client, namespace)
    read = await read_key_ring(client, namespace, name)
    if json_output:
        say(as_json(_document(read)))
        return 0
    ring = read.ring
    rows = [
        (key.kid, time_text(key.created), role(ring, key).value, _until(ring, key))
        for key in ring.keys
    ]
    say(table(HEADS, rows))
    say(f"Epoch: {ring.epoch}. Key ring: {namespace}/{name}.")
    if read.managed_by is not None:
        say(f"It is managed by {read.managed_by}: rotate it there, with `keys rotate --print`.")
    return 0


async def sign_everybody_out(
    client: KubeClient, namespace: str, name: str | None, *, confirmed: bool
) -> int:
    """Raise the epoch, which ends all sign-ins; returns the exit code.

    Raises:
        AdminError, ApiError, KeyRingError: nothing was changed, or it is not known.
    """
    name = name or await find_key_ring(client, namespace)
    await read_key_ring(client, namespace, name)
    if not confirmed and not confirm(
        f"This ends all sign-ins of everybody at once (key ring {namespace}/{name}). Continue?"
    ):
        say("Nothing was changed.")
        return 1
    changed = await change_key_ring(
        client, namespace, name, lambda read: NewEpoch(raise_epoch(read.ring))
    )
    say(
        f"The epoch of the key ring {namespace}/{name} is {changed.ring.epoch} now. Within seconds "
        "no earlier sign-in is valid any more, and everybody signs in again. Registered clients "
        "and keys are kept."
    )
    return 0


def rotation_message(rotation: Rotation, where: str, *, planned: bool = False) -> str:
    """Return what a rotation did (or would do) to the key ring, and what comes next."""
    verb = "Remove" if planned else "Removed"
    removed = [
        f"{verb} the key {key.kid} of {time_text(key.created)}: nothing that it sealed is alive."
        for key in rotation.removed
    ]
    return "\n".join([*removed, _step(rotation, f"the key ring {where}", planned=planned)])


def _step(rotation: Rotation, where: str, *, planned: bool) -> str:
    if rotation.added is not None:
        # A key that is only planned is another one each time.
        named = "Add a new key" if planned else f"Added the key {rotation.added.kid}"
        return (
            f"{named} to {where}. It seals nothing yet, so that every replica can load it first.\n"
            f"Next: from {time_text(promotable_at(rotation.added))} on, run the command again to "
            f"make it current. By then, every replica must show it in the metric {METRIC}."
        )
    if rotation.promoted is not None:
        verb = "Make" if planned else "Made"
        return (
            f"{verb} the key {rotation.promoted.kid} current in {where}. The keys before it open "
            f"what they sealed for {KEPT_DAYS} days more, because client ids are valid that long.\n"
            "Next: nothing until the next rotation."
        )
    if rotation.waiting is not None:
        key = rotation.waiting
        return (
            f"The key {key.kid} of {where} is too young to become current: a replica may not have "
            f"loaded it.\nNext: from {time_text(promotable_at(key))} on, run the command again. If "
            f"every replica shows it in the metric {METRIC} already, --force makes it current now."
        )
    ring = rotation.ring
    if rotation.full:
        ends = [end for key in ring.keys if (end := removable_at(key)) is not None]
        free = f" One can be removed from {time_text(min(ends))} on." if ends else ""
        return (
            f"No key was added: {where} holds {len(ring.keys)} keys, and gateways read {MAX_KEYS} "
            f"at most. Keys that were current are kept for {KEPT_DAYS} days.{free} Rotate less "
            "often, once a month at most."
        )
    current = ring.sealing_key()
    made = time_text(current.created)
    return f"The current key {current.kid} of {where} is of {made}; no rotation is due."


def _until(ring: KeyRing, key: Key) -> str:
    match role(ring, key):
        case Role.CURRENT:
            return "-"
        case Role.WAITING:
            return f"may become current from {time_text(promotable_at(key))} on"
        case Role.ACCEPTED:
            end = removable_at(key)
            if end is None:
                return f"{KEPT_DAYS} days after the next `keys rotate`"
            return f"removed by `keys rotate` from {time_text(end)} on"


def _document(read: KeyRingSecret) -> dict[str, Any]:
    ring = read.ring
    return {
        "namespace": read.namespace,
        "name": read.name,
        "managedBy": read.managed_by,
        "epoch": ring.epoch,
        "keys": [
            {
                "kid": key.kid,
                "created": time_text(key.created),
                "demoted": None if key.demoted is None else time_text(key.demoted),
                "role": role(ring, key).value,
                "promotableAt": time_text(promotable_at(key))
                if role(ring, key) is Role.WAITING
                else None,
                "removableAt": _removable(ring, key),
            }
            for key in ring.keys
        ],
    }


def _removable(ring: KeyRing, key: Key) -> str | None:
    end = removable_at(key)
    return time_text(end) if end is not None and role(ring, key) is Role.ACCEPTED else None
