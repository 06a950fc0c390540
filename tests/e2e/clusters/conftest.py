"""A release for each file of tests, with the chart's values for that cluster.

A module says what it needs: `RUNS_ON`, the variant of cluster (`kind.variants`) on which it runs;
`CLUSTERS`, the chart's values files, in the order of helm's flags; `FINDS_API_SERVER`, whether
the addresses of the API server in these files are only an example.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import pytest

from harness.installation import ExternalServices, Figures, Installation
from harness.reach import Pod, started, unrestricted
from harness.terminal import Terminal

STRANGERS_PORT = 443


@pytest.fixture(scope="module")
def installation(
    services: ExternalServices, figures: Figures, request: pytest.FixtureRequest
) -> Iterator[Installation]:
    """The release, installed with the values of the module's cluster."""
    module = request.module
    changes = {}
    if module.FINDS_API_SERVER:
        changes["networkPolicy"] = {"apiServer": {"addresses": api_server(services.terminal)}}
    installation = Installation(services, clusters=module.CLUSTERS, changes=changes)
    installation.prepare()
    started = time.monotonic()
    installation.install()
    figures.note(f"{module.CLUSTERS[-1]}_helm_install_s", round(time.monotonic() - started, 1))
    yield installation
    services.remove_release()


@pytest.fixture(scope="module")
def people(installation: Installation) -> Sequence[str]:
    """Ana of the examples; returns the names of the ProductiveUsers."""
    return [installation.add_person("productiveuser")]


@pytest.fixture(scope="module")
def gateway(installation: Installation, terminal: Terminal) -> Pod:
    return Pod(terminal, "productive", installation.names("gateway")[0])


@pytest.fixture(scope="module")
def operator(installation: Installation, terminal: Terminal) -> Pod:
    return Pod(terminal, "productive", installation.names("operator")[0])


@pytest.fixture(scope="module")
def stranger(services: ExternalServices, terminal: Terminal) -> Iterator[Pod]:
    """A pod in a namespace that nothing of ours knows; it accepts connections on STRANGERS_PORT."""
    gone = "kubectl delete namespace elsewhere --ignore-not-found --timeout=120s"
    terminal(gone)
    terminal("kubectl create namespace elsewhere")
    yield started(terminal, unrestricted("elsewhere", "stranger", [STRANGERS_PORT]))
    terminal(gone)


def api_server(terminal: Terminal) -> list[str]:
    """Return the addresses of the API server, found as docs/clusters.md says."""
    service = terminal.found("kubectl get service/kubernetes -n default -o json")
    slices = terminal.found("kubectl get endpointslice/kubernetes -n default -o json")
    endpoints = [address for one in slices["endpoints"] for address in one["addresses"]]
    return [*service["spec"]["clusterIPs"], *endpoints]
