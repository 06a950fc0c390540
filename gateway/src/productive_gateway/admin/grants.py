"""`productive-gateway grants list`, `show` and `revoke`.

A sign-in is ended by storing that it is gone, like one that a client revokes: a gateway that sees
it refuses its tokens, and the sweeper that removes it writes the audit line, once. That needs the
key ring. Without it the Secret is deleted: as good for its tokens, but nobody audits it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final

from productive_contract.clock import Clock, system_clock
from productive_contract.mapping import MappingError, decode
from productive_contract.names import MAPPING_TYPE
from productive_gateway.admin.errors import AdminError, explained
from productive_gateway.admin.key_ring_secret import TRIES, find_key_ring, read_key_ring
from productive_gateway.admin.output import as_json, confirm, plain, say, table
from productive_gateway.admin.sign_in import (
    HEADS,
    Check,
    Selection,
    SignInView,
    in_order,
    view,
)
from productive_gateway.errors import Unavailable
from productive_gateway.grants.errors import Changed, Immutable, Missing
from productive_gateway.grants.grant import Cause, ended
from productive_gateway.grants.record import Record, RecordKind, encode
from productive_gateway.grants.record import decode as decode_grant
from productive_gateway.grants.store_kubernetes import KubernetesGrantStore
from productive_gateway.sealing.errors import KeyRingError
from productive_gateway.sealing.keys import KeyRing
from productive_kube.client import KubeClient
from productive_kube.collection import secret_data
from productive_kube.errors import ApiError

_SUFFIX: Final = "-grants"
_ELSEWHERE: Final = "If they are elsewhere, name the namespace with --namespace."
_NAMESPACE: Final = "name the namespace of the sign-ins with --namespace, as <release>-grants"


@dataclass(frozen=True, slots=True)
class Place:
    """Where sign-ins and the keys to check them are."""

    namespace: str
    """Of the grants."""
    keys_namespace: str | None = None
    """None: the namespace of the grants without `-grants`."""
    keys: str | None = None
    """Name of the key ring Secret; None: the only one of its namespace."""

    @property
    def release(self) -> str | None:
        """The namespace of key ring and mapping, if it is known."""
        if self.keys_namespace is not None:
            return self.keys_namespace
        stem = self.namespace.removesuffix(_SUFFIX)
        return stem if stem and stem != self.namespace else None


@dataclass(frozen=True, slots=True)
class Found:
    """A sign-in and its Secret."""

    view: SignInView
    record: Record


async def list_grants(
    client: KubeClient,
    place: Place,
    selection: Selection,
    *,
    json_output: bool,
    clock: Clock = system_clock,
) -> int:
    """Print the sign-ins that are meant; returns the exit code.

    Raises:
        AdminError, ApiError: they cannot be read.
    """
    ring = await _ring(client, place)
    found = await _find(client, place, selection, ring, clock())
    if json_output:
        say(as_json([one.view.document() for one in found]))
    elif found:
        say(table(HEADS, [one.view.row() for one in found]))
    else:
        say(f"There are no such sign-ins in the namespace {place.namespace}. {_ELSEWHERE}")
    return 0


async def show_grant(
    client: KubeClient,
    place: Place,
    name: str,
    *,
    json_output: bool,
    clock: Clock = system_clock,
) -> int:
    """Print all about one sign-in but its secrets; returns the exit code.

    Raises:
        AdminError, ApiError: it cannot be read, or does not exist.
    """
    ring = await _ring(client, place)
    found = await _find(client, place, Selection(names=frozenset({name})), ring, clock())
    if not found:
        raise AdminError(f"there is no sign-in {place.namespace}/{name}; `grants list` shows all")
    document = found[0].view.document()
    if json_output:
        say(as_json(document))
        return 0
    for field, value in document.items():
        text = " ".join(value) if isinstance(value, list) else "-" if value is None else str(value)
        say(f"{field + ':':<14}{plain(text)}")
    return 0


async def revoke_grants(
    client: KubeClient,
    place: Place,
    selection: Selection,
    *,
    confirmed: bool,
    clock: Clock = system_clock,
) -> int:
    """End the sign-ins that are meant, and print how many; returns the exit code.

    Raises:
        AdminError, ApiError: they cannot be read, or nobody confirmed.
    """
    ring = await _ring(client, place)
    found = await _find(client, place, selection, ring, clock())
    living = [one for one in found if not one.view.over]
    missing = sorted(selection.names - {one.view.name for one in found})
    if missing and living:
        # A mistyped name must not pass for a sign-in that was ended.
        print(f"No sign-in that matches has the name: {', '.join(missing)}.", file=sys.stderr)  # noqa: T201
    if not living:
        say(
            f"No sign-in in the namespace {place.namespace} matches; nothing was changed. "
            f"{_ELSEWHERE}"
        )
        return 1
    if not confirmed:
        print(table(HEADS, [one.view.row() for one in living]), file=sys.stderr)  # noqa: T201
        if not confirm(f"End {_count(len(living))}?"):
            say("Nothing was changed.")
            return 1
    store = KubernetesGrantStore(client, place.namespace)
    failed = 0
    for one in living:
        try:
            await _end(store, one.record, ring, clock())
        except (Unavailable, Changed) as error:
            failed += 1
            cause = error.__cause__ if isinstance(error.__cause__, ApiError) else error
            print(f"{one.view.name} was not ended: {cause}", file=sys.stderr)  # noqa: T201
    say(f"Ended {_count(len(living) - failed)}. Their tokens are refused within seconds.")
    if failed:
        say(f"{_count(failed)} could not be ended: run the command again.")
    return 1 if failed or missing else 0


async def person_of_email(client: KubeClient, place: Place, email: str) -> str:
    """Return the uid of the person with an e-mail address, from the mapping.

    Raises:
        AdminError: the mapping cannot be read, or does not hold the address.
        ApiError: the API server cannot be reached.
    """
    if place.release is None:
        raise AdminError(
            "the mapping is needed for --email: name its namespace with --keys-namespace, or use "
            "--user with the name of the ProductiveUser"
        )
    query = (("fieldSelector", f"type={MAPPING_TYPE}"),)
    path = f"/api/v1/namespaces/{place.release}/secrets"
    try:
        listed = await client.list(path, secret_data, query=query)
    except ApiError as error:
        remedy = "use --user with the name of the ProductiveUser"
        raise explained(error, f"the Secrets of {place.release}", remedy) from error
    for data in listed.items:
        try:
            person = decode(data).people.get(email.lower())
        except MappingError:
            continue
        if person is not None:
            return person.uid
    raise AdminError(
        f"the mapping in {place.release} does not hold that address; `kubectl get pu` lists the "
        "people, and --user takes their names, also of those who are gone"
    )


async def _ring(client: KubeClient, place: Place) -> KeyRing | None:
    """Return the ring that checks the sign-ins; without it, say so and go on."""
    if place.release is None:
        _unverified("its namespace is not known: name it with --keys-namespace")
        return None
    try:
        name = place.keys or await find_key_ring(client, place.release)
        return (await read_key_ring(client, place.release, name)).ring
    except (AdminError, ApiError, KeyRingError) as error:
        if place.keys is not None:
            raise
        _unverified(str(error))
        return None


def _unverified(why: str) -> None:
    print(  # noqa: T201
        f"The sign-ins are not verified, because the key ring cannot be read: {why}.",
        file=sys.stderr,
    )


async def _find(
    client: KubeClient, place: Place, selection: Selection, ring: KeyRing | None, now: float
) -> list[Found]:
    def decode_record(record: Record) -> Found | None:
        one = view(record, ring, now=now)
        return Found(one, record) if selection.matches(one) else None

    store = KubernetesGrantStore(client, place.namespace)
    try:
        listed = await store.list(RecordKind.GRANT, decode_record)
    except Unavailable as error:
        if isinstance(error.__cause__, ApiError):
            what = f"the Secrets of {place.namespace}"
            raise explained(error.__cause__, what, _NAMESPACE) from error
        raise
    by_name = {one.view.name: one for one in listed if one is not None}
    return [by_name[one.name] for one in in_order(found.view for found in by_name.values())]


async def _end(
    store: KubernetesGrantStore, record: Record, ring: KeyRing | None, now: float
) -> None:
    """End one sign-in; one that was renewed meanwhile is ended as it is then.

    Raises:
        Changed: others changed it each time.
        Unavailable: the API server cannot be reached; it may be ended.
    """
    for _ in range(TRIES):
        try:
            await _end_as_read(store, record, ring, now)
        except Missing:
            return
        except Changed:
            again = await store.get(record.name)
            if again is None or view(again, ring, now=now).over:
                return
            record = again
        else:
            return
    raise Changed


async def _end_as_read(
    store: KubernetesGrantStore, record: Record, ring: KeyRing | None, now: float
) -> None:
    if ring is None or view(record, ring, now=now).check is not Check.VERIFIED:
        await store.delete(record)
        return
    grant = decode_grant(record, ring)
    gone = ended(grant, Cause.ADMINISTRATOR, now=now)
    try:
        await store.update(encode(gone, ring, replacing=record))
    except Immutable:
        await store.delete(record)


def _count(number: int) -> str:
    return f"{number} sign-in" if number == 1 else f"{number} sign-ins"
