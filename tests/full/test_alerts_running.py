"""Faults in a running installation, scraped by a real Prometheus with the chart's alerts.

Each fault fires its alert and no other; the dashboard's queries all answer. Waits and windows of
the alerts are cut to seconds. Faults that need hours or gigabytes are left to promtool, in
`tests/chart/test_chart_alerts.py`.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from signal import SIGTERM
from typing import Any, Final, Self

import httpx
import pytest

from harness.build import programs
from harness.cluster import Cluster
from harness.deployment import Deployment, Plan
from harness.evidence import idp_faults
from harness.faults import Answer, Predicate
from harness.grantrequests import changes_a_grant, creates_a_binding, proxies
from harness.helm import CHART, Helm
from harness.kube import secret, secret_data, secrets_path
from harness.monitoring import NAMESPACE, Monitor, monitoring
from harness.people import API
from harness.plane import Plane
from harness.processes import eventually, new_folder
from harness.prometheus import PrometheusMissing, alerts, dashboard_queries, hastened
from harness.quota import limit_secrets
from harness.signin import Registered, Visitor, new_person
from harness.sweeps import Sweeps
from productive_contract.names import GRANT_TYPE, KEY_RING_KEY

DASHBOARD: Final = CHART / "files" / "dashboard.json"
QUOTA: Final = 300
"""Of the chart's alert; nothing enforces it."""
BUSY_SECONDS: Final = 0.2
"""Between two calls of the person who works all the time."""
LARGE_BUDGET: Final = "10000000"
"""Requests in 30 minutes: more than that person makes."""
PLENTY: Final = {"per_token": 1_000_000, "per_organization": 10_000_000}
"""What Productive allows then."""
SMALL_BUDGET: Final = "100"
"""Requests in 30 minutes of which one person gets at most half, and many together all."""
SILENT: Final = {
    "What should never happen A",
    "Documents of assistants A",
    "Sign-ins removed by the sweeper A",
    "Requests that failed, by error A",
    "Failed requests by replica A",
}
"""Queries of the dashboard that have nothing to show while all is well."""


class Site:
    """The installation, with somebody who works and an administrator who changes something."""

    def __init__(self, running: Deployment, clients: Any) -> None:
        self.running = running
        self.kube = running.cluster.kube
        self.names = running.cluster.names
        self.clients = clients
        self.visitor = Visitor(running)
        self.client = self.visitor.register()
        self.email = new_person(running)
        self.tokens = self.visitor.tokens(self.client, self.email)
        self.idle = threading.Event()
        """Set while the person makes no calls."""
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=run) for run in (self._work, self._change)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self.visitor.http.close()

    def sign_in(self) -> tuple[Registered, dict[str, Any]]:
        """Let somebody new sign in; return the client and its tokens."""
        with Visitor(self.running) as one:
            client = one.register()
            return client, one.tokens(client, new_person(self.running))

    def fail_to_sign_in(self, email: str) -> None:
        with Visitor(self.running) as one:
            answer = one.sign_in(one.register(), email)
            location = answer.headers.get("location", "")
            assert "code=" not in location, "the sign-in succeeded"

    def secret(self, name: str) -> str:
        return secrets_path(self.names.release, name)

    def simulator(self, path: str, document: Any) -> None:
        address = f"{self.running.simulator_url}/__simulator/{path}"
        httpx.put(address, json=document, trust_env=False).raise_for_status()

    def _work(self) -> None:
        with Visitor(self.running) as one:
            while not self._ended.wait(BUSY_SECONDS):
                if not self.idle.is_set():
                    try:
                        one.call(
                            self.tokens["access_token"],
                            "tools/call",
                            name="find",
                            arguments={"query": "Website"},
                        )
                    except httpx.TransportError:
                        continue  # no gateway runs at the moment

    def _change(self) -> None:
        """Change a person often, so that the operator has passes to make."""
        name = self.email.partition("@")[0]
        path = f"{API}/{self.names.users}/productiveusers/{name}"
        read_only = False
        while not self._ended.wait(5):
            read_only = not read_only
            self.kube.merge(path, {"spec": {"access": {"readOnly": read_only}}})


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    helm = Helm(programs() / "helm", new_folder("helm"))
    return hastened(alerts(helm, {"namespaces": {"grantsQuota": QUOTA}}))


@pytest.fixture(scope="module")
def site(plane: Plane) -> Iterator[Site]:
    with ExitStack() as stack:
        cluster = stack.enter_context(closing(Cluster(plane)))
        clients = cluster.folder / "clients.json"
        clients.write_text("[]")
        settings = {
            "PREREGISTERED_CLIENTS": str(clients),
            "LIMIT_TOKEN": "120",
            "PRODUCTIVE_REQUESTS_PER_30_MIN": LARGE_BUDGET,
        }
        plan = Plan(proxied=True, forked=True, gateway=settings)
        running = stack.enter_context(Deployment(cluster, plan).running())
        started = stack.enter_context(Site(running, clients))
        started.simulator("limits", PLENTY)
        yield started


@pytest.fixture(scope="module")
def monitor(site: Site, rules: list[dict[str, Any]]) -> Iterator[Monitor]:
    try:
        with monitoring(site.running, rules) as one:
            yield one
    except PrometheusMissing as error:
        pytest.fail(str(error), pytrace=False)


Fault = Callable[[Site], Any]
"""Makes a fault; a context manager that ends it again, or a function if it ends by itself."""


@contextmanager
def no_gateway(site: Site) -> Iterator[None]:
    for gateway in site.running.gateways:
        gateway.kill()
    yield
    for number in range(site.running.plan.replicas):
        site.running.restart_gateway(number)


@contextmanager
def a_gateway_that_drains(site: Site) -> Iterator[None]:
    """One gateway was told to end, and a call keeps it."""
    site.idle.set()
    site.running.ingress.pin(1)
    site.simulator("faults", [{"times": 50, "hang": True}])
    with ThreadPoolExecutor(1) as pool:
        _, tokens = site.sign_in()
        call = pool.submit(find, site, tokens)
        eventually(lambda: bool(left(site) < 50), what="the call at the simulator")
        site.running.gateways[1].signal(SIGTERM)
        site.running.ingress.pin(0)
        site.idle.clear()
        yield
        site.simulator("faults", [])
        call.result()
    site.running.gateways[1].wait(60)
    site.running.restart_gateway(1)
    site.running.ingress.pin(None)


@contextmanager
def refreshes_that_fail(site: Site, *, alone: bool) -> Iterator[None]:
    """Refreshes get 503, while others work or not."""
    client, tokens = site.sign_in()
    if alone:
        site.idle.set()
    with (
        ruled(site, changes_a_grant, Answer(500)),
        failing(lambda: refresh(site, client, tokens), threads=12 if alone else 6),
    ):
        yield
    site.idle.clear()


def one_in_five_fails(site: Site) -> Any:
    return refreshes_that_fail(site, alone=False)


def all_requests_fail(site: Site) -> Any:
    return refreshes_that_fail(site, alone=True)


@contextmanager
def an_api_server_that_one_gateway_cannot_reach(site: Site) -> Iterator[None]:
    with proxies(site.running)[0].outage():
        yield


@contextmanager
def a_malformed_mapping(site: Site) -> Iterator[None]:
    with passes_that_fail(site):
        data = secret("x", {"users.json": b"no JSON", "users.json.gz": b""}, kind="x")["data"]
        site.kube.merge(site.secret(site.names.mapping), {"data": data})
        yield


@contextmanager
def a_key_ring_that_is_edited(site: Site, edit: Callable[[bytes], bytes]) -> Iterator[None]:
    path = site.secret(site.names.key_ring)
    before = secret_data(site.kube.get(path))[KEY_RING_KEY]
    site.kube.merge(path, {"data": secret("x", {KEY_RING_KEY: edit(before)}, kind="x")["data"]})
    yield
    site.kube.merge(path, {"data": secret("x", {KEY_RING_KEY: before}, kind="x")["data"]})


def a_malformed_key_ring(site: Site) -> Any:
    return a_key_ring_that_is_edited(site, lambda _: b"no JSON")


def a_key_of_last_year(site: Site) -> Any:
    made = (datetime.now(UTC) - timedelta(days=370)).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    return a_key_ring_that_is_edited(
        site, lambda ring: re.sub(rb'("created": *)"[^"]+"', rb'\1"' + made + b'"', ring)
    )


@contextmanager
def clients_that_are_wrong(site: Site) -> Iterator[None]:
    site.clients.write_text("no JSON")
    yield
    site.clients.write_text("[]")


@contextmanager
def a_provider_that_fails(site: Site) -> Iterator[None]:
    email = new_person(site.running)
    with (
        idp_faults(site.running, token={"status": 500, "unspent": True}),
        failing(lambda: site.fail_to_sign_in(email)),
    ):
        yield


def a_client_secret_that_expired(site: Site) -> None:
    refused = {"status": 401, "body": '{"error": "invalid_client"}', "unspent": True}
    with idp_faults(site.running, token=refused):
        site.fail_to_sign_in(new_person(site.running))


def another_account(site: Site) -> None:
    with idp_faults(site.running, id_token={"claims": {"sub": "another-account"}}):
        site.fail_to_sign_in(site.email)


def grants_that_are_forbidden(site: Site) -> None:
    with ruled(site, creates_a_binding, Answer(403, "Forbidden")):
        site.fail_to_sign_in(new_person(site.running))


@contextmanager
def many_secrets(site: Site) -> Iterator[None]:
    path = secrets_path(site.names.grants)
    names = [f"ledger-{number}" for number in range(QUOTA)]
    for name in names:
        site.kube.create(path, secret(name, {}, kind="productive-mcp.dev/ledger"))
    Sweeps(site.running).ask(0)
    yield
    for name in names:
        site.kube.ask("DELETE", f"{path}/{name}")
    Sweeps(site.running).ask(0)


@contextmanager
def a_quota_that_is_used_up(site: Site) -> Iterator[None]:
    email = new_person(site.running)
    limit_secrets(site.running.cluster, len(site.kube.items(secrets_path(site.names.grants))))
    site.fail_to_sign_in(email)
    yield
    site.kube.delete(f"/api/v1/namespaces/{site.names.grants}/resourcequotas/grants")


@contextmanager
def a_client_that_loops(site: Site) -> Iterator[None]:
    """A client refreshes its tokens all the time, at one gateway."""
    client, tokens = site.sign_in()
    form = {
        "grant_type": "refresh_token",
        "client_id": client.id,
        "refresh_token": tokens["refresh_token"],
    }
    site.running.ingress.pin(0)
    with (
        httpx.Client(base_url=site.running.url, trust_env=False, timeout=30) as http,
        failing(lambda: [http.post("/token", data=form) for _ in range(20)]),
    ):
        yield
    site.running.ingress.pin(None)


def an_edited_grant(site: Site) -> None:
    client, tokens = site.sign_in()
    path = secrets_path(site.names.grants)
    [*_, newest] = sorted(
        site.kube.items(path, fieldSelector=f"type={GRANT_TYPE}"),
        key=lambda one: int(one["metadata"]["resourceVersion"]),
    )
    labels = {"productive-mcp.dev/user": "somebody-else"}
    site.kube.merge(f"{path}/{newest['metadata']['name']}", {"metadata": {"labels": labels}})
    refresh(site, client, tokens)


def a_refresh_token_used_twice(site: Site) -> None:
    client, tokens = site.sign_in()
    with Visitor(site.running) as one:
        second = one.refresh(client, tokens["refresh_token"]).json()
        assert one.refresh(client, second["refresh_token"]).is_success
        assert one.refresh(client, tokens["refresh_token"]).is_client_error


def a_code_used_twice(site: Site) -> None:
    with Visitor(site.running) as one:
        client = one.register()
        code = one.code(client, new_person(site.running))
        assert one.exchange(client, code).is_success
        assert one.exchange(client, code).is_client_error


def a_token_of_somebody_else(site: Site) -> None:
    find(site, with_token(site, "simulator-manager"))


@contextmanager
def no_operator(site: Site) -> Iterator[None]:
    site.running.operator.kill()
    yield
    site.running.operator.restart()


@contextmanager
def passes_that_fail(site: Site) -> Iterator[None]:
    """The operator can neither read nor write the mapping, but its watch of it works."""
    mapping = site.secret(site.names.mapping)
    requests = site.running.proxies["operator"].rule(
        lambda seen: seen.path == mapping, Answer(500), times=None
    )
    yield
    requests.remove()


@contextmanager
def a_watch_of_the_operator_that_fails(site: Site) -> Iterator[None]:
    proxy = site.running.proxies["operator"]
    watches = proxy.rule(
        lambda seen: seen.watch and seen.resource == "productiveusers", Answer(500), times=None
    )
    proxy.cut()
    yield
    watches.remove()


@contextmanager
def statuses_that_are_forbidden(site: Site) -> Iterator[None]:
    statuses = site.running.proxies["operator"].rule(
        lambda seen: seen.resource == "productiveusers/status",
        Answer(403, "Forbidden"),
        times=None,
    )
    yield
    statuses.remove()


@contextmanager
def a_person_without_a_token(site: Site) -> Iterator[None]:
    site.running.people.add("nobody", email="nobody@northlight.example", user_id=1, token=None)
    yield
    site.running.people.remove("nobody")


@contextmanager
def productive_that_fails(site: Site) -> Iterator[None]:
    with asked_of_productive(site, {"status": 502}):
        yield


@contextmanager
def productive_that_limits(site: Site) -> Iterator[None]:
    with asked_of_productive(site, {"status": 429, "retry_after": 60}):
        yield


@contextmanager
def an_assistant_that_loops(site: Site) -> Iterator[None]:
    """One person uses as much of a small budget as is left for all others."""
    with a_small_budget(site):
        _, tokens = site.sign_in()
        with failing(lambda: find(site, tokens)):
            yield


@contextmanager
def people_who_use_up_the_budget(site: Site) -> Iterator[None]:
    people = [site.sign_in()[1] for _ in range(14)]
    turns = itertools.cycle(people)
    # Who works all the time would have used up their own part before all is used up.
    site.idle.set()
    with a_small_budget(site), failing(lambda: find(site, next(turns)), threads=2):
        yield
    site.idle.clear()


@contextmanager
def other_programs_that_use_up_the_budget(site: Site) -> Iterator[None]:
    """Productive refuses everybody of the organization, although the gateways sent little."""
    site.simulator("limits", {**PLENTY, "per_organization": 1})
    _, tokens = site.sign_in()
    with failing(lambda: find(site, tokens)):
        yield
    site.simulator("limits", PLENTY)
    for number in range(site.running.plan.replicas):
        site.running.restart_gateway(number)  # they would wait for up to half an hour


@contextmanager
def productive_that_is_slow(site: Site) -> Iterator[None]:
    """Ten people make three calls each at a time: more would be refused."""
    people = [site.sign_in()[1] for _ in range(10)]
    turns = itertools.cycle(people)
    find(site, people[0])
    site.idle.set()
    site.simulator("faults", [{"times": 100_000, "delay": 11.0}])
    with failing(lambda: find(site, next(turns)), threads=30):
        yield
    site.simulator("faults", [])
    site.idle.clear()


def a_token_that_was_revoked(site: Site) -> None:
    find(site, with_token(site, "no-token-of-the-simulator"))


FAULTS: Final[dict[str, list[Fault]]] = {
    "ProductiveMcpGatewayAbsent": [no_gateway],
    "ProductiveMcpReplicaNotReady": [a_gateway_that_drains],
    "ProductiveMcpOutage": [all_requests_fail],
    "ProductiveMcpErrors": [one_in_five_fails],
    "ProductiveMcpWatchUnhealthy": [an_api_server_that_one_gateway_cannot_reach],
    "ProductiveMcpMappingBroken": [a_malformed_mapping],
    "ProductiveMcpKeyRingBroken": [a_malformed_key_ring],
    "ProductiveMcpKeyOld": [a_key_of_last_year],
    "ProductiveMcpClientsBroken": [clients_that_are_wrong],
    "ProductiveMcpProductiveFailing": [productive_that_fails],
    "ProductiveMcpBudgetUsedUp": [
        people_who_use_up_the_budget,
        other_programs_that_use_up_the_budget,
    ],
    "ProductiveMcpProductiveLimited": [productive_that_limits, an_assistant_that_loops],
    "ProductiveMcpCallsSlow": [productive_that_is_slow],
    "ProductiveMcpTokensRejected": [a_token_that_was_revoked],
    "ProductiveMcpProviderFailing": [a_provider_that_fails],
    "ProductiveMcpProviderRefusesGateway": [a_client_secret_that_expired],
    "ProductiveMcpSubjectMismatch": [another_account],
    "ProductiveMcpGrantsNotStored": [grants_that_are_forbidden],
    "ProductiveMcpGrantsNearlyFull": [many_secrets],
    "ProductiveMcpGrantsFull": [a_quota_that_is_used_up],
    "ProductiveMcpLimitHits": [a_client_that_loops],
    "ProductiveMcpGrantTampered": [an_edited_grant],
    "ProductiveMcpRefreshReuse": [a_refresh_token_used_twice],
    "ProductiveMcpCodeReplay": [a_code_used_twice],
    "ProductiveMcpWrongTokenOwner": [a_token_of_somebody_else],
    "ProductiveMcpOperatorAbsent": [no_operator],
    "ProductiveMcpOperatorStale": [passes_that_fail],
    "ProductiveMcpOperatorWatchStale": [a_watch_of_the_operator_that_fails],
    "ProductiveMcpStatusesFailing": [statuses_that_are_forbidden],
    "ProductiveMcpPeopleNotReady": [a_person_without_a_token],
}
UNMADE: Final = {
    # Needs a fault of the gateway itself.
    "ProductiveMcpInternalErrors",
    # Need hundreds of megabytes, or thousands of people.
    "ProductiveMcpMemoryNearLimit",
    "ProductiveMcpMappingFull",
    # Needs the Service of a cluster; see tests/cluster/test_gateway_budget.py.
    "ProductiveMcpReplicasNotCounted",
    # Takes a watch that is open and dead; see tests/cluster/test_operator_dead_watches.py.
    "ProductiveMcpOperatorWatchDead",
}


@pytest.mark.parametrize(
    ("alert", "fault"), [(alert, fault) for alert, faults in FAULTS.items() for fault in faults]
)
def test_a_fault_fires_its_alert_and_no_other(
    site: Site, monitor: Monitor, alert: str, fault: Fault
) -> None:
    monitor.until_calm()
    made = fault(site)
    failure: AssertionError | None = None
    annotations: dict[str, str] = {}
    with made if made is not None else nullcontext():
        try:
            annotations = monitor.only(alert)
        except AssertionError as error:
            failure = error  # the fault has to end first
    if failure is not None:
        raise failure
    assert not re.search(r"<no value>|<error|\{\{", " ".join(annotations.values()))
    monitor.until_calm()


def test_every_alert_is_made_to_fire_here_or_by_promtool(rules: list[dict[str, Any]]) -> None:
    assert {rule["alert"] for rule in rules} == FAULTS.keys() | UNMADE


def test_the_queries_of_the_dashboard_all_answer(site: Site, monitor: Monitor) -> None:
    queries = dashboard_queries(
        json.loads(DASHBOARD.read_text()), namespace=NAMESPACE, interval="30s"
    )
    _, tokens = site.sign_in()
    with Visitor(site.running) as one:
        one.call(tokens["access_token"], "tools/list")
    monitor.until_calm()
    Sweeps(site.running).ask(0)
    missing = queries.keys() - SILENT

    def all_answer() -> bool:
        nonlocal missing
        missing = {name for name in missing if not monitor.query(queries[name])}
        return not missing

    try:
        eventually(all_answer, seconds=30, what="an answer to every query")
    except AssertionError:
        pytest.fail(f"no series: {sorted(missing)}")
    for name in SILENT:
        monitor.query(queries[name])


@contextmanager
def ruled(site: Site, predicate: Predicate, answer: Answer) -> Iterator[None]:
    """Let both gateways get an answer in place of the API server's."""
    made = [proxy.rule(predicate, answer, times=None) for proxy in proxies(site.running)]
    yield
    for rule in made:
        rule.remove()


@contextmanager
def failing(act: Callable[[], object], *, threads: int = 1) -> Iterator[None]:
    """Do something again and again while the block lasts."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(0.1):
            act()

    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(run) for _ in range(threads)]
        try:
            yield
        finally:
            ended.set()
        for one in running:
            one.result()


@contextmanager
def a_small_budget(site: Site) -> Iterator[None]:
    """One gateway may send few requests to Productive, and gets all calls."""
    small = {"PRODUCTIVE_REQUESTS_PER_30_MIN": SMALL_BUDGET}
    site.running.ingress.pin(0)
    site.running.restart_gateway(0, small)
    yield
    site.running.restart_gateway(0, {})
    site.running.ingress.pin(None)


@contextmanager
def asked_of_productive(site: Site, fault: dict[str, Any]) -> Iterator[None]:
    """Let Productive answer all requests in this way, while many calls are made."""
    site.simulator("faults", [{"times": 100_000, **fault}])
    _, tokens = site.sign_in()
    with failing(lambda: find(site, tokens)):
        yield
    site.simulator("faults", [])


def refresh(site: Site, client: Registered, tokens: dict[str, Any]) -> None:
    with Visitor(site.running) as one:
        one.refresh(client, tokens["refresh_token"])


def find(site: Site, tokens: dict[str, Any]) -> None:
    """Call a tool that asks Productive each time."""
    with Visitor(site.running) as one:
        one.http.timeout = 60
        arguments = {"query": "Website"}
        one.call(tokens["access_token"], "tools/call", name="find", arguments=arguments)


def with_token(site: Site, token: str) -> dict[str, Any]:
    """Return the tokens of somebody new, for whom this token of Productive is stored."""
    with Visitor(site.running) as one:
        client, email = one.register(), new_person(site.running)
        tokens = one.tokens(client, email)
        name = email.partition("@")[0]
        revisions = site.running.people.published_revision()
        site.running.people.set_token(name, token)
        eventually(
            lambda: site.running.people.published_revision() > revisions, what="the new token"
        )
        site.running.people.arrive()
        return tokens


def left(site: Site) -> int:
    """Return how many answers the fault of the simulator still spoils."""
    listed = httpx.get(f"{site.running.simulator_url}/__simulator/faults", trust_env=False).json()
    return sum(one["times"] for one in listed)
