"""A cluster in which pods, Services and nodes have IPv6 addresses alone."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from harness.installation import Installation
from harness.reach import Pod
from harness.terminal import Terminal
from harness.visit import logs_time
from kind.variants import Variant

RUNS_ON = "ipv6"
CLUSTERS = ("kind", "ipv6-only")
FINDS_API_SERVER = True


def test_every_address_is_an_ipv6_address(installation: Installation, terminal: Terminal) -> None:
    pods = terminal.found("kubectl get pods -n productive -o json")["items"]
    services = terminal.found("kubectl get services -n productive -o json")["items"]
    found = [one["ip"] for pod in pods for one in pod["status"]["podIPs"]]
    found += [address for service in services for address in service["spec"]["clusterIPs"]]
    assert {ipaddress.ip_address(one).version for one in found if one != "None"} == {6}
    assert [one["spec"]["ipFamilies"] for one in services] == [["IPv6"]] * len(services)


async def test_a_person_signs_in_and_logs_time(
    installation: Installation, people: Sequence[str]
) -> None:
    await logs_time(installation)


def test_helm_test_passes(installation: Installation, terminal: Terminal) -> None:
    assert "Succeeded" in terminal("helm test productive -n productive")


def test_the_policies_allow_what_is_needed_and_nothing_else(
    gateway: Pod, operator: Pod, stranger: Pod, variant: Variant
) -> None:
    needed = {"dns:idp.example.test": True, "kubernetes.default.svc:443": True}
    public, private = f"{variant.provider}:443", f"{stranger.address}:443"
    # What a policy stops is open to others: otherwise its tests would show nothing.
    stranger.reaches({public: True, private: True})
    gateway.reaches(needed | {public: True, private: False})
    operator.reaches(needed | {public: False, private: False})
    stranger.reaches({f"{gateway.address}:9090": False, f"{operator.address}:9090": False})
