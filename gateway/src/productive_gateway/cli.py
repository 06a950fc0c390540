"""`productive-gateway`: serve, and the commands for administrators.

Exit codes: 0 done; 1 nothing matched, was confirmed or could be added; 2 an error.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from productive_gateway import __version__
from productive_gateway.admin.errors import AdminError
from productive_gateway.admin.grant_commands import add_grant_commands
from productive_gateway.admin.key_commands import add_key_commands
from productive_gateway.errors import Unavailable
from productive_gateway.observability.logs import configure_logs
from productive_gateway.sealing.errors import KeyRingError
from productive_gateway.settings import SettingsError, load_settings
from productive_gateway.web.listening import ListenError
from productive_kube.errors import ApiError, NoCluster


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except (
        SettingsError,
        ListenError,
        NoCluster,
        ApiError,
        KeyRingError,
        AdminError,
        Unavailable,
    ) as error:
        print(f"productive-gateway: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="productive-gateway", description="MCP gateway to Productive.io"
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="serve with the settings of the environment")
    serve.set_defaults(run=_serve)
    check = commands.add_parser("check-config", help="read the settings and report what is wrong")
    check.set_defaults(run=_check)
    keys = commands.add_parser("keys", help="the key ring").add_subparsers(
        required=True, metavar="COMMAND"
    )
    add_key_commands(keys)
    grants = commands.add_parser("grants", help="people's sign-ins").add_subparsers(
        required=True, metavar="COMMAND"
    )
    add_grant_commands(grants)
    return parser


def _serve(_: argparse.Namespace) -> int:
    from productive_gateway.serving import serve

    settings = load_settings(os.environ)
    configure_logs(settings.log_level)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(serve(settings))


def _check(_: argparse.Namespace) -> int:
    load_settings(os.environ)
    print("The settings are good.")  # noqa: T201
    return 0


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not made for this platform
        return None
    loop: type[asyncio.AbstractEventLoop] = uvloop.Loop
    return loop


if __name__ == "__main__":
    sys.exit(main())
