"""What a person reads about one of their connections."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from productive_contract.mapping import format_time
from productive_gateway.grants.grant import Grant, GrantState
from productive_gateway.oauth.clients.display_name import shown_name

_UNITS: Final = ((86400, "day"), (3600, "hour"), (60, "minute"))


@dataclass(frozen=True, slots=True)
class Moment:
    """A time, in UTC, as people and programs read it."""

    machine: str
    """For the `datetime` attribute of HTML."""
    text: str
    ago: str


@dataclass(frozen=True, slots=True)
class Row:
    """One connected app."""

    name: str
    """Name of the grant, for the button."""
    client: str
    """The name that the client gave itself, made safe to show."""
    host: str
    """Where access went."""
    since: Moment
    renewed: Moment | None
    """When it last got new tokens; None while it is being connected."""


def row_of(grant: Grant, now: float) -> Row:
    """Return what is shown of a grant."""
    pending = grant.state is GrantState.PENDING
    return Row(
        name=grant.name,
        client=shown_name(grant.client_name),
        host=grant.client_host,
        since=moment_of(grant.created, now),
        renewed=None if pending else moment_of(grant.rotated_at, now),
    )


def moment_of(time: float, now: float) -> Moment:
    """Return a moment of the past, with how long ago it was."""
    moment = datetime.fromtimestamp(time, UTC)
    return Moment(
        machine=format_time(moment),
        text=f"{moment.day} {moment:%B %Y, %H:%M} UTC",
        ago=_ago(now - time),
    )


def _ago(seconds: float) -> str:
    for length, unit in _UNITS:
        count = int(seconds // length)
        if count >= 1:
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"
