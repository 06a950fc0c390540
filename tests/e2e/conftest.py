"""One release on one cluster, used by all files as one story: installed first, gone last.

Each file can be run by itself: what it needs is made by these fixtures. What a run made and did
not take away stays for whoever wants to look at it; the next run begins by removing it.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import pytest

from harness.browser import chromium
from harness.cache import locked
from harness.installation import (
    ANA,
    HERE,
    MARKO,
    NAMESPACES,
    OUTSIDE,
    REPORTS,
    ROOT,
    ExternalServices,
    Figures,
    Installation,
    example_test_is_at,
)
from harness.podlogs import collect
from harness.processes import new_folder, remove_folder
from harness.sdkclient import Assistant
from harness.terminal import Terminal
from kind.variants import DEFAULT, VARIANTS, Variant
from kind.world import VARIANT

STORY = (
    "test_pods_install.py",
    "test_pods_sign_in.py",
    "test_pods_disruption.py",
    "test_pods_operator.py",
    "test_pods_network.py",
    "test_pods_upgrade.py",
    "test_pods_taken_away.py",
    "test_pods_uninstall.py",
    "test_development.py",
    "test_images.py",
)
LONGEST_SECONDS = 600
SHOWN = (
    *NAMESPACES,
    OUTSIDE,
    "development",
    "development-users",
    "elsewhere",
    "monitoring",
    "projectcontour",
    "kube-system",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the files in the story's order, their tests as they stand, and give them time."""
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    for item in ours:
        item.add_marker(pytest.mark.timeout(LONGEST_SECONDS))
    elsewhere = [item for item in ours if os.environ.get(VARIANT, _runs_on(item)) != _runs_on(item)]
    config.hook.pytest_deselected(items=elsewhere)
    items[:] = sorted((item for item in items if item not in elsewhere), key=_place)


def _runs_on(item: pytest.Item) -> str:
    """Return the name of the variant of cluster for which a test is written."""
    module = item.getparent(pytest.Module)
    return str(getattr(module and module.obj, "RUNS_ON", DEFAULT.name))


def _place(item: pytest.Item) -> tuple[int, str, int]:
    if not item.path.is_relative_to(HERE):
        return (-1, "", 0)
    name = item.path.name
    place = STORY.index(name) if name in STORY else len(STORY)
    return (place, name, item.location[1] or 0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep logs, events and pod states of a failed test as one folder."""
    report = yield
    if report.failed and item.path.is_relative_to(HERE) and "KUBECONFIG" in os.environ:
        collect(Terminal(ROOT), REPORTS / "failed" / re.sub(r"\W+", "-", item.name), SHOWN)
    return report


@pytest.fixture(scope="session")
def figures(services: ExternalServices) -> Figures:
    """What is measured: `.reports/e2e/figures.json`."""
    return Figures(REPORTS / "figures.json")


@pytest.fixture(scope="session")
def terminal() -> Iterator[Terminal]:
    """The administrator's terminal, at the top of the repository; one run at a time has it."""
    # Everything of ours in it is deleted: it must be the cluster that was made for this.
    ours = os.environ.get("PRODUCTIVE_MCP_E2E")
    if not ours or os.environ.get("KUBECONFIG") != ours:
        pytest.fail("no cluster of the tests is here: `make e2e`, or see CONTRIBUTING.md", False)
    with locked(Path(os.environ["KUBECONFIG"]).with_name("tests.lock")):
        yield Terminal(ROOT)


@pytest.fixture(scope="session")
def variant(terminal: Terminal) -> Variant:
    """The kind of cluster that was made."""
    return VARIANTS[os.environ[VARIANT]]


@pytest.fixture(scope="session")
def services(terminal: Terminal, variant: Variant) -> Iterator[ExternalServices]:
    """Provider and Productive, and nothing of ours."""
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    folder = new_folder("e2e")
    services = ExternalServices(terminal, folder, loopback=variant.loopback)
    with example_test_is_at(variant.loopback):
        services.prepare()
        yield services
    remove_folder(folder)


@pytest.fixture(scope="session")
def installation(services: ExternalServices, figures: Figures) -> Installation:
    """The release, installed as the docs say."""
    installation = Installation(services)
    installation.prepare()
    started = time.monotonic()
    installation.install()
    figures.note("helm_install_s", round(time.monotonic() - started, 1))
    return installation


@pytest.fixture(scope="session")
def people(installation: Installation) -> Sequence[str]:
    """Ana and Marko of the examples; returns the names of their ProductiveUsers."""
    return [installation.add_person(one) for one in ("productiveuser", "second-person")]


@pytest.fixture(scope="session")
def assistants(installation: Installation, people: Sequence[str]) -> Sequence[Assistant]:
    """Three that are signed in, to be used by all tests: two of Ana's and one of Marko's."""
    return asyncio.run(_signed_in(installation, (ANA, ANA, MARKO)))


async def _signed_in(installation: Installation, emails: Sequence[str]) -> list[Assistant]:
    found = []
    async with chromium(*installation.services.chromium_flags) as browser:
        for email in emails:
            assistant = installation.assistant(email, browser)
            async with assistant.connected() as client:
                assert (await client.list_tools()).tools
            found.append(assistant)
    return found
