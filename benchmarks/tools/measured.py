"""The measurements of a workflow, the same for every server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from benchmarks.tools.tokens import compact, tokens
from benchmarks.workflows.workflow import Workflow

from productive_dev.simulator.world import World


@dataclass(frozen=True, slots=True)
class Size:
    """How large a text is."""

    tokens: int
    bytes: int

    @classmethod
    def of(cls, text: str) -> Size:
        return cls(tokens(text), len(text.encode()))


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call and its answer; hosts show a model the text of an answer, or its structure."""

    tool: str
    asked: Size
    """Name and arguments, as JSON."""
    text: Size
    structured: Size


@dataclass(slots=True)
class Work:
    """What one workflow took."""

    exchanges: list[Exchange] = field(default_factory=list)
    requests: int = 0
    """To Productive."""
    depth: int = 0
    """How many of those had to wait for one another."""
    wrong: str = ""
    """Why the end state is wrong, or what the answers fail to mention."""

    @property
    def calls(self) -> int:
        return len(self.exchanges)

    @property
    def asked(self) -> int:
        """Tokens of all calls."""
        return sum(one.asked.tokens for one in self.exchanges)

    @property
    def text(self) -> int:
        """Tokens of all answers as text."""
        return sum(one.text.tokens for one in self.exchanges)

    @property
    def structured(self) -> int:
        """Tokens of all answers as structure."""
        return sum(one.structured.tokens for one in self.exchanges)

    def add(self, tool: str, arguments: Any, text: str, structure: Any = None) -> None:
        """Count a call and its answer."""
        asked = compact({"name": tool, "arguments": arguments})
        structured = "" if structure is None else compact(structure)
        sizes = (Size.of(part) for part in (asked, text, structured))
        self.exchanges.append(Exchange(tool, *sizes))

    def judge(self, workflow: Workflow, world: World, said: str) -> None:
        """Compare the end state, and what was said, with what the workflow asks for."""
        if workflow.done is not None and not workflow.done(world):
            self.wrong = self.wrong or "the end state is wrong"
        for fact in workflow.facts:
            if fact.casefold() not in said.casefold():
                self.wrong = self.wrong or f"no mention of {fact}"


@dataclass(frozen=True, slots=True)
class Definitions:
    """What a client loads before the first question."""

    tools: int
    list_bytes: int
    list_tokens: int
    instruction_bytes: int
    instruction_tokens: int

    @property
    def tokens(self) -> int:
        return self.list_tokens + self.instruction_tokens
