"""Fixtures of all tests, and the attack catalogue's ids in the JUnit report."""

from __future__ import annotations

import gc
import re
import ssl
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing

import pytest
from hypothesis import HealthCheck, settings

from harness.build import programs
from harness.canaries import leaks
from harness.cluster import Cluster
from harness.deployment import Deployment, Plan
from harness.eventloop import TestLoop
from harness.golang import BuildError
from harness.ledger import Ledger
from harness.plane import Plane, running_plane
from harness.rightstable import rights
from harness.stricttls import strict

# Speed is reported by benchmarks; a busy machine must fail no test.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

LONGEST_ID = 60
ATTACK_ID = re.compile(r"[A-Z]-\d{2}[a-z]?")
LEDGER = pytest.StashKey[Ledger]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEDGER] = Ledger()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--attack", action="append", metavar="ID", help="run only tests that carry one of these ids"
    )
    parser.addoption(
        "--complete", action="store_true", help="run the tests marked complete, and no others"
    )


def pytest_asyncio_loop_factories() -> dict[str, type[TestLoop]]:
    """Let asynchronous tests run on our loop."""
    return {"tests": TestLoop}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Write each attack id that a test carries as a property "attack" of its JUnit case."""
    wanted, left_out = config.getoption("--attack"), []
    for item in items:
        carried = [attack for marker in item.iter_markers("attack") for attack in marker.args]
        for attack in carried:
            if not ATTACK_ID.fullmatch(attack):
                raise pytest.UsageError(f"{item.nodeid}: {attack!r} is no id such as C-01")
            item.user_properties.append(("attack", attack))
        complete = item.get_closest_marker("complete") is not None
        if complete != config.getoption("--complete") or (wanted and not set(wanted) & {*carried}):
            left_out.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name long or structured values by their argument: workers must agree on each id."""
    if val is None or isinstance(val, bool | int | float) or hasattr(val, "__name__"):
        return None
    return argname if len(str(val)) > LONGEST_ID or not isinstance(val, str) else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note which tests passed."""
    report = yield
    if report.when == "call" and report.passed:
        item.config.stash[LEDGER].passed.add(_function(item))
    return report


@pytest.fixture(scope="session", autouse=True)
def everything_closed() -> Iterator[None]:
    """Let a connection that a test left open in a reference cycle fail the last test.

    Otherwise one that no collection has found before the end of a worker of xdist fails nothing.
    """
    yield
    gc.collect()


@pytest.fixture(scope="session")
def ledger(pytestconfig: pytest.Config) -> Iterator[Ledger]:
    """What programs asked of the planes; at the end it must be what the table of rights says."""
    mine = pytestconfig.stash[LEDGER]
    yield mine
    wrong = list(mine.complaints(rights()))
    if wrong:
        pytest.fail("\n".join(["Rights over the whole run:", *wrong]), pytrace=False)


@pytest.fixture(scope="session")
def plane(ledger: Ledger) -> Iterator[Plane]:
    """A real control plane with our CRDs, one for the whole run."""
    try:
        folder = programs()
    except BuildError as error:
        pytest.fail(str(error), pytrace=False)
    with running_plane(folder) as running:
        yield running
        ledger.asked.update(running.asked())


@pytest.fixture
def cluster(plane: Plane, ledger: Ledger, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Namespaces and accounts of this test's own."""
    test = _function(request.node)
    for marker in request.node.iter_markers("refused"):
        ledger.refusals[test] = frozenset(marker.args)
    with closing(Cluster(plane)) as mine:
        ledger.owners[mine.names.release] = test
        yield mine


@pytest.fixture
def strict_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process refuse certificates without key identifiers, as 3.13 does by default."""
    monkeypatch.setattr(ssl, "create_default_context", strict(ssl.create_default_context))


def _function(test: pytest.Item) -> str:
    """Return the test's id without parameters."""
    return test.nodeid.partition("[")[0]


@pytest.fixture(scope="session")
def deployment(plane: Plane) -> Iterator[Deployment]:
    """The whole product with two gateways, one for the whole run.

    A test makes people and clients of its own, and breaks nothing: see `deploy`.
    """
    with closing(Cluster(plane)) as cluster, Deployment(cluster).running() as running:
        yield running
        assert not leaks(running)


@pytest.fixture
def deploy(cluster: Cluster) -> Iterator[Callable[[Plan], Deployment]]:
    """Make a deployment of this test's own, to kill and to configure."""
    started: list[Deployment] = []
    with ExitStack() as stack:

        def start(plan: Plan) -> Deployment:
            started.append(stack.enter_context(Deployment(cluster, plan).running()))
            return started[-1]

        yield start
        assert not [leak for one in started for leak in leaks(one)]
