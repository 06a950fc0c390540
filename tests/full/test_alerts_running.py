"""Faults in a running installation, scraped by a real Prometheus with the chart's alerts.

Each fault fires its alert and no other; the dashboard's queries all answer. Waits and windows of
the alerts are cut to seconds. Faults that need hours or gigabytes are left to promtool, in
`tests/chart/test_chart_alerts.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, Final

import pytest

from harness.build import programs
from harness.helm import CHART, Helm
from harness.monitoring import NAMESPACE, Monitor, monitoring
from harness.plane import Plane
from harness.processes import eventually, new_folder
from harness.prometheus import PrometheusMissing, alerts, dashboard_queries, hastened
from harness.runningfaults import gateways, operators, productive, sign_ins
from harness.runningfaults.site import Site, running_site
from harness.signin import Visitor
from harness.sweeps import Sweeps

pytestmark = pytest.mark.timeout(1200)  # a minute for each, of a machine that does nothing else
DASHBOARD: Final = CHART / "files" / "dashboard.json"
SILENT: Final = {
    "What should never happen A",
    "Documents of assistants A",
    "Sign-ins removed by the sweeper A",
    "Requests that failed, by error A",
    "Failed requests by replica A",
}
"""Queries of the dashboard that have nothing to show while all is well."""


Fault = Callable[[Site], Any]
"""Makes a fault; a context manager that ends it again, or a function if it ends by itself."""

FAULTS: Final[dict[str, list[Fault]]] = {
    "ProductiveMcpGatewayAbsent": [gateways.no_gateway],
    "ProductiveMcpReplicaNotReady": [gateways.a_gateway_that_drains],
    "ProductiveMcpOutage": [gateways.all_requests_fail],
    "ProductiveMcpErrors": [gateways.one_in_five_fails],
    "ProductiveMcpWatchUnhealthy": [gateways.an_api_server_that_one_gateway_cannot_reach],
    "ProductiveMcpMappingBroken": [gateways.a_malformed_mapping],
    "ProductiveMcpKeyRingBroken": [gateways.a_malformed_key_ring],
    "ProductiveMcpKeyOld": [gateways.a_key_of_last_year],
    "ProductiveMcpClientsBroken": [gateways.clients_that_are_wrong],
    "ProductiveMcpTracesFailing": [gateways.a_collector_that_fails],
    "ProductiveMcpProductiveFailing": [productive.productive_that_fails],
    "ProductiveMcpBudgetUsedUp": [
        productive.people_who_use_up_the_budget,
        productive.other_programs_that_use_up_the_budget,
    ],
    "ProductiveMcpProductiveLimited": [
        productive.productive_that_limits,
        productive.an_assistant_that_loops,
    ],
    "ProductiveMcpCallsSlow": [productive.productive_that_is_slow],
    "ProductiveMcpTokensRejected": [productive.a_token_that_was_revoked],
    "ProductiveMcpProviderFailing": [sign_ins.a_provider_that_fails],
    "ProductiveMcpProviderRefusesGateway": [sign_ins.a_client_secret_that_expired],
    "ProductiveMcpSubjectMismatch": [sign_ins.another_account],
    "ProductiveMcpGrantsNotStored": [sign_ins.grants_that_are_forbidden],
    "ProductiveMcpGrantsNearlyFull": [sign_ins.many_secrets],
    "ProductiveMcpGrantsFull": [sign_ins.a_quota_that_is_used_up],
    "ProductiveMcpLimitHits": [sign_ins.a_client_that_loops],
    "ProductiveMcpGrantTampered": [sign_ins.an_edited_grant],
    "ProductiveMcpRefreshReuse": [sign_ins.a_refresh_token_used_twice],
    "ProductiveMcpCodeReplay": [sign_ins.a_code_used_twice],
    "ProductiveMcpWrongTokenOwner": [productive.a_token_of_somebody_else],
    "ProductiveMcpOperatorAbsent": [operators.no_operator],
    "ProductiveMcpOperatorStale": [operators.passes_that_fail],
    "ProductiveMcpOperatorWatchStale": [operators.a_watch_of_the_operator_that_fails],
    "ProductiveMcpStatusesFailing": [operators.statuses_that_are_forbidden],
    "ProductiveMcpPeopleNotReady": [operators.a_person_without_a_token],
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


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    helm = Helm(programs() / "helm", new_folder("helm"))
    return hastened(alerts(helm, {"namespaces": {"grantsQuota": sign_ins.QUOTA}}))


@pytest.fixture(scope="module")
def site(plane: Plane) -> Iterator[Site]:
    with running_site(plane) as started:
        yield started


@pytest.fixture(scope="module")
def monitor(site: Site, rules: list[dict[str, Any]]) -> Iterator[Monitor]:
    try:
        with monitoring(site.running, rules) as one:
            yield one
    except PrometheusMissing as error:
        pytest.fail(str(error), pytrace=False)


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
        eventually(all_answer, seconds=120, what="an answer to every query")
    except AssertionError:
        pytest.fail(f"no series: {sorted(missing)}")
    for name in SILENT:
        monitor.query(queries[name])
