"""One run of the suite: what it checked, and how that differs from what is expected."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from harness.npm import installed, node, program, script
from harness.processes import eventually, new_folder, remove_folder
from harness.standalone import Standalone

_EXPECTED: Final = Path(__file__).with_name("expected-failures.toml")
_FOLDER: Final = re.compile(r"server-(?P<scenario>.+)-\d{4}-\d{2}-\d{2}T.*")
"""How the suite names the folder of a scenario's results."""
_FAILED: Final = frozenset({"FAILURE", "WARNING"})
_MOST_AGAIN: Final = 3
_LONGEST: Final = 120
"""Seconds of a run; on two free cores it takes seven."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the suite found in one scenario."""

    scenario: str
    statuses: Counter[str]
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether something was checked, and nothing failed."""
        return self.statuses["SUCCESS"] > 0 and not self.problems


def expected_failures(revision: str) -> Mapping[str, str]:
    """Return the scenarios that cannot pass, each with its reason."""
    found: dict[str, str] = tomllib.loads(_EXPECTED.read_text())[revision]
    return found


def required_scenarios(revision: str) -> frozenset[str]:
    """Return the scenarios that a server of a revision has to pass, as the suite's package says.

    Those that it runs without scoring count as well, such as scenarios that are new, except for
    those of extensions.
    """
    folder = installed() / "node_modules/@modelcontextprotocol/conformance/requirements"
    listed = yaml.safe_load((folder / f"{revision}.yaml").read_text())
    unscored = [one for one in listed["not_scored"] if one["leg"] == "server"]
    more = [one["scenario"] for one in unscored if one["reason"] != "extension"]
    return frozenset([*listed["server"], *more])


def run_suite(site: Standalone, token: str, revision: str) -> dict[str, Result]:
    """Run all scenarios of a revision against a gateway, and return the result of each.

    Some scenarios wait for a stream for a second or two, in which a busy machine may send nothing.
    So a few that did not pass are run again, each alone.
    """
    results = _run(site, token, f"--requirements={revision}")
    missed = required_scenarios(revision) - set(expected_failures(revision))
    again = [name for name in sorted(missed & set(results)) if not results[name].passed]
    if len(again) <= _MOST_AGAIN:
        for name in again:
            selected = (f"--scenario={name}", f"--spec-version={revision}", "--force")
            results |= _run(site, token, *selected)
    return results


def _run(site: Standalone, token: str, *selected: str) -> dict[str, Result]:
    output = new_folder("conformance")
    try:
        suite = site.start(
            "conformance",
            node(),
            program("conformance"),
            "server",
            f"--url={site.mcp_url}",
            f"--output-dir={output}",
            *selected,
            settings={
                "PATH": str(node().parent),
                "NODE_OPTIONS": f"--import={script('bearer.mjs')}",
                "BEARER_ORIGIN": site.url,
                "BEARER_TOKEN": token,
            },
        )
        eventually(lambda: not suite.running, seconds=_LONGEST, what="the end of the suite")
        results = {result.scenario: result for result in _results(output)}
        assert results, suite.output()
    finally:
        remove_folder(output)
    return results


def differences(
    results: Mapping[str, Result], required: frozenset[str], failing: Mapping[str, str]
) -> Iterator[str]:
    """Yield what is not as expected: missing scenarios, failures, and failures that are none."""
    for name in sorted(required - set(results)):
        yield f"{name} did not run"
    for name in sorted(set(failing) - required):
        yield f"{name} is expected to fail, but is not required"
    for name in sorted(required & set(results)):
        result = results[name]
        if name in failing and result.passed:
            yield f"{name} is expected to fail, and passed: remove it from {_EXPECTED.name}"
        if name not in failing and not result.passed:
            told = "; ".join(result.problems) or "nothing was checked"
            yield f"{name}: {told}"


def _results(output: Path) -> Iterator[Result]:
    for file in sorted(output.glob("*/checks.json")):
        found = _FOLDER.fullmatch(file.parent.name)
        assert found is not None, file
        checks = json.loads(file.read_text())
        yield Result(
            found["scenario"],
            Counter(check["status"] for check in checks),
            tuple(
                f"{check['id']} {check['status']}: {check.get('errorMessage')}"
                for check in checks
                if check["status"] in _FAILED
            ),
        )
