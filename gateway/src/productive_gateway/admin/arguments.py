"""What the command lines of administrators have in common."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

from productive_gateway import ADMIN_USER_AGENT
from productive_gateway.admin.errors import AdminError
from productive_kube.client import KubeClient

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 (its only name)

MAX_NAME: Final = 253
_NAME: Final = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?")

T = TypeVar("T")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add --output."""
    parser.add_argument("--output", "-o", choices=["table", "json"], default="table")


def add_yes(parser: argparse.ArgumentParser) -> None:
    """Add --yes."""
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask")


def with_client(
    run: Callable[[KubeClient], Awaitable[int]], *, user_agent: str = ADMIN_USER_AGENT
) -> int:
    """Run a command with a client of the API server, and return its exit code.

    Args:
        run: the command.
        user_agent: who we are in the logs of the API server.

    Raises:
        NoCluster: no API server is configured.
    """

    async def connected() -> int:
        async with await KubeClient.connect(user_agent=user_agent) as client:
            return await run(client)

    return asyncio.run(connected())


def setting(name: str, read: Callable[[str], T]) -> T | None:
    """Return a setting of the gateway, where the command runs in its pod.

    Raises:
        AdminError: it cannot be read.
    """
    text = os.environ.get(name)
    try:
        return read(text) if text else None
    except ValueError as error:
        raise AdminError(f"{name}: {error}") from error


def object_name(text: str) -> str:
    """Return the name of an object, as Kubernetes allows it."""
    if len(text) > MAX_NAME or not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a name: use up to {MAX_NAME} lower-case letters, digits, dashes and "
            "dots, with a letter or digit first and last"
        )
    return text
