"""A network that lets nothing out but through an HTTP proxy."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.installation import OUTSIDE, ExternalServices, Installation
from harness.reach import Pod, started, unrestricted
from harness.terminal import Terminal
from harness.visit import logs_time
from kind.variants import Variant

RUNS_ON = "no-key-identifiers"
CLUSTERS = ("kind", "outgoing-proxy")
FINDS_API_SERVER = False
PORT = 3128
"""As in the values file."""

pytestmark = pytest.mark.usefixtures("proxy")


@pytest.fixture(scope="module")
def proxy(services: ExternalServices, terminal: Terminal, variant: Variant) -> Pod:
    """The proxy, at the address of the values file on the node that no test drains."""
    manifest = unrestricted(OUTSIDE, "proxy")
    [container] = manifest["spec"]["containers"]
    container["command"] = ["python", "-m", "harness.connectproxy", f"{variant.proxy}:{PORT}"]
    container["env"] = [{"name": "PYTHONPATH", "value": "/src/tests"}]
    container["readinessProbe"] = {"tcpSocket": {"host": variant.proxy, "port": PORT}}
    manifest["spec"] |= {
        "hostNetwork": True,
        "dnsPolicy": "ClusterFirstWithHostNet",
        "nodeSelector": {"node-role.kubernetes.io/control-plane": ""},
        "tolerations": [{"operator": "Exists"}],
    }
    return started(terminal, manifest)


async def test_a_person_signs_in_and_logs_time_through_the_proxy(
    installation: Installation, people: Sequence[str], proxy: Pod, terminal: Terminal
) -> None:
    await logs_time(installation)
    asked = {line.split()[1] for line in terminal(f"kubectl logs -n {OUTSIDE} proxy").splitlines()}
    assert asked == {"idp.example.test:443", "productive.example.test:443"}


def test_the_gateway_reaches_the_proxy_and_no_public_address(
    gateway: Pod, operator: Pod, stranger: Pod, variant: Variant
) -> None:
    outgoing, public = f"{variant.proxy}:{PORT}", f"{variant.provider}:443"
    stranger.reaches({outgoing: True, public: True})
    gateway.reaches({outgoing: True, public: False})
    operator.reaches({outgoing: False, public: False})
