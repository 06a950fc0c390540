"""`python -m mutants`: take out one defence at a time, and print which tests fell.

The exit code is 1 if a mutant survived or does not run, 2 if a test fails without any change.
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path

from mutants.declared import ROOT, Mutant, declared
from mutants.running import Outcome, Ran, Verdict, judge, run_tests
from mutants.trees import Tree, copied_tree

SHOWN = 2
"""Names of tests per mutant; the report has all of them."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    chosen = [one for one in declared() if _wanted(one, options.names)]
    if not chosen:
        print("No mutant has such a name, id or group.", file=sys.stderr)
        return 2
    with ExitStack() as stack:
        trees = [stack.enter_context(copied_tree()) for _ in range(options.workers)]
        for tree in trees:
            tree.warm_up(_test_files(tree, chosen))
        if not options.no_baseline and not _baseline(trees[0], chosen):
            return 2
        outcomes = _judge_all(trees, chosen)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps([_document(one) for one in outcomes], indent=1) + "\n")
    return _report(outcomes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument(
        "names", nargs="*", help="a group (F), an id (F-02), a topic (limits), or a whole name"
    )
    parser.add_argument("--workers", type=int, default=2, help="mutants at a time (default: 2)")
    parser.add_argument("--json", type=Path, default=ROOT / ".reports" / "mutants.json")
    parser.add_argument(
        "--no-baseline", action="store_true", help="do not first see that the tests pass"
    )
    return parser


def _wanted(mutant: Mutant, names: Sequence[str]) -> bool:
    return not names or any(
        name in (mutant.groups if len(name) == 1 else (*mutant.attacks, mutant.topic, mutant.name))
        for name in names
    )


def _baseline(tree: Tree, mutants: Sequence[Mutant]) -> bool:
    """Report whether the tests pass as long as nothing is taken out."""
    passed = True
    for some in ([one for one in mutants if one.tests], [one for one in mutants if one.attacks]):
        if some:
            attacks = sorted({attack for one in some for attack in one.attacks})
            passed &= _passes(run_tests(tree, _test_files(tree, some), attacks))
    return passed


def _passes(ran: Ran) -> bool:
    fell = len(ran.fell) + ran.errors
    print(f"nothing taken out: {ran.tests} tests, {fell} fell", flush=True)
    if fell or not ran.tests:
        print(ran.output, file=sys.stderr)
    return bool(ran.tests) and not fell


def _test_files(tree: Tree, mutants: Sequence[Mutant]) -> list[Path]:
    return sorted({path for one in mutants for path in one.test_files(tree.root)})


def _judge_all(trees: Sequence[Tree], mutants: Sequence[Mutant]) -> list[Outcome]:
    free: queue.Queue[Tree] = queue.Queue()
    for tree in trees:
        free.put(tree)

    def one(mutant: Mutant) -> Outcome:
        tree = free.get()
        try:
            return judge(tree, mutant)
        finally:
            free.put(tree)

    with ThreadPoolExecutor(len(trees)) as threads:
        # The long ones first.
        order = sorted(mutants, key=lambda mutant: mutant.where == ("tests/unit",))
        tasks = [threads.submit(one, mutant) for mutant in order]
        for task in as_completed(tasks):
            outcome = task.result()
            name, seconds = outcome.mutant.name, outcome.seconds
            print(f"{outcome.verdict:9} {seconds:5.0f} s  {name}", flush=True)
    outcomes = [task.result() for task in tasks]
    return sorted(outcomes, key=lambda outcome: (outcome.mutant.attacks, outcome.mutant.name))


def _report(outcomes: Sequence[Outcome]) -> int:
    print(f"\n{'ids':16} {'fell':>9}  what is taken out, and tests that fell")
    for outcome in outcomes:
        mutant = outcome.mutant
        ids = " ".join(mutant.attacks) or mutant.topic
        print(f"{ids:16} {len(outcome.fell):4}/{outcome.ran:<4}  {mutant.name}")
        for name in outcome.fell[:SHOWN]:
            print(f"{'':28}{name}")
        if len(outcome.fell) > SHOWN:
            print(f"{'':28}and {len(outcome.fell) - SHOWN} more")
    bad = [outcome for outcome in outcomes if outcome.verdict is not Verdict.KILLED]
    for outcome in bad:
        print(f"\n{outcome.verdict.upper()}: {outcome.mutant.name}\n{outcome.output}")
    groups = "".join(sorted({group for outcome in outcomes for group in outcome.mutant.groups}))
    killed = len(outcomes) - len(bad)
    print(f"\n{len(outcomes)} mutants of the groups {groups or '-'}: {killed} killed")
    return 1 if bad else 0


def _document(outcome: Outcome) -> dict[str, object]:
    mutant = outcome.mutant
    return {
        "name": mutant.name,
        "attacks": mutant.attacks,
        "topic": mutant.topic,
        "files": sorted({edit.file for edit in mutant.edits}),
        "verdict": outcome.verdict,
        "fell": outcome.fell,
        "ran": outcome.ran,
        "seconds": round(outcome.seconds, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
