"""The command lines of `productive-gateway keys`."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Final, NamedTuple

from productive_contract.clock import system_clock, system_entropy
from productive_gateway import USER_AGENT
from productive_gateway.admin.arguments import (
    add_output,
    add_yes,
    object_name,
    setting,
    with_client,
)
from productive_gateway.admin.errors import AdminError
from productive_gateway.admin.init_key_ring import init_key_ring, key_ring_manifest
from productive_gateway.admin.keys import (
    RotateOptions,
    rotate_keys,
    show_keys,
    sign_everybody_out,
)
from productive_gateway.admin.output import say
from productive_gateway.sealing.keys import new_ring
from productive_gateway.settings.values import secret_ref
from productive_kube.client import KubeClient

if TYPE_CHECKING:
    from productive_gateway.admin.arguments import Subparsers

MAX_DAYS: Final = 3650
_BY_SETTINGS: Final = (
    "the keys come from COOKIE_ENCRYPTION_KEY, so they are rotated in the settings: 1. add the new "
    "key (`openssl rand -hex 32`) to COOKIE_ENCRYPTION_KEY_PREVIOUS and restart every replica; "
    "2. swap the two, so that the new key is COOKIE_ENCRYPTION_KEY, and restart them again; "
    "3. remove the old key after 400 days. For a key ring Secret, name it with --name"
)


class KeyRingRef(NamedTuple):
    """A key ring Secret; None: the only one, or our own namespace."""

    name: str | None
    namespace: str | None


def add_key_commands(keys: Subparsers) -> None:
    """Add init, new, rotate, status and sign-everybody-out."""
    init = keys.add_parser("init", help="make the key ring Secret, unless it exists")
    init.add_argument("--name", required=True, help="of the Secret")
    init.add_argument("--namespace", help="default: the pod's, else the kubeconfig context's")
    init.set_defaults(run=_init_keys)
    new = keys.add_parser("new", help="print the manifest of a Secret with a new key ring")
    new.add_argument("--name", required=True, type=object_name, help="of the Secret")
    new.add_argument("--namespace", type=object_name, help="default: none in the manifest")
    new.set_defaults(run=_new_keys)
    rotate = keys.add_parser("rotate", help="take the next safe step of a rotation")
    _add_key_ring(rotate)
    rotate.add_argument("--dry-run", action="store_true", help="say what would be done")
    rotate.add_argument(
        "--print",
        action="store_true",
        dest="print_manifest",
        help="print the next manifest, with its keys, instead of changing the Secret",
    )
    rotate.add_argument(
        "--force",
        action="store_true",
        help="make a waiting key current before it is ten minutes old",
    )
    rotate.add_argument(
        "--if-older-than",
        type=_days,
        default=0,
        metavar="DAYS",
        help="begin a rotation only if the current key is that old; for a schedule",
    )
    rotate.set_defaults(run=_rotate_keys)
    status = keys.add_parser("status", help="show the keys, without their secrets")
    _add_key_ring(status)
    add_output(status)
    status.set_defaults(run=_show_keys)
    everybody = keys.add_parser("sign-everybody-out", help="raise the epoch: ends all sign-ins")
    _add_key_ring(everybody)
    add_yes(everybody)
    everybody.set_defaults(run=_sign_everybody_out)


def _init_keys(options: argparse.Namespace) -> int:
    async def run(client: KubeClient) -> int:
        namespace = options.namespace or client.namespace
        say(await init_key_ring(client, namespace, options.name))
        return 0

    # The Job of an installation runs it, not a person.
    return with_client(run, user_agent=USER_AGENT)


def _new_keys(options: argparse.Namespace) -> int:
    ring = new_ring(system_clock(), system_entropy)
    say(key_ring_manifest(ring, options.name, options.namespace).rstrip("\n"))
    return 0


def _rotate_keys(options: argparse.Namespace) -> int:
    wanted = RotateOptions(
        dry_run=options.dry_run,
        force=options.force,
        print_manifest=options.print_manifest,
        after_days=options.if_older_than,
    )
    ref = _key_ring(options)
    return with_client(
        lambda client: rotate_keys(client, ref.namespace or client.namespace, ref.name, wanted)
    )


def _show_keys(options: argparse.Namespace) -> int:
    ref = _key_ring(options)
    as_json = options.output == "json"
    return with_client(
        lambda client: show_keys(
            client, ref.namespace or client.namespace, ref.name, json_output=as_json
        )
    )


def _sign_everybody_out(options: argparse.Namespace) -> int:
    ref = _key_ring(options)
    return with_client(
        lambda client: sign_everybody_out(
            client, ref.namespace or client.namespace, ref.name, confirmed=options.yes
        )
    )


def _add_key_ring(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--name", type=object_name, help="of the Secret; default: the only key ring"
    )
    parser.add_argument(
        "--namespace", type=object_name, help="default: the pod's, else the kubeconfig context's"
    )


def _key_ring(options: argparse.Namespace) -> KeyRingRef:
    """Return which key ring is meant: as named, else the gateway's own."""
    ref = setting("KEY_RING_SECRET", secret_ref)
    if options.name or options.namespace:
        return KeyRingRef(options.name, options.namespace)
    if ref is not None:
        return KeyRingRef(ref.name, ref.namespace)
    if os.environ.get("COOKIE_ENCRYPTION_KEY"):
        raise AdminError(_BY_SETTINGS)
    return KeyRingRef(None, None)


def _days(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= MAX_DAYS):
        raise argparse.ArgumentTypeError(f"write a number of days, {MAX_DAYS} at most")
    return int(text)
