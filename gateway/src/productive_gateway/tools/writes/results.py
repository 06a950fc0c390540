"""What a tool gives to the guard, and what it gets back: values only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from productive_gateway.tools.writes.claims import Known
from productive_gateway.tools.writes.undo import NoUndo, UndoHandle


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing that a call is about to create."""

    content: bytes
    """What makes two of them the same: kind, place and fields, as `canonical` writes them."""
    allow_duplicate: bool = False
    """The person wants another one of the same: it is compared with nothing."""


@dataclass(frozen=True, slots=True)
class Written:
    """It was created by this call."""

    result: str
    """Id of what was created."""


@dataclass(frozen=True, slots=True)
class Found:
    """An earlier identical call, whose outcome was not known, had created it."""

    result: str


@dataclass(frozen=True, slots=True)
class Repeated:
    """The same as another one of this call; it was not created a second time."""

    of: int


@dataclass(frozen=True, slots=True)
class NotWritten:
    """Productive refused it, or it was not sent; nothing was created."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Lost:
    """It was sent, and no answer came."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Pending:
    """Nobody can know yet whether it was created: the same call may be made again later."""

    retry_after: int
    """Seconds."""
    error: Exception | None = None
    """Why no answer came, if this call sent it; otherwise an identical call is writing it."""


Outcome = Written | NotWritten | Lost
Result = Written | Known | Found | Repeated | NotWritten | Pending


@dataclass(frozen=True, slots=True)
class Work:
    """How a tool creates what it intends; numbers are positions in the list of intents."""

    write: Callable[[Sequence[int]], Awaitable[Mapping[int, Outcome]]]
    """Create these, in as few requests as possible. What it does not mention, or all if it raises,
    counts as lost: it must raise nothing that it can return as `NotWritten`."""
    look: Callable[[Sequence[int], float], Awaitable[Mapping[int, str]]]
    """Return the ids of those that Productive holds, created at that time (Unix seconds) or later;
    each id for one intent only."""
    inverse: Callable[[Mapping[int, str]], bytes | None] = lambda _: None
    """Return what takes these (by id) back, None if nothing can."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a guarded call."""

    results: tuple[Result, ...]
    """One for each intent, in their order."""
    undo: UndoHandle | NoUndo
    """Takes back what was created; for a repeated call, the handle of the first one."""
