"""Asks a language model everyday questions and checks what it did in the simulator.

From the top of the repository; `make eval MODEL=…` does both:

    bin/bootstrap tokens
    PYTHONPATH=tests .venv/bin/python -m benchmarks.eval --command 'my-model --mcp "$MCP_CONFIG"'

The command is run by a shell, once for each question: see `benchmarks.eval.model` for what it gets.
The questions are in `benchmarks/workflows` and `benchmarks/eval/questions.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
from dataclasses import asdict
from pathlib import Path

import structlog
from benchmarks.eval.evaluate import SECONDS, evaluate, markdown
from benchmarks.eval.questions import QUESTIONS
from benchmarks.tools.ours import missing
from benchmarks.tools.tokens import tokenizer, tokens


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.eval")
    parser.add_argument("--command", required=True, help="stands for the language model")
    parser.add_argument("--rows", type=int, nargs="*", help="only these questions")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for one question")
    parser.add_argument("--json", type=Path, help="write everything, answers too, to this file")
    parsed = parser.parse_args()
    counted_with = tokenizer()
    # Every call of a tool writes a line; what fails is in the table.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    outcomes = []
    for workflow in QUESTIONS:
        if parsed.rows and workflow.row not in parsed.rows:
            continue
        if lacking := missing(workflow):
            print(f"{workflow.row} {workflow.title}: left out, there is no {', '.join(lacking)}")
            continue
        outcomes.append(asyncio.run(evaluate(parsed.command, workflow, tokens, parsed.seconds)))
        print(f"{workflow.row} {workflow.title}: {outcomes[-1].wrong or 'right'}", flush=True)
    print("", markdown(outcomes), "", f"Tokens: {counted_with}.", sep="\n")
    if parsed.json is not None:
        parsed.json.parent.mkdir(parents=True, exist_ok=True)
        found = [asdict(one) for one in outcomes]
        parsed.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
