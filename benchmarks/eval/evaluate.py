"""Asks a language model all questions, each at a new product, and looks at what came of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.eval.model import ModelFailed, Said, ask
from benchmarks.eval.product import Product, running_product
from benchmarks.workflows.workflow import Workflow

SECONDS = 300.0
QUICK = 3
"""Turns."""
TODAY = "(Today is Monday, 2026-11-23.)"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one question."""

    row: int
    title: str
    wrong: str
    """What is wrong with the end state or the answer; empty if nothing is."""
    turns: int
    """How often the model was asked: as it counts them, else waves of calls and the answer."""
    calls: int
    failed: int
    """Calls that were answered with an error."""
    requests: int
    """To Productive."""
    tokens: int
    """In the answers of tools."""
    answer: str


async def evaluate(
    command: str, workflow: Workflow, count: Callable[[str], int], seconds: float = SECONDS
) -> Outcome:
    """Ask one question."""
    async with running_product() as product:
        said, wrong = Said("", None), ""
        try:
            said = await ask(command, f"{workflow.question}\n{TODAY}\n", product, seconds)
        except ModelFailed as error:
            wrong = f"the command {error}"
        made = product.calls.made
        return Outcome(
            workflow.row,
            workflow.title,
            wrong or _wrong(workflow, product, said.answer),
            turns=product.calls.turns + 1 if said.turns is None else said.turns,
            calls=len(made),
            failed=sum(one.failed for one in made),
            requests=len(product.world.log),
            tokens=sum(count(one.text) for one in made),
            answer=said.answer,
        )


def _wrong(workflow: Workflow, product: Product, answer: str) -> str:
    if workflow.done is not None and not workflow.done(product.world):
        return "the end state is wrong"
    missing = [fact for fact in workflow.facts if fact.casefold() not in answer.casefold()]
    return f"the answer does not mention {', '.join(missing)}" if missing else ""


def markdown(outcomes: Sequence[Outcome]) -> str:
    """Return the table."""
    return "\n".join(_lines(outcomes))


def _lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield "| | question | right | turns | calls | with an error | requests | tokens in answers |"
    yield "|--:|---|---|" + "--:|" * 5
    for one in outcomes:
        right = f"no: {one.wrong}" if one.wrong else "yes"
        cells = (one.row, one.title, right, one.turns, one.calls, one.failed, one.requests)
        yield f"| {' | '.join(map(str, cells))} | {one.tokens:,} |"
    if outcomes:
        good = [one for one in outcomes if not one.wrong]
        quick = sum(one.turns <= QUICK for one in good)
        middle = median(one.tokens for one in outcomes)
        yield ""
        yield (
            f"Right: {len(good)} of {len(outcomes)}, {quick} of them in at most {QUICK} turns; "
            f"median of tokens in answers: {middle:,.0f}."
        )
