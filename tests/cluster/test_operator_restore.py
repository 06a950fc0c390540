"""etcd restored from a backup under a running operator, on a control plane of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from harness.cluster import Cluster
from harness.faults import Seen
from harness.kube import secret, secrets_path
from harness.operatorsite import OperatorSite
from harness.plane import Plane

WRITES = 300
"""Between backup and restore: more than the control plane itself writes while the test lasts."""
TWO_WINDOWS_SECONDS = 30
NOTICED_SECONDS = 60
"""Two windows, and what a busy machine needs to start a control plane."""


@pytest.fixture
def site(own_plane: Plane) -> Iterator[OperatorSite]:
    with closing(Cluster(own_plane)) as cluster, closing(OperatorSite(cluster)) as mine:
        yield mine


@pytest.mark.attack("R-12")
def test_after_a_restore_of_etcd_the_operator_begins_anew_and_sees_changes(
    own_plane: Plane, site: OperatorSite
) -> None:
    site.add("ana")
    proxy = site.cluster.proxy()
    operator = site.start(proxy)
    site.until_people("ana")
    own_plane.back_up()
    version = _write(site)
    site.add("bob")
    site.until_people("ana", "bob")
    proxy.wait_for(lambda seen: _begins_with(seen, site) >= version, TWO_WINDOWS_SECONDS)
    assert operator.program.running, "etcd was away and came back as it was: no reason to end"

    own_plane.restore()
    assert site.people() == {"ana@example.com"}
    assert operator.program.wait(NOTICED_SECONDS) == 1
    assert "the cluster went back" in operator.program.output()
    assert "Traceback" not in operator.program.output()

    # What the kubelet would do.
    site.start().until_ready()
    site.add("cleo")
    site.until_people("ana", "cleo")


def _write(site: OperatorSite) -> int:
    """Make the store grow; returns its version."""
    busy = site.kube.create(secrets_path(site.names.release), secret("busy", {}))
    path = secrets_path(site.names.release, "busy")
    for number in range(WRITES):
        busy = site.kube.merge(path, {"metadata": {"annotations": {"number": str(number)}}})
    return int(busy["metadata"]["resourceVersion"])


def _begins_with(seen: Seen, site: OperatorSite) -> int:
    """Return the version from which a window of the mapping's watch begins; 0 for all others."""
    ours = seen.watch and seen.name == site.names.mapping
    return int(seen.query["resourceVersion"]) if ours else 0
