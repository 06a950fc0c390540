"""The evaluation with a language model, which a script stands for here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from benchmarks.eval.evaluate import Outcome, evaluate, markdown
from benchmarks.eval.questions import QUESTIONS, TRAPS
from benchmarks.workflows.workflow import Workflow

from harness.simulation import simulation
from productive_dev.simulator.world import World

SCRIPT = """
import json, os, sys
import httpx

question = sys.stdin.read()
HEADERS = {{
    "Authorization": "Bearer " + os.environ["MCP_TOKEN"],
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2025-11-25",
}}


def call(name, **arguments):
    params = {{"name": name, "arguments": arguments}}
    message = {{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}}
    answer = httpx.post(os.environ["MCP_URL"], json=message, headers=HEADERS, trust_env=False)
    last = [line for line in answer.text.splitlines() if line.startswith("data: {{")][-1]
    return json.loads(last.removeprefix("data: "))["result"]["content"][0]["text"]


{body}
"""
ME = Workflow(1, "who am I", "Who am I in Productive?", (), facts=("Ana Kovač", "Northlight"))


@pytest.fixture
def model(tmp_path: Path):
    """Return the command of a model that does what a body of Python says."""

    def written(body: str) -> str:
        script = tmp_path / "model.py"
        script.write_text(SCRIPT.format(body=body))
        return f"{sys.executable} {script}"

    return written


async def test_model_that_makes_the_right_call_is_right(model) -> None:
    command = model("assert 'Who am I' in question\nprint(call('get_me'))")
    outcome = await evaluate(command, ME, len)
    assert outcome.wrong == ""
    assert (outcome.calls, outcome.failed, outcome.turns) == (1, 0, 2)
    assert outcome.requests > 0
    # The command printed the only answer, and a line break.
    assert outcome.tokens == len(outcome.answer) - 1


@pytest.mark.parametrize("row", [6, 8])
async def test_model_that_does_a_workflow_is_right(model, row: int) -> None:
    workflow = next(one for one in QUESTIONS if one.row == row)
    (step,) = workflow.steps
    command = model(f"print(call({step.tool!r}, **{dict(step.given([]))!r}))")
    outcome = await evaluate(command, workflow, len)
    assert (outcome.wrong, outcome.calls, outcome.turns) == ("", 1, 2)


async def test_model_reads_the_server_from_a_configuration_and_counts_its_own_turns(model) -> None:
    body = """
server = json.load(open(os.environ["MCP_CONFIG"]))["mcpServers"]["productive"]
assert server["url"] == os.environ["MCP_URL"]
assert server["headers"]["Authorization"] == HEADERS["Authorization"]
json.dump({"turns": 7}, open(os.environ["EVAL_REPORT"], "w"))
print("Ana Kovač, Northlight Studio")
"""
    outcome = await evaluate(model(body), ME, len)
    assert (outcome.wrong, outcome.calls, outcome.turns) == ("", 0, 7)


async def test_answer_that_leaves_something_out_is_wrong(model) -> None:
    outcome = await evaluate(model("call('get_me')\nprint('You are Ana Kovač.')"), ME, len)
    assert outcome.wrong == "the answer does not mention Northlight"


async def test_end_state_that_was_not_reached_is_wrong(model) -> None:
    def never(_: World) -> bool:
        return False

    asked = Workflow(2, "nothing", "Do something.", (), never)
    outcome = await evaluate(model("print('Done!')"), asked, len)
    assert outcome.wrong == "the end state is wrong"


async def test_calls_that_fail_and_calls_one_after_the_other_are_counted(model) -> None:
    body = "call('get_me')\ncall('list_people', cursor='forged')\nprint(1)"
    outcome = await evaluate(model(body), Workflow(3, "two calls", "?", ()), len)
    assert (outcome.calls, outcome.failed, outcome.turns) == (2, 1, 3)


async def test_command_that_ends_with_an_error_is_wrong(model) -> None:
    outcome = await evaluate(model("sys.exit('no key for the model')"), ME, len)
    assert outcome.wrong == "the command ended with code 1: no key for the model"


async def test_command_that_never_ends_is_stopped(model) -> None:
    outcome = await evaluate(model("import threading; threading.Event().wait()"), ME, len, 1.5)
    assert outcome.wrong == "the command was not done after 2 s"


def test_table_says_how_many_were_right() -> None:
    rows = [
        Outcome(1, "log time", "", 2, 1, 0, 5, 200, "Done."),
        Outcome(2, "close a task", "the end state is wrong", 4, 3, 2, 9, 900, "Done."),
    ]
    lines = markdown(rows).splitlines()
    assert lines[2] == "| 1 | log time | yes | 2 | 1 | 0 | 5 | 200 |"
    assert lines[3].startswith("| 2 | close a task | no: the end state is wrong | 4 |")
    assert lines[-1].startswith("Right: 1 of 2, 1 of them in at most 3 turns; ")


async def test_nothing_is_to_change_where_a_question_is_a_trap() -> None:
    async with simulation() as person:
        assert all(trap.done is not None and trap.done(person.world) for trap in TRAPS)


def test_numbers_of_questions_are_unique() -> None:
    numbers = [one.row for one in QUESTIONS]
    assert len(numbers) == len(set(numbers))
