"""Writes records for one call: created once, compared with what was asked for, and undoable.

Productive ignores attributes that it does not know and answers 200, so only the record of the
answer says what was really written. Every creation goes through the guard, and every write leaves
its inverse: a tool cannot forget either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from productive_contract.mapping import Person
from productive_gateway.productive.records.record import Record, resource_of, values_of
from productive_gateway.productive.records.store import Records, Values
from productive_gateway.productive.wire.errors import (
    NotFound,
    NotTried,
    ProductiveError,
    Refused,
    StateUnknown,
)
from productive_gateway.tools.kit.errors import Problem, ToolError
from productive_gateway.tools.kit.progress import Progress
from productive_gateway.tools.writes.canonical import canonical
from productive_gateway.tools.writes.claims import Known
from productive_gateway.tools.writes.compare import check, differences
from productive_gateway.tools.writes.confirm import Confirmed
from productive_gateway.tools.writes.inverse import Inverse, encode
from productive_gateway.tools.writes.results import (
    Found,
    Intent,
    Lost,
    NotWritten,
    Outcome,
    Pending,
    Repeated,
    Result,
    Work,
    Written,
)
from productive_gateway.tools.writes.undo import NoUndo, UndoHandle
from productive_gateway.tools.writes.writes import Writes

R = TypeVar("R", bound=Record)

_CREATED: Final = "created_at"


@dataclass(frozen=True, slots=True)
class Made(Generic[R]):
    """What became of one creation: the record, or the error; both if it was written otherwise."""

    record: R | None = None
    error: Exception | None = None
    earlier: bool = False
    """An identical call created it just before."""
    repeats: int | None = None
    """It is the same as this one of the same call, and was not created a second time."""

    @property
    def deleted(self) -> bool:
        """Whether it was created, and somebody deleted it since."""
        return isinstance(self.error, ToolError) and self.error.problem is _DELETED

    def done(self) -> R:
        """Return the record.

        Raises:
            Exception: why it was not created, or not as it was asked for.
        """
        if self.error is not None:
            raise self.error
        if self.record is None:
            raise StateUnknown("nothing is known about it")
        return self.record


@dataclass(slots=True)
class Writer:
    """The writes of one call."""

    records: Records
    writes: Writes
    person: Person
    confirmed: Confirmed | None = None
    """The call's confirmation: it is used up before the first write."""
    inverses: list[Inverse] = field(default_factory=list)
    progress: Progress = field(default_factory=Progress)
    """Hears of each of several creations."""
    _handle: UndoHandle | NoUndo | None = None
    _kept: int = 0
    """How many of the inverses the handle takes back."""

    async def create(self, cls: type[R], values: Values, *, allow_duplicate: bool = False) -> R:
        """Create a record; an identical call, now or just before, gets the same record.

        Args:
            cls: the record.
            values: see `record.resource_of`.
            allow_duplicate: the user wants another one of the same.

        Raises:
            ToolError: an identical call is still creating it, or Productive wrote something else.
            StateUnknown: it may or may not have been created.
            LedgerUnavailable: it was not created.
            ProductiveError: it was not created.
        """
        (made,) = await self.create_each(cls, [values], allow_duplicate=[allow_duplicate])
        return made.done()

    async def create_many(self, cls: type[R], several: Sequence[Values]) -> tuple[R, ...]:
        """Create records by one request; what they refer to is not in the answer.

        Raises:
            Exception: as `create`; the first error of any.
        """
        made = await self.create_each(cls, several, bulk=True)
        return tuple(one.done() for one in made)

    async def create_each(
        self,
        cls: type[R],
        several: Sequence[Values],
        *,
        allow_duplicate: Sequence[bool] = (),
        bulk: bool = False,
    ) -> tuple[Made[R], ...]:
        """Create records, and say of each what became of it.

        One after the other, until an answer is lost or Productive fails; or all by one request.

        Args:
            cls: the record.
            several: see `record.resource_of`.
            allow_duplicate: for each of them; none if it is empty.
            bulk: by one request, if they are several; all are created, or none.

        Raises:
            LedgerUnavailable: none was created.
            ConfirmRefused: none was created, because the confirmation was used before.
        """
        bulk = bulk and len(several) > 1
        job = _Job(self.records, cls, several, self.progress, bulk=bulk)
        again = allow_duplicate or [False] * len(several)
        intents = [
            Intent(canonical(resource_of(cls, values)), allow)
            for values, allow in zip(several, again, strict=True)
        ]
        confirmed, self.confirmed = self.confirmed, None
        work = Work(job.write, job.look, lambda done: encode(self._with(cls, several, done)))
        report = await self.writes.guard.run(self.person, intents, work, confirmed=confirmed)
        done = {
            number: result.result
            for number, result in enumerate(report.results)
            if isinstance(result, Written | Found)
        }
        if done:
            self.inverses = self._with(cls, several, done)
            self._handle, self._kept = report.undo, len(self.inverses)
        elif self._handle is None and isinstance(report.undo, UndoHandle):
            self._handle = report.undo
        made = [await job.made(number, one) for number, one in enumerate(report.results)]
        gone = {
            number: known
            for number, known in enumerate(report.results)
            if isinstance(known, Known) and made[number].deleted
        }
        known_only = all(isinstance(one, Known | Repeated) for one in report.results)
        forgotten = {intents[number]: known for number, known in gone.items()}
        if gone and await self.writes.guard.forget(self.person, forgotten):
            self.confirmed = confirmed if known_only else None  # nothing used it up
            anew = await self.create_each(cls, [several[number] for number in gone], bulk=bulk)
            for number, one in zip(gone, anew, strict=True):
                made[number] = one
        return tuple(made)

    async def update(self, before: R, values: Values) -> R:
        """Change fields of a record that was just read.

        Raises:
            ToolError: Productive wrote something else than was asked for.
            StateUnknown: it may or may not have been changed.
            ProductiveError: it was not changed.
        """
        await self._confirm()
        after = await self.records.update(type(before), before.id, values)
        self.inverses.append(
            Inverse(type(before), before.id, values_of(before, values), dict(values))
        )
        check(after, values)
        return after

    async def delete(self, record: Record, *, again: Values | None = None) -> None:
        """Delete a record.

        Args:
            record: as it was just read.
            again: what makes an equal one; None if there is no way back.

        Raises:
            StateUnknown: it may or may not have been deleted.
            ProductiveError: it was not deleted.
        """
        await self._confirm()
        await self.records.delete(type(record), record.id)
        if again is not None:
            self.inverses.append(Inverse(type(record), record.id, dict(again), {}, deleted=True))

    async def act(
        self,
        record: R,
        action: str,
        values: Values | None = None,
        *,
        back: Values | None = None,
        undone_by: tuple[str, Values] | None = None,
        leaves: Values | None = None,
        method: str = "PATCH",
    ) -> R | None:
        """Run an action of a record; see `Records.act`.

        Args:
            record: as it was just read.
            action: last part of the path.
            values: attributes of the request.
            back: values that take it back, if an update can; the record holds others then.
            undone_by: the action that takes it back, with its values, if an action can.
            leaves: what the record holds after an action with `undone_by`, by field.
            method: PATCH or POST.

        Raises:
            ToolError: the answer shows that the record does not hold what the action leaves.
            StateUnknown: it may or may not have been run.
            ProductiveError: it was not run.
        """
        await self._confirm()
        after = await self.records.act(type(record), action, values, id=record.id, method=method)
        if back is not None and after is not None:
            now = values_of(after, back)
            self.inverses.append(Inverse(type(record), record.id, dict(back), now))
        if undone_by is not None:
            reverse, needed = undone_by
            kept = Inverse(type(record), record.id, dict(needed), dict(leaves or {}), reverse)
            self.inverses.append(kept)
        if after is not None and leaves:
            check(after, leaves)
        return after

    async def copy(self, template: R, values: Values, *, undone_by: tuple[str, Values]) -> R:
        """Copy a record, by the `copy` action of its collection.

        The guard does not see it: look first whether the copy is there already.

        Args:
            template: as it was just read.
            values: attributes of the request.
            undone_by: the action that takes the copy back, with its values.

        Raises:
            StateUnknown: it may or may not have been copied.
            ProductiveError: it was not copied.
        """
        await self._confirm()
        cls = type(template)
        made = await self.records.act(cls, "copy", values, method="POST")
        if made is None:
            raise StateUnknown("the answer does not name the copy")
        reverse, needed = undone_by
        held = {name: values[name] for name in ("name",) if name in values}
        self.inverses.append(Inverse(cls, made.id, dict(needed), held, reverse))
        return made

    async def start(self, cls: type[R], values: Values) -> R:
        """Create a record that nobody can delete again, such as the run of a timer.

        The guard does not see it, and nothing takes it back: look first whether it is there.

        Raises:
            StateUnknown: it may or may not have been created.
            ProductiveError: it was not created.
        """
        await self._confirm()
        return await self.records.create(cls, values)

    async def undo_handle(self) -> UndoHandle | NoUndo | None:
        """Return the handle that takes back all that this call wrote; None if nothing can.

        It costs one write at the API server, unless the last write was a creation.
        """
        if len(self.inverses) > self._kept:
            content = encode(self.inverses)
            self._handle = await self.writes.undos.keep(self.person, content)
            self._kept = len(self.inverses)
        return self._handle if self.inverses or isinstance(self._handle, UndoHandle) else None

    async def _confirm(self) -> None:
        confirmed, self.confirmed = self.confirmed, None
        if confirmed is not None:
            await self.writes.confirmations.use(confirmed)

    def _with(
        self, cls: type[Record], several: Sequence[Values], done: Mapping[int, str]
    ) -> list[Inverse]:
        """Return the inverses of this call, with those of what was just created."""
        return [
            *self.inverses,
            *(Inverse(cls, id_, None, dict(several[number])) for number, id_ in done.items()),
        ]


class _Job(Generic[R]):
    """One creation of some records: what the guard calls."""

    def __init__(
        self,
        records: Records,
        cls: type[R],
        several: Sequence[Values],
        progress: Progress,
        *,
        bulk: bool,
    ) -> None:
        self._progress = progress
        self._records = records
        self._cls = cls
        self._several = several
        self._bulk = bulk
        self._made: dict[int, R] = {}

    async def write(self, numbers: Sequence[int]) -> Mapping[int, Outcome]:
        """Create these."""
        if self._bulk and len(numbers) > 1:
            return await self._write_all(numbers)
        outcomes: dict[int, Outcome] = {}
        for at, number in enumerate(numbers):
            failed = _failed(outcomes)
            if at and not failed:
                await self._progress(at, len(numbers), f"{at} of {len(numbers)} done.")
            outcomes[number] = NotWritten(failed) if failed else await self._write_one(number)
        return outcomes

    async def _write_one(self, number: int) -> Outcome:
        try:
            record = await self._records.create(self._cls, self._several[number])
        except StateUnknown as error:
            return Lost(error)
        except ProductiveError as error:
            return NotWritten(error)
        self._made[number] = record
        return Written(record.id)

    async def _write_all(self, numbers: Sequence[int]) -> Mapping[int, Outcome]:
        values = [self._several[number] for number in numbers]
        try:
            made = await self._records.create_many(self._cls, values)
        except StateUnknown as error:
            return dict.fromkeys(numbers, Lost(error))
        except ProductiveError as error:
            return dict.fromkeys(numbers, NotWritten(error))
        self._made |= dict(zip(numbers, made, strict=True))
        return {number: Written(self._made[number].id) for number in numbers}

    async def look(self, numbers: Sequence[int], since: float) -> Mapping[int, str]:
        """Return which of these Productive holds, created since then; each record once."""
        if not self._cls.found_by:
            return {}
        found: dict[int, str] = {}
        lists: dict[tuple[tuple[str, Any], ...], Sequence[R]] = {}
        for number in numbers:
            values = self._several[number]
            filters = {name: values.get(key) for key, names in self._cls.found_by for name in names}
            key = tuple(filters.items())
            if key not in lists:
                sort = self._cls.newest_first
                found_now = await self._records.all(self._cls, filters, sort=sort, most=2)
                lists[key] = found_now.rows
            for record in lists[key]:
                fits = _created(record) >= since and not differences(record, values)
                if fits and record.id not in found.values():
                    found[number] = record.id
                    self._made[number] = record
                    break
        return found

    async def made(self, number: int, result: Result) -> Made[R]:
        """Return what became of one of these."""
        match result:
            case Written() | Found():
                return await self._checked(number, result.result, isinstance(result, Found))
            case Known():
                return await self._known(result.result)
            case Repeated():
                return Made(repeats=result.of)
            case NotWritten():
                return Made(error=result.error)
            case Pending():
                return Made(error=result.error or _still_writing(result.retry_after))

    async def _known(self, id_: str) -> Made[R]:
        try:
            return Made(await self._records.get(self._cls, id_), earlier=True)
        except NotFound:
            return Made(error=ToolError(_DELETED))
        except ProductiveError as error:
            return Made(error=error)

    async def _checked(self, number: int, id_: str, earlier: bool) -> Made[R]:
        record = self._made.get(number) or await self._records.get(self._cls, id_)
        if not self._bulk:
            try:
                check(record, self._several[number])
            except ToolError as error:
                return Made(record, error=error, earlier=earlier)
        return Made(record, earlier=earlier)


def _failed(outcomes: Mapping[int, Outcome]) -> Exception | None:
    """Return why nothing more is to be sent: an answer was lost, or Productive fails."""
    for outcome in outcomes.values():
        if isinstance(outcome, Lost):
            return NotTried()
        if isinstance(outcome, NotWritten) and not isinstance(outcome.error, Refused):
            return outcome.error
    return None


def _created(record: Record) -> float:
    created = next(
        (getattr(record, one.name) for one in record.declared_fields if one.at == _CREATED), None
    )
    return created.timestamp() if isinstance(created, datetime) else float("inf")


_DELETED: Final = Problem(
    "deleted_since",
    "An identical call created this a moment ago, and it was deleted since.",
    "If the user wants it again, repeat the call with allow_duplicate.",
)


def _still_writing(seconds: int) -> ToolError:
    return ToolError(
        Problem(
            "still_being_written",
            "An identical call is still writing this, so it was not written a second time.",
            f"Ask again in {seconds} seconds with the same arguments: you get its result.",
            retry_after_s=seconds,
        )
    )
