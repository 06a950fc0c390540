"""The command lines of `productive-gateway grants`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from productive_gateway.admin.arguments import (
    add_output,
    add_yes,
    object_name,
    setting,
    with_client,
)
from productive_gateway.admin.errors import AdminError
from productive_gateway.admin.grants import (
    Place,
    list_grants,
    person_of_email,
    revoke_grants,
    show_grant,
)
from productive_gateway.admin.sign_in import Selection
from productive_gateway.settings.values import SecretRef, grants, secret_ref
from productive_kube.client import KubeClient

if TYPE_CHECKING:
    from productive_gateway.admin.arguments import Subparsers


def add_grant_commands(parsers: Subparsers) -> None:
    """Add list, show and revoke."""
    listing = parsers.add_parser("list", help="list sign-ins")
    _add_place(listing)
    _add_selection(listing)
    add_output(listing)
    listing.set_defaults(run=_list_grants)
    show = parsers.add_parser("show", help="show one sign-in")
    show.add_argument("name", type=object_name, help="of the Secret")
    _add_place(show)
    add_output(show)
    show.set_defaults(run=_show_grant)
    revoke = parsers.add_parser("revoke", help="end sign-ins")
    revoke.add_argument("names", nargs="*", type=object_name, metavar="NAME", help="of the Secrets")
    _add_place(revoke)
    _add_selection(revoke)
    revoke.add_argument("--all", action="store_true", help="everybody's")
    add_yes(revoke)
    revoke.set_defaults(run=_revoke_grants)


def _list_grants(options: argparse.Namespace) -> int:
    async def run(client: KubeClient) -> int:
        place = _place(options, client)
        selection = await _selection(options, client, place)
        return await list_grants(client, place, selection, json_output=options.output == "json")

    return with_client(run)


def _show_grant(options: argparse.Namespace) -> int:
    return with_client(
        lambda client: show_grant(
            client, _place(options, client), options.name, json_output=options.output == "json"
        )
    )


def _revoke_grants(options: argparse.Namespace) -> int:
    chosen = options.names or options.user or options.email or options.client
    if bool(chosen) == options.all:
        raise AdminError(
            "say whose sign-ins to end: name them, or use --user, --email or --client; or --all "
            "alone for everybody's"
        )

    async def run(client: KubeClient) -> int:
        place = _place(options, client)
        selection = await _selection(options, client, place)
        return await revoke_grants(client, place, selection, confirmed=options.yes)

    return with_client(run)


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--namespace", type=object_name, help="of the sign-ins; default: GRANTS, else the context's"
    )
    parser.add_argument(
        "--keys-namespace",
        type=object_name,
        help="of the key ring; default: --namespace without -grants",
    )
    parser.add_argument(
        "--keys", type=object_name, help="the key ring; default: the only one there"
    )


def _add_selection(parser: argparse.ArgumentParser) -> None:
    person = parser.add_mutually_exclusive_group()
    person.add_argument("--user", help="name of the ProductiveUser, or namespace/name")
    person.add_argument("--email", help="the person's address, looked up in the mapping")
    parser.add_argument("--client", help="the client's hash, as in labels, its name or client_id")


def _place(options: argparse.Namespace, client: KubeClient) -> Place:
    # The gateway's own settings, where the command runs in its pod.
    ours = setting("GRANTS", grants)
    ref = setting("KEY_RING_SECRET", secret_ref)
    if options.keys_namespace or options.keys or options.namespace or ref is None:
        ref = SecretRef(options.keys or "", options.keys_namespace)
    elif ref.namespace is None:
        ref = SecretRef(ref.name, client.namespace)
    return Place(options.namespace or ours or client.namespace, ref.namespace, ref.name or None)


async def _selection(options: argparse.Namespace, client: KubeClient, place: Place) -> Selection:
    uid = await person_of_email(client, place, options.email) if options.email else None
    names = frozenset(getattr(options, "names", ()))
    return Selection(names=names, user=options.user, user_uid=uid, client=options.client)
