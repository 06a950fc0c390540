"""The pre-registered clients in use: given in the setting, a file, or a mounted Secret.

A file or a mount is read again when it changes. If it cannot be used then, the last good list stays
in use, with an alarm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import structlog

from productive_contract.secret import Secret
from productive_gateway.errors import Unavailable
from productive_gateway.oauth.clients.client import Client
from productive_gateway.oauth.clients.preregistered import PreregistrationError, decode_clients
from productive_gateway.oauth.clients.redirect_policy import RedirectPolicy
from productive_gateway.observability.metrics import CLIENTS_BROKEN, PREREGISTERED_CLIENTS
from productive_gateway.watched.polled import polled
from productive_gateway.watched.watched_secret import (
    POLL_SECONDS,
    Absent,
    Data,
    LastGood,
    Malformed,
)

KEY: Final = "clients.json"
"""In the Secret."""

_log = structlog.get_logger(__name__)


class PreregisteredClients:
    """Follows the list and keeps the last good one."""

    def __init__(self, setting: Secret | Path, policy: RedirectPolicy) -> None:
        """Read the list once; `run` does the rest.

        Args:
            setting: the list itself, the path of a file with it, or of the folder where its Secret
                is mounted.
            policy: where no client may be redirected to.
        """
        self._policy = policy
        self._origin = polled(setting, KEY)
        self._good: LastGood[Mapping[str, Client]] = LastGood(
            "clients", self._parse, alarm=CLIENTS_BROKEN, on_use=_report
        )
        self.poll()

    @property
    def problem(self) -> str | None:
        """What is wrong with the list as it is now; None while that one is in use."""
        return self._good.problem

    def find(self, client_id: str) -> Client | None:
        """Return the client of that id; None if the list does not have it.

        Raises:
            Unavailable: no list could be read yet.
        """
        if self._good.value is None:
            raise Unavailable(
                "The list of apps is not available. Try again in a moment; if that does not help, "
                "tell your administrator to look at the log of the gateway.",
                reason="no_clients",
            )
        return self._good.value.get(client_id)

    async def run(self) -> None:
        """Follow the list until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            self.poll()

    def poll(self) -> None:
        """Read the list again if it changed."""
        data = self._origin.poll()
        if data is not None:
            self._good.take(data)

    def _parse(self, data: Data) -> Mapping[str, Client]:
        return _parse(data, self._policy)


def check_preregistered(setting: Secret | Path, policy: RedirectPolicy) -> None:
    """Check a list before the start.

    Raises:
        PreregistrationError: it cannot be used.
    """
    try:
        _parse(polled(setting, KEY).poll() or {}, policy)
    except Malformed as error:
        raise PreregistrationError(str(error)) from error


def _parse(data: Data, policy: RedirectPolicy) -> Mapping[str, Client]:
    if KEY not in data:
        raise Absent(f"the list of clients is missing: there is no {KEY}, or it cannot be read")
    try:
        return decode_clients(data[KEY], policy)
    except PreregistrationError as error:
        raise Malformed(f"the list of clients cannot be used: {error}") from error


def _report(clients: Mapping[str, Client]) -> None:
    PREREGISTERED_CLIENTS.set(len(clients))
    _log.info("clients.loaded", clients=len(clients))
