"""The tools, and how a call of one of them runs.

Every module of a toolset's package may declare one tool. A call is checked in this order: the tool
exists; the person has few enough calls running; the person may use it here, and has allowed it to
the client; Productive is connected for the person; the arguments fit. From its turn on, a call
takes 25 seconds at most, and a little more only while a write waits for its answer. However the
call ends, it gives one answer, one audit line and one measurement.
"""

from __future__ import annotations

import pkgutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import Any, Final

import structlog

from productive_contract.clock import Entropy, system_entropy
from productive_contract.mapping import Access, Person, State
from productive_gateway.errors import GatewayError
from productive_gateway.observability.audit import Event, audit
from productive_gateway.observability.operations import current_operation
from productive_gateway.observability.request_id import REQUEST_ID
from productive_gateway.people.principal import Principal
from productive_gateway.people.scopes import WRITE
from productive_gateway.productive.records.store import Records
from productive_gateway.productive.wire.client import ProductiveApi, ProductiveSession
from productive_gateway.productive.wire.errors import ProductiveError
from productive_gateway.sealing.keys import Keys
from productive_gateway.tools import core, tasks
from productive_gateway.tools import time as time_tools
from productive_gateway.tools.call import Call, Reply
from productive_gateway.tools.kit import refusals
from productive_gateway.tools.kit.access import Allowed
from productive_gateway.tools.kit.answers import (
    Answer as ToolAnswer,
)
from productive_gateway.tools.kit.answers import (
    rendered,
)
from productive_gateway.tools.kit.arguments import read_arguments
from productive_gateway.tools.kit.call_limit import CallLimit, TooManyCalls
from productive_gateway.tools.kit.declare import BadTool, Kind, Tool
from productive_gateway.tools.kit.errors import Explainer, Problem, ToolError, UserQuestion
from productive_gateway.tools.kit.progress import Progress, Report
from productive_gateway.tools.kit.running import CallEnded, RunningCall
from productive_gateway.tools.names.link import APP_HOST
from productive_gateway.tools.names.resolver import Resolver
from productive_gateway.tools.writes.undo import NoUndo, UndoHandle
from productive_gateway.tools.writes.writer import Writer
from productive_gateway.tools.writes.writes import Writes
from productive_gateway.web.timers import Timers

_log = structlog.get_logger("tools")

SECONDS: Final = 25.0
"""How long a call may take, whatever happens inside: clients wait for 30 to 60."""


def tools_of(*packages: ModuleType) -> tuple[Tool, ...]:
    """Return the tools of toolsets: each module of the packages may declare one.

    Raises:
        BadTool: a module declares several, or one of another name.
    """
    return tuple(tool for package in packages for tool in _in(package))


def _in(package: ModuleType) -> Iterator[Tool]:
    for found in pkgutil.iter_modules(package.__path__):
        module = import_module(f"{package.__name__}.{found.name}")
        declared = [value for value in vars(module).values() if isinstance(value, Tool)]
        if declared and [tool.name for tool in declared] != [found.name]:
            raise BadTool(f"{module.__name__} does not declare one tool of its own name")
        yield from declared


TOOLS: Final = tools_of(core, tasks, time_tools)
"""All tools, in the order in which they are listed."""
TOOLSETS: Final = tuple(dict.fromkeys(tool.toolset for tool in TOOLS))


class UnknownTool(LookupError):
    """There is no tool of this name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a call."""

    structured: dict[str, Any]
    text: str
    is_error: bool


@dataclass(slots=True)
class _Attempt:
    """One call, from its start to its audit line."""

    principal: Principal
    tool: Tool
    arguments: Mapping[str, Any]
    request_id: str
    can_ask: bool
    reply: Reply | None
    progress: Progress
    running: RunningCall
    begun: float = field(default_factory=time.monotonic)
    session: ProductiveSession | None = None
    writer: Writer | None = None
    outcome: str = "cancelled"

    @property
    def writes(self) -> int:
        """How many writes Productive has confirmed."""
        return self.session.writes if self.session else 0

    def failed(
        self, problem: Problem, extra: Mapping[str, Any] | None = None, text: str = ""
    ) -> Answer:
        self.outcome = problem.code
        structured = {"error": problem.structured(self.request_id), **(extra or {})}
        told = "\n".join(part for part in (problem.text(), text) if part)
        return Answer(structured, f"{told}\n\nRequest {self.request_id}.", is_error=True)

    async def failed_midway(
        self, problem: Problem, extra: Mapping[str, Any] | None = None, text: str = ""
    ) -> Answer:
        """Return the answer of a call that failed after it may have written something."""
        handle = await self.writer.undo_handle() if self.writer is not None else None
        if self.writes and isinstance(handle, UndoHandle):
            problem = replace(problem, undo=handle.text)
        return self.failed(problem, extra, text)

    def record(self) -> None:
        seconds = time.monotonic() - self.begun
        operation = current_operation()
        if operation is not None and self.outcome != "ok":
            operation.failed(self.outcome)
        session = self.session
        # Unknown argument names come from outside and may hold anything.
        known = [name for name in self.tool.parameters if name in self.arguments]
        audit(
            Event.TOOL_CALLED,
            reason=self.outcome,
            email=self.principal.person.email,
            user=self.principal.person.user,
            grant=self.principal.grant,
            client=self.principal.client,
            tool=self.tool.name,
            arguments=",".join(known),
            seconds=round(seconds, 4),
            upstream_requests=session.requests if session else 0,
            upstream_seconds=round(session.seconds, 4) if session else 0.0,
            writes=self.writes,
            request_id=self.request_id,
        )


class ToolRegistry:
    """The tools of this server."""

    def __init__(
        self,
        tools: Sequence[Tool],
        api: ProductiveApi,
        keys: Keys,
        writes: Writes,
        *,
        toolsets: Collection[str] | None = None,
        read_only: bool = False,
        admin_contact: str | None = None,
        app_host: str = APP_HOST,
        seconds: float = SECONDS,
        call_limit: CallLimit | None = None,
        entropy: Entropy = system_entropy,
    ) -> None:
        """Create the registry.

        Args:
            tools: all tools, in the order in which they are listed.
            api: the client of Productive.
            keys: seal the cursors of lists.
            writes: with what tools create, undo and confirm.
            app_host: of Productive's web application, for links.
            toolsets: tool groups that may be used on this server; None allows all.
            read_only: tools that change something may not be used on this server.
            admin_contact: whom people are told to ask.
            seconds: how long a call may take.
            call_limit: limits the running calls of each person.
            entropy: for the ids of calls outside of an HTTP request.
        """
        self._tools = {tool.name: tool for tool in tools}
        self._api = api
        self._keys = keys
        self._writes = writes
        self._app_host = app_host
        self._seconds = seconds
        self._deadlines = Timers(seconds)
        known = dict.fromkeys(tool.toolset for tool in tools)
        self._toolsets = tuple(name for name in known if toolsets is None or name in toolsets)
        self._read_only = read_only
        # Few people have other limits than all others.
        self._allowed_by = lru_cache(maxsize=256)(self._narrowed)
        self._explain = Explainer(admin_contact)
        self._call_limit = call_limit or CallLimit()
        self._entropy = entropy

    def allowed(self, person: Person) -> Allowed:
        """Return what a person may use."""
        return self._allowed_by(person.access)

    def _narrowed(self, access: Access) -> Allowed:
        own = access.toolsets
        return Allowed(
            read_only=self._read_only or access.read_only,
            toolsets=tuple(name for name in self._toolsets if own is None or name in own),
        )

    def listed(self, allowed: Allowed) -> tuple[Tool, ...]:
        """Return the tools of a person, in stable order.

        The scopes of a token do not narrow the list: a client that was allowed less still sees
        the other tools, and gets a challenge when it calls one.
        """
        return tuple(tool for tool in self._tools.values() if allowed.permits(tool))

    def input_schema(self, name: str) -> Mapping[str, Any] | None:
        """Return the schema of a tool's arguments."""
        tool = self._tools.get(name)
        return tool.input_schema if tool else None

    def lacks_scope(self, principal: Principal, name: object) -> bool:
        """Return whether only a missing scope of the token prevents this call."""
        tool = self._tools.get(name) if isinstance(name, str) else None
        if tool is None or not self.allowed(principal.person).permits(tool):
            return False
        return _lacks_scope(principal, tool)

    async def call(
        self,
        principal: Principal,
        name: str,
        arguments: Mapping[str, Any],
        *,
        can_ask: bool = False,
        reply: Reply | None = None,
        report: Report | None = None,
        running: RunningCall | None = None,
    ) -> Answer:
        """Run a tool for a person.

        Args:
            principal: the person.
            name: of the tool.
            arguments: as the client sent them.
            can_ask: whether the client can show the user a question.
            reply: the user's answer to one.
            report: sends the progress of the call to the client.
            running: lets the caller end the call.

        Raises:
            UnknownTool: there is no such tool.
            CallEnded: the caller ended the call.
            UserQuestion: the client has to ask the user.
        """
        tool = self._tools.get(name)
        if tool is None:
            raise UnknownTool(name)
        operation = current_operation()
        if operation is not None:
            # At once: an operation that is cancelled may end before its call does.
            operation.calls(name)
        request_id = REQUEST_ID.get() or self._entropy(8).hex()
        running = running or RunningCall()
        attempt = _Attempt(
            principal, tool, arguments, request_id, can_ask, reply, Progress(report), running
        )
        try:
            with running.scope:
                await self._call_limit.begin(principal.person.uid)
                try:
                    return await self._answer(attempt)
                finally:
                    self._call_limit.end(principal.person.uid)
            if running.is_ended:
                raise CallEnded
            return self._too_late(attempt)
        except TooManyCalls:
            return attempt.failed(refusals.too_many_calls())
        finally:
            attempt.progress.end()
            attempt.record()

    async def _answer(self, attempt: _Attempt) -> Answer:
        """Return the answer of a call whose turn it is; its scope is cancelled at the deadline."""
        deadline = self._deadlines.start(attempt.running.scope.cancel)
        attempt.running.deadline = deadline.due
        try:
            try:
                structured, text = rendered(await self._run(attempt))
            except ToolError as error:
                return await attempt.failed_midway(error.problem, error.extra, error.text)
            except (ProductiveError, GatewayError) as error:
                problem = self._explain.explain(error)
                if attempt.writes:
                    problem = refusals.after_writes(problem, attempt.writes)
                return await attempt.failed_midway(problem)
            attempt.outcome = "ok"
            return Answer(structured, text, is_error=False)
        except TimeoutError:
            return self._too_late(attempt)
        except UserQuestion:
            attempt.outcome = "needs_confirmation"
            raise
        except Exception:  # noqa: BLE001  # outermost: an internal error is answered with a message
            _log.exception("tool.failed", tool=attempt.tool.name, request_id=attempt.request_id)
            whom = self._explain.whom_to_ask
            return attempt.failed(refusals.internal_error(whom, attempt.request_id))
        finally:
            deadline.cancel()

    def _too_late(self, attempt: _Attempt) -> Answer:
        wrote = attempt.tool.kind is not Kind.READS
        return attempt.failed(refusals.too_late(self._seconds, wrote=wrote))

    async def _run(self, attempt: _Attempt) -> ToolAnswer:
        principal, tool = attempt.principal, attempt.tool
        allowed = self.allowed(principal.person)
        if not allowed.permits(tool):
            raise ToolError(refusals.not_allowed(tool, allowed, self._explain.whom_to_ask))
        # The endpoint sends a challenge for this before. Here it must not run in any case.
        if _lacks_scope(principal, tool):
            raise ToolError(refusals.not_consented(tool))
        if attempt.reply is not None and not attempt.reply.agreed:
            # Whether the tool still needs to ask depends on the present state; this does not.
            raise ToolError(refusals.declined())
        person = principal.person
        if person.state is not State.ACTIVE or person.api_token is None:
            raise ToolError(refusals.not_connected(person, self._explain.whom_to_ask))
        session = attempt.session = self._api.session(principal, deadline=attempt.running.deadline)
        arguments, unknown = read_arguments(tool.arguments, attempt.arguments)
        records = Records(session)
        me = await records.me()
        names = Resolver(records, me, app_host=self._app_host)
        writer = Writer(records, self._writes, person, progress=attempt.progress)
        attempt.writer = writer
        call = Call(
            principal=principal,
            allowed=allowed,
            me=me,
            records=records,
            names=names,
            writes=writer,
            explain=self._explain,
            now=datetime.fromtimestamp(self._api.clock(), UTC).astimezone(me.time_zone),
            requests_left=session.requests_left,
            ring=self._keys.ring(),
            tool=tool.name,
            given=arguments,
            can_ask=attempt.can_ask,
            reply=attempt.reply,
        )
        if unknown:
            names_ = ", ".join(name[:_LONGEST_NAME] for name in unknown[:_MOST_NAMED])
            call.warn(f"Unknown arguments were ignored: {names_}.")
        done = await tool.run(call, arguments)
        handle = await call.writes.undo_handle()
        if isinstance(handle, NoUndo):
            call.warn(f"This cannot be undone with a handle: {handle}.")
        warnings = (*call.warnings, *names.warnings)
        undo = handle.text if isinstance(handle, UndoHandle) else None
        if not (names.resolved or warnings or undo):
            return done
        return replace(
            done,
            resolved=(*done.resolved, *names.resolved),
            warnings=(*done.warnings, *warnings),
            undo=done.undo or undo,
        )


def _lacks_scope(principal: Principal, tool: Tool) -> bool:
    # The write scope includes reading.
    return tool.scope not in principal.scopes and WRITE not in principal.scopes


_LONGEST_NAME: Final = 60
_MOST_NAMED: Final = 5
