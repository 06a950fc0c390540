"""What a running tool gets: the person, their records, names, writes and pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Generic, TypeVar

from productive_gateway.people.principal import Principal
from productive_gateway.productive.identity import Identity
from productive_gateway.productive.records.record import Record
from productive_gateway.productive.records.store import Filters, Records
from productive_gateway.sealing.keys import KeyRing
from productive_gateway.tools.kit.access import Allowed
from productive_gateway.tools.kit.arguments import Arguments
from productive_gateway.tools.kit.errors import (
    LONGEST_MESSAGE,
    Explainer,
    Problem,
    ToolError,
    UserQuestion,
)
from productive_gateway.tools.kit.page import Place, cursor_of, digest_of, page_of
from productive_gateway.tools.names.resolver import Resolver
from productive_gateway.tools.words import untrusted
from productive_gateway.tools.writes.confirm import Asked, Channel
from productive_gateway.tools.writes.writer import Writer

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the user answered to a question that the client showed."""

    agreed: bool
    token: str


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """One page of a list."""

    rows: tuple[R, ...]
    total: int | None
    next_cursor: str | None

    def counted(self, what: str, several: str | None = None) -> str:
        """Return how many there are, as a headline such as "3 of 41 tasks".

        Args:
            what: one of them.
            several: more than one of them, if that is not `what` with an "s".
        """
        total = len(self.rows) if self.total is None else self.total
        named = what if total == 1 else several or f"{what}s"
        if not total:
            return f"No {named}."
        shown = "" if len(self.rows) >= total else f"{len(self.rows)} of "
        return f"{shown}{total} {named}."


@dataclass(slots=True)
class Call:
    """One call of a tool."""

    principal: Principal
    allowed: Allowed
    me: Identity
    records: Records
    names: Resolver
    writes: Writer
    explain: Explainer
    now: datetime
    """In the person's zone."""
    requests_left: Callable[[], int]
    ring: KeyRing
    tool: str
    """Name of the tool."""
    given: Arguments
    can_ask: bool = False
    """Whether the client can show the user a question."""
    reply: Reply | None = None
    """The user's answer to the question of this call."""
    warnings: list[str] = field(default_factory=list)

    @property
    def place(self) -> Place:
        """Return what a cursor of this call is bound to."""
        return Place(self.principal.person.uid, self.tool, digest_of(self.given.model_dump()))

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Return the arguments as JSON, without the confirmation: what is confirmed."""
        return self.given.model_dump(mode="json", exclude={"confirm"}, exclude_none=True)

    @property
    def today(self) -> date:
        """The person's present day."""
        if not self.me.time_zone_known:
            self.warn("Productive has no usable time zone for you, so days are in UTC.")
        return self.now.date()

    def warn(self, text: str) -> None:
        """Add a warning to the answer, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    async def progress(self, done: int, total: int, message: str) -> None:
        """Report how much of several writes is done, if the client asked for it.

        Args:
            done: how many things.
            total: of how many.
            message: for people; without anything that others wrote.
        """
        await self.writes.progress(done, total, message)

    async def page(
        self,
        cls: type[R],
        filters: Filters,
        *,
        limit: int,
        cursor: str | None,
        sort: str | None = None,
    ) -> Page[R]:
        """Read the page of a list that the cursor names.

        Args:
            cls: the record.
            filters: see `Filters`.
            limit: rows of a page.
            cursor: as the model gave it.
            sort: see `Records.page`.

        Raises:
            ToolError: the cursor is of another list.
        """
        number = page_of(self.ring, self.place, cursor)
        found = await self.records.page(cls, filters, sort=sort, number=number, size=limit)
        more = None if found.complete else cursor_of(self.ring, self.place, number + 1)
        return Page(found.rows, found.total, more)

    async def confirm(self, action: str, preview: Sequence[str], *, given: str | None) -> None:
        """Let the user confirm what is about to be done, unless they just did.

        A client that can show a question asks the user itself; any other gets a token, with which
        the model repeats the call once the user agreed.

        Args:
            action: what happens, such as "Delete 2 time entries".
            preview: what it happens to, a line each; together they are the state that is confirmed.
            given: the argument `confirm`.

        Raises:
            ToolError: the user has to be asked first.
            UserQuestion: the client has to ask the user.
            ConfirmRefused: the token is not for this call, or for this state.
        """
        asked = Asked(self.principal.person, self.tool, self.arguments, list(preview))
        confirmations = self.writes.writes.confirmations
        lines = tuple(untrusted.line(one, LONGEST_MESSAGE) for one in preview)
        message = f"{action}: {'; '.join(lines)}." if lines else f"{action}."
        short = len(message) <= LONGEST_MESSAGE
        if self.reply is not None:
            checked = await confirmations.check(self.reply.token, asked, Channel.QUESTION)
        elif given is not None:
            checked = await confirmations.check(given, asked, Channel.ARGUMENT)
        elif self.can_ask:
            token = confirmations.issue(asked, Channel.QUESTION)
            raise UserQuestion(message, action, token)
        else:
            raise ToolError(
                Problem(
                    "needs_confirmation",
                    message if short else f"{action}: the preview has {len(lines)} lines.",
                    "Nothing was changed yet. Show this to the user. If they agree, repeat the "
                    "very same call with confirm set to the token below.",
                    preview=() if short else lines,
                    confirm=confirmations.issue(asked, Channel.ARGUMENT),
                )
            )
        self.writes.confirmed = checked

    def link(self, record: Record) -> str | None:
        """Return the web link of a record; None if it has none."""
        return self.names.link(record)
