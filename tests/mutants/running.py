"""Runs the tests of a mutant in a copied tree, and reads which of them fell."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from xml.etree import ElementTree as ET

from mutants.declared import Mutant
from mutants.trees import Tree

MOST_SECONDS = 900
"""Of one run of pytest."""
TEST_SECONDS = 120
"""Of one test: a mutant may make one wait for ever."""
LAST_LINES = 25


class Verdict(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    """No test fell: a test is missing."""
    BROKEN = "broken"
    """It does not run, so it says nothing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for one mutant."""

    mutant: Mutant
    verdict: Verdict
    fell: tuple[str, ...]
    """Names of the tests."""
    ran: int
    seconds: float
    output: str = ""
    """The end of what pytest printed."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of pytest."""

    tests: int
    fell: tuple[str, ...]
    errors: int
    """Tests that could not be set up, and files that cannot be imported."""
    output: str


def judge(tree: Tree, mutant: Mutant) -> Outcome:
    """Take the defence out and run its tests.

    Raises:
        WrongMutant: it does not fit the tree.
    """
    began = time.monotonic()
    with tree.mutated(mutant):
        ran = run_tests(tree, mutant.test_files(tree.root), mutant.attacks)
    verdict = Verdict.KILLED if ran.fell else Verdict.SURVIVED
    if not ran.fell and (ran.errors or not ran.tests):
        verdict = Verdict.BROKEN
    seconds = time.monotonic() - began
    return Outcome(mutant, verdict, ran.fell, ran.tests, seconds, ran.output)


def run_tests(tree: Tree, files: Sequence[Path], attacks: Sequence[str]) -> Ran:
    """Run the tests of these files that carry one of the ids; all of them if there are no ids."""
    with tempfile.TemporaryDirectory() as folder:
        report, printed = Path(folder, "report.xml"), Path(folder, "output")
        arguments = [
            *("-q", "-p", "no:randomly", "--tb=line"),
            *(f"--timeout={TEST_SECONDS}", f"--junit-xml={report}"),
            *(f"--attack={attack}" for attack in attacks),
        ]
        tree.pytest(arguments, files, printed, MOST_SECONDS)
        text = report.read_text() if report.exists() else ""
        output = "\n".join(printed.read_text(errors="replace").splitlines()[-LAST_LINES:])
    if not text:
        return Ran(0, (), 1, output)
    cases = list(ET.fromstring(text).iter("testcase"))
    fell = tuple(_name(case) for case in cases if case.find("failure") is not None)
    errors = sum(case.find("error") is not None for case in cases)
    return Ran(len(cases), fell, errors, output)


def _name(case: ET.Element) -> str:
    return f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
