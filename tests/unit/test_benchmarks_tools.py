"""The workflows that benchmarks measure, and what they are measured with."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from benchmarks.tools import measured, ours
from benchmarks.tools.generic import CHAINS
from benchmarks.tools.waves import Waves
from benchmarks.workflows.rows import WORKFLOWS
from benchmarks.workflows.workflow import Workflow

from harness.simulation import simulation

CHANGING = [one for one in WORKFLOWS if one.done is not None]


def named(workflow: Workflow) -> str:
    return f"row-{workflow.row}"


def test_each_workflow_has_a_chain_of_generic_calls() -> None:
    assert set(CHAINS) == {one.row for one in WORKFLOWS}


@pytest.mark.parametrize("workflow", CHANGING, ids=named)
async def test_end_state_is_reached_by_a_generic_chain_and_not_there_before(
    workflow: Workflow,
) -> None:
    assert workflow.done is not None
    async with simulation() as person:
        assert not workflow.done(person.world)
        for ask in CHAINS[workflow.row]:
            body = None if ask.body is None else {"data": ask.body}
            answer = await person.send(ask.method, ask.path, body)
            assert answer.is_success, answer.text
        assert workflow.done(person.world)


@pytest.mark.parametrize("workflow", [one for one in WORKFLOWS if one.done is None], ids=named)
async def test_facts_of_a_question_are_in_what_productive_answers(workflow: Workflow) -> None:
    async with simulation() as person:
        said = [(await person.send(ask.method, ask.path)).json() for ask in CHAINS[workflow.row]]
    for fact in workflow.facts:
        assert fact.casefold() in str(said).casefold()


@pytest.mark.parametrize("workflow", [one for one in WORKFLOWS if not ours.missing(one)], ids=named)
async def test_workflow_ends_right_with_and_without_a_cache(
    workflow: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The tokenizer is not installed here.
    monkeypatch.setattr(measured, "tokens", len)
    found = await ours.measure(workflow)
    assert (found.cold.wrong, found.warm.wrong) == ("", "")
    assert found.cold.calls == found.warm.calls == len(workflow.steps)
    assert 0 < found.warm.requests <= found.cold.requests
    assert 0 < found.warm.depth <= found.cold.depth <= found.cold.requests


async def test_requests_that_wait_for_nothing_are_one_wave() -> None:
    waves = Waves()

    async def send() -> None:
        request = httpx.Request("GET", "http://simulator.test")
        await waves.begin(request)
        waves.end(request)

    await asyncio.gather(send(), send(), send())
    assert waves.depth == 1
    await send()
    await send()
    assert waves.depth == 3
