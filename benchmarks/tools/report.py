"""The figures as Markdown, and as JSON for comparisons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from benchmarks.tools.measured import Definitions, Work
from benchmarks.tools.ours import Ours
from benchmarks.tools.peers import Measured
from benchmarks.tools.tokens import tokenizer
from benchmarks.workflows.workflow import Workflow

MEDIAN, LONGEST, LISTED = 400, 2_000, 8_000
"""Aims, in tokens: of all answers, of any answer, of all that a client loads."""


@dataclass
class Report:
    """Everything that was measured."""

    definitions: Definitions
    tools: Mapping[str, int]
    """Tokens of each tool's definition."""
    workflows: Sequence[Workflow]
    ours: dict[int, Ours] = field(default_factory=dict)
    missing: dict[int, list[str]] = field(default_factory=dict)
    """The tools that a row lacks."""
    generic: dict[int, Work] = field(default_factory=dict)
    peers: list[Measured] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    """Servers that could not be installed, with the reason."""


def as_json(report: Report) -> dict[str, Any]:
    return {
        "tokenizer": tokenizer(),
        "definitions": asdict(report.definitions),
        "tools": dict(report.tools),
        "questions": {one.row: one.question for one in report.workflows},
        "ours": {row: asdict(one) for row, one in report.ours.items()},
        "missing": report.missing,
        "generic": {row: asdict(one) for row, one in report.generic.items()},
        "peers": [asdict(one) for one in report.peers],
        "absent": report.absent,
    }


def markdown(report: Report) -> str:
    """Return the tables.

    Of this server: calls; requests to Productive and depth, cold / warm; tokens of the calls, and
    of the answers as text / structure. Of others: calls · tokens of the answers as text. "!" is a
    wrong end state, or an answer that lacks something; a list says what.
    """
    lines = [*_rows(report), "", *_definitions(report), "", *_aims(report), "", *_wrong(report)]
    return "\n".join(lines)


def _rows(report: Report) -> Iterator[str]:
    names = [one.name for one in report.peers]
    yield _row(
        "", "what is asked for", "calls", "requests", "depth", "call", "answer", "generic server",
        *names,
    )  # fmt: skip
    yield "|--:|---|" + "--:|" * (6 + len(names))
    for workflow in report.workflows:
        mine = report.ours.get(workflow.row)
        lacks = ", ".join(report.missing.get(workflow.row, ()))
        cells = _mine(mine) if mine else (f"no {lacks}", "", "", "", "")
        others = [
            report.generic.get(workflow.row),
            *(p.rows.get(workflow.row) for p in report.peers),
        ]
        yield _row(workflow.row, workflow.title, *cells, *map(_theirs, others))


def _mine(one: Ours) -> tuple[object, ...]:
    cold, warm = one.cold, one.warm
    wrong = " !" if cold.wrong or warm.wrong else ""
    return (
        f"{cold.calls}{wrong}",
        f"{cold.requests} / {warm.requests}",
        f"{cold.depth} / {warm.depth}",
        cold.asked,
        f"{cold.text} / {cold.structured}",
    )


def _theirs(work: Work | None) -> str:
    if work is None:
        return "-"
    return f"{work.calls} · {work.text:,}{' !' if work.wrong else ''}"


def _definitions(report: Report) -> Iterator[str]:
    yield _row("what a client loads first", "tools", "bytes", "tokens", "of them instructions")
    yield "|---|" + "--:|" * 4
    rows = {"this server, a normal member": report.definitions}
    rows |= {one.name: one.definitions for one in report.peers}
    for name, one in rows.items():
        size = one.list_bytes + one.instruction_bytes
        yield _row(name, one.tools, f"{size:,}", f"{one.tokens:,}", one.instruction_tokens)


def _aims(report: Report) -> Iterator[str]:
    right = {row: one.cold for row, one in report.ours.items() if not one.cold.wrong}
    told = [exchange for one in right.values() for exchange in one.exchanges]
    more = [row for row, one in right.items() if one.calls > 1]
    yield _row("aim", "measured", "met")
    yield "|---|---|---|"
    if told:
        yield _row(
            "one call a workflow",
            f"{len(right) - len(more)} of {len(right)}"
            + "".join(f"; row {row}: {right[row].calls}" for row in more),
            _met(not more),
        )
        forms = [one.text.tokens for one in told], [one.structured.tokens for one in told]
        for aim, of, most in (
            (f"median answer at most {MEDIAN} tokens", median, MEDIAN),
            (f"no answer above {LONGEST:,} tokens", max, LONGEST),
        ):
            text, structure = (of(form) for form in forms)
            yield _row(
                aim,
                f"{text:,.0f} as text, {structure:,.0f} as structure",
                f"{_met(text <= most)}, {_met(structure <= most)}",
            )
    loaded = report.definitions.tokens
    yield _row(f"definitions at most {LISTED:,} tokens", f"{loaded:,}", _met(loaded <= LISTED))


def _wrong(report: Report) -> Iterator[str]:
    for row, one in report.ours.items():
        for when, work in (("cold", one.cold), ("warm", one.warm)):
            if work.wrong:
                yield f"- row {row}, {when}: {work.wrong}"
    others = {"generic server": report.generic, **{one.name: one.rows for one in report.peers}}
    for name, rows in others.items():
        for row, work in rows.items():
            if work.wrong:
                yield f"- row {row}, {name}: {' '.join(work.wrong.split())}"
    yield from (f"- {name} was not measured: {why}" for name, why in report.absent.items())
    yield ""


def _met(reached: bool) -> str:
    return "yes" if reached else "no"


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"
