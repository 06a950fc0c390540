"""The command `productive-dev`: simulator, dev IdP, both with a gateway, a reloader, tool docs."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from productive_dev.idp.app import dev_idp
from productive_dev.idp.config import IdpConfig, User
from productive_dev.local.gateway import GatewayStopped
from productive_dev.local.mode import MixtureError
from productive_dev.local.run import PORT, RunOptions, run
from productive_dev.reloading import reload
from productive_dev.serving import serve
from productive_dev.simulator.app import BASE_PATH, simulator
from productive_dev.simulator.config import SimulatorConfig
from productive_dev.sockets import LOOPBACK, PortError, listen, origin_of
from productive_dev.tooldocs.write import write_tool_docs


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(options.command(options))
    except (MixtureError, PortError, GatewayStopped) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


async def _simulator(options: argparse.Namespace) -> None:
    listener = listen(options.port, host=options.host, beyond_loopback=options.beyond_loopback)
    _say(f"Simulator of Productive: {origin_of(listener, options.host)}{BASE_PATH}")
    await serve(simulator(SimulatorConfig(control=options.control)), listener)


async def _idp(options: argparse.Namespace) -> None:
    listener = listen(options.port, host=options.host, beyond_loopback=options.beyond_loopback)
    config = IdpConfig(
        origin=options.origin or origin_of(listener, options.host),
        client_id=options.client_id,
        client_secret=os.environ.get("OIDC_CLIENT_SECRET") or secrets.token_urlsafe(24),
        redirect_uris=tuple(options.redirect_uri),
        users=lambda: [User(email) for email in options.user],
        refresh_tokens=options.refresh_tokens,
        control=options.control,
    )
    _say("This identity provider asks for no password. Never use it for real people.")
    _say(f"OIDC_ISSUER={config.issuer}")
    _say(f"OIDC_CLIENT_ID={config.client_id}")
    if "OIDC_CLIENT_SECRET" not in os.environ:
        _say(f"OIDC_CLIENT_SECRET={config.client_secret}")
    await serve(dev_idp(config), listener)


async def _run(options: argparse.Namespace) -> None:
    await run(
        RunOptions(
            port=options.port,
            examples=options.examples,
            env_file=options.env_file,
            environ=dict(os.environ),
        ),
        _say,
        _stop(),
    )


async def _tool_docs(options: argparse.Namespace) -> None:
    await write_tool_docs(options.root)


async def _reload(options: argparse.Namespace) -> None:
    await reload(options.words, options.watch, _say, _stop())


def _stop() -> asyncio.Event:
    """Return an event that is set on SIGINT and SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _say(line: str) -> None:
    print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="productive-dev", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    part = commands.add_parser("simulator", help="run the offline stand-in for Productive's API")
    part.set_defaults(command=_simulator)
    _listening(part)

    part = commands.add_parser("idp", help="run an OpenID provider that asks for no password")
    part.set_defaults(command=_idp)
    _listening(part)
    part.add_argument("--origin", help="where clients reach it, if not at --host and --port")
    part.add_argument("--client-id", default="productive-mcp")
    part.add_argument("--redirect-uri", action="append", required=True, help="may be repeated")
    part.add_argument(
        "--user", action="append", default=[], metavar="EMAIL", help="list it on the page"
    )
    part.add_argument(
        "--refresh-tokens",
        action="store_true",
        help="issue refresh tokens to all, not only to those who ask for offline_access",
    )

    part = commands.add_parser("run", help="run everything on this machine, without a cluster")
    part.set_defaults(command=_run)
    part.add_argument("--port", type=int, default=PORT)
    part.add_argument("--examples", type=Path, default=Path("examples"), metavar="FOLDER")
    part.add_argument("--env-file", type=Path, default=Path(".env"), metavar="FILE")

    part = commands.add_parser("tool-docs", help="write docs/tools.md and the schema snapshots")
    part.set_defaults(command=_tool_docs)
    part.add_argument("--root", type=_folder, default=Path(), metavar="FOLDER")

    part = commands.add_parser("reload", help="run a command and restart it when files change")
    part.set_defaults(command=_reload)
    part.add_argument("--watch", type=_folder, action="append", required=True, metavar="FOLDER")
    part.add_argument("words", nargs="+", metavar="COMMAND", help="after --, with its arguments")
    return parser


def _listening(part: argparse.ArgumentParser) -> None:
    part.add_argument("--port", type=int, default=0, help="0 picks a free port")
    part.add_argument("--host", default=LOOPBACK)
    part.add_argument(
        "--beyond-loopback",
        action="store_true",
        help="listen for other machines too; anyone who reaches it can sign in as anyone",
    )
    part.add_argument("--control", action="store_true", help="let tests inject faults")


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is not a folder")
    return Path(text)


if __name__ == "__main__":
    sys.exit(main())
