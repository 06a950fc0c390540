"""The tools, and how a call of one of them runs.

A call is checked in this order: the tool exists; the person may use it here; Productive is
connected for the person; the arguments match the schema. Then the tool runs. However the call ends,
it gives one answer, one audit line and one measurement.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from pydantic import ValidationError

from productive_contract.clock import Entropy, system_entropy
from productive_contract.mapping import Person, State
from productive_gateway.observability.audit import Event, audit
from productive_gateway.observability.metrics import TOOL_SECONDS
from productive_gateway.people.principal import Principal
from productive_gateway.people.scopes import WRITE
from productive_gateway.productive.client import ProductiveApi, ProductiveSession
from productive_gateway.productive.errors import ProductiveError
from productive_gateway.tools import refusals
from productive_gateway.tools.call_limit import CallLimit, TooManyCalls
from productive_gateway.tools.errors import Explainer, Problem, ToolError
from productive_gateway.tools.me import GET_ME
from productive_gateway.tools.time_entries import LOG_TIME
from productive_gateway.tools.tool import Allowed, Call, Done, Tool

_log = structlog.get_logger("tools")

TOOLS: Final[tuple[Tool, ...]] = (GET_ME, LOG_TIME)
"""All tools, in the order in which they are listed."""


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
    begun: float = field(default_factory=time.monotonic)
    session: ProductiveSession | None = None
    outcome: str = "cancelled"

    def failed(self, problem: Problem, extra: Mapping[str, Any] | None = None) -> Answer:
        self.outcome = problem.code
        structured = {"error": problem.structured(self.request_id), **(extra or {})}
        return Answer(structured, f"{problem.text()}\n\nRequest {self.request_id}.", is_error=True)

    def record(self) -> None:
        seconds = time.monotonic() - self.begun
        TOOL_SECONDS.labels(tool=self.tool.name, outcome=self.outcome).observe(seconds)
        # Unknown argument names come from outside and may hold anything.
        known = [name for name in self.tool.arguments.model_fields if name in self.arguments]
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
            writes=self.session.writes if self.session else 0,
            request=self.request_id,
        )


class ToolRegistry:
    """The tools of this server."""

    def __init__(
        self,
        tools: Sequence[Tool],
        api: ProductiveApi,
        *,
        toolsets: Collection[str] | None = None,
        read_only: bool = False,
        admin_contact: str | None = None,
        call_limit: CallLimit | None = None,
        entropy: Entropy = system_entropy,
    ) -> None:
        """Create the registry.

        Args:
            tools: all tools, in the order in which they are listed.
            api: the client of Productive.
            toolsets: tool groups that may be used on this server; None allows all.
            read_only: tools that change something may not be used on this server.
            admin_contact: whom people are told to ask.
            call_limit: limits the running calls of each person.
            entropy: for request ids.
        """
        self._tools = {tool.name: tool for tool in tools}
        self._api = api
        known = dict.fromkeys(tool.toolset for tool in tools)
        self._toolsets = tuple(name for name in known if toolsets is None or name in toolsets)
        self._read_only = read_only
        self._explain = Explainer(admin_contact)
        self._call_limit = call_limit or CallLimit()
        self._entropy = entropy

    def allowed(self, person: Person) -> Allowed:
        """Return what a person may use."""
        own = person.access.toolsets
        return Allowed(
            read_only=self._read_only or person.access.read_only,
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
        # The write scope includes reading.
        return principal.scopes.isdisjoint({tool.scope, WRITE})

    async def call(self, principal: Principal, name: str, arguments: Mapping[str, Any]) -> Answer:
        """Run a tool for a person.

        Raises:
            UnknownTool: there is no such tool.
        """
        tool = self._tools.get(name)
        if tool is None:
            raise UnknownTool(name)
        attempt = _Attempt(principal, tool, arguments, self._entropy(6).hex())
        try:
            async with self._call_limit.turn(principal.person.uid):
                return await self._answer(attempt)
        except TooManyCalls:
            return attempt.failed(refusals.too_many_calls())
        finally:
            attempt.record()

    async def _answer(self, attempt: _Attempt) -> Answer:
        try:
            done = await self._run(attempt)
        except ToolError as error:
            return attempt.failed(error.problem, error.extra)
        except ProductiveError as error:
            return attempt.failed(self._explain.explain(error))
        except Exception:  # noqa: BLE001  # outermost: an internal error is answered with a message
            _log.exception("tool.failed", tool=attempt.tool.name, request_id=attempt.request_id)
            whom = self._explain.whom_to_ask
            return attempt.failed(refusals.internal_error(whom, attempt.request_id))
        attempt.outcome = "ok"
        structured = done.structured.model_dump(mode="json", exclude_none=True)
        return Answer(structured, done.text, is_error=False)

    async def _run(self, attempt: _Attempt) -> Done:
        principal, tool = attempt.principal, attempt.tool
        allowed = self.allowed(principal.person)
        if not allowed.permits(tool):
            raise ToolError(refusals.not_allowed(tool, allowed, self._explain.whom_to_ask))
        # The endpoint sends a challenge for this before. Here it must not run in any case.
        if self.lacks_scope(principal, tool.name):
            raise ToolError(refusals.not_consented(tool))
        person = principal.person
        if person.state is not State.ACTIVE or person.api_token is None:
            raise ToolError(refusals.not_connected(person, self._explain.whom_to_ask))
        attempt.session = self._api.session(principal)
        try:
            arguments = tool.arguments.model_validate(dict(attempt.arguments))
        except ValidationError as error:
            raise ToolError(refusals.wrong_arguments(error)) from error
        call = Call(principal, allowed, self._api, attempt.session, self._explain)
        return await tool.run(call, arguments)
