"""What is measured of a workflow, whoever does it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from benchmarks.tools.tokens import compact, tokens
from benchmarks.workflows.workflow import Workflow

from productive_dev.simulator.world import World


@dataclass(frozen=True, slots=True)
class Told:
    """One answer, in tokens; hosts show a model its text, or its structure."""

    text: int
    structured: int
    text_bytes: int


@dataclass(slots=True)
class Work:
    """What one workflow took."""

    asked: list[int] = field(default_factory=list)
    """Tokens of each call: name and arguments."""
    told: list[Told] = field(default_factory=list)
    requests: int = 0
    """To Productive."""
    depth: int = 0
    """How many of those had to wait for one another."""
    wrong: str = ""
    """Why the end state is wrong, or what the answers fail to mention."""

    @property
    def calls(self) -> int:
        return len(self.told)

    @property
    def text(self) -> int:
        return sum(one.text for one in self.told)

    @property
    def structured(self) -> int:
        return sum(one.structured for one in self.told)

    def add(self, name: str, arguments: Any, text: str, structure: Any = None) -> None:
        """Count a call and its answer."""
        self.asked.append(tokens(compact({"name": name, "arguments": arguments})))
        structured = 0 if structure is None else tokens(compact(structure))
        self.told.append(Told(tokens(text), structured, len(text.encode())))

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
