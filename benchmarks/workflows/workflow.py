"""A workflow: what a person asks for, the calls that do it here, and what shows that it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from productive_dev.simulator.records import Record, Ref
from productive_dev.simulator.world import World

ANA = Ref("people", "9104")
"""Who asks: a designer without special rights."""
MONDAY = "2026-11-23"
"""Today in the simulator."""

Arguments = Mapping[str, Any]
Answers = Sequence[Mapping[str, Any]]
"""The structured answers of the calls before."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call; its arguments stand in the question or in an earlier answer."""

    tool: str
    arguments: Arguments | Callable[[Answers], Arguments]

    def given(self, answers: Answers) -> Arguments:
        return self.arguments(answers) if callable(self.arguments) else self.arguments


@dataclass(frozen=True, slots=True)
class Workflow:
    """One question."""

    row: int
    title: str
    question: str
    """As a person would write it."""
    steps: tuple[Step, ...]
    done: Callable[[World], bool] | None = None
    """Whether the simulator's state is what was asked for; None if nothing is to change."""
    facts: tuple[str, ...] = ()
    """What an answer to the question has to mention."""


def entries(world: World, note: str) -> list[Record]:
    """Return Ana's time entries with a note."""
    found = world.state.pointing("time_entries", "person", ANA)
    return [one for one in found if note in (one.attributes.get("note") or "")]


def minutes(found: Sequence[Record], service: str) -> dict[str, int]:
    """Return the minutes of entries on a service by day; two entries of a day fail."""
    chosen = [one for one in found if one.to_one("service") == Ref("services", service)]
    by_day = {one.attributes["date"]: one.attributes["time"] for one in chosen}
    return by_day if len(by_day) == len(chosen) else {}


def task(world: World, number: str) -> Record:
    found = world.state.get("tasks", number)
    assert found is not None, number
    return found


def comments(world: World, number: str, text: str) -> int:
    """Return how many comments of a task contain a text."""
    found = world.state.pointing("comments", "task", Ref("tasks", number))
    return sum(text in one.attributes["body"] for one in found)
