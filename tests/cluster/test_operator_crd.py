"""The operator in a cluster without its CRD, on a control plane of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from harness.cluster import Cluster
from harness.operatorsite import OperatorSite
from harness.plane import Plane
from harness.processes import eventually

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/productiveusers.productive-mcp.dev"
END_SECONDS = 30
MOST_LINES = 20


@pytest.fixture
def site(own_plane: Plane) -> Iterator[OperatorSite]:
    with closing(Cluster(own_plane)) as cluster, closing(OperatorSite(cluster)) as mine:
        yield mine


def test_without_the_crd_the_operator_ends_and_names_the_remedy(site: OperatorSite) -> None:
    site.kube.delete(CRD)
    eventually(lambda: not _served(site), what="ProductiveUsers are no longer served")
    operator = site.start()
    assert operator.program.wait(END_SECONDS) == 1
    output = operator.program.output()
    assert "kubectl apply --server-side -f crds/" in output
    assert "Traceback" not in output


def test_when_the_crd_is_deleted_the_operator_ends_and_names_the_remedy(
    site: OperatorSite,
) -> None:
    site.add("ana")
    operator = site.start()
    operator.until_ready()
    site.until_people("ana")
    site.kube.delete(CRD)
    assert operator.program.wait(END_SECONDS) == 1
    lines = operator.program.output().splitlines()
    assert "kubectl apply --server-side -f crds/" in lines[-1]
    assert "Traceback" not in operator.program.output()
    assert len(lines) < MOST_LINES


def _served(site: OperatorSite) -> bool:
    return site.kube.ask("GET", site.path()).status_code == httpx.codes.OK
