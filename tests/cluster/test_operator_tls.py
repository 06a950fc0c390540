"""The operator in a cluster whose certificates have no key identifiers, with a strict Python.

From 3.13 on Python refuses these unless it is told otherwise (RFC 5280 4.2.1.1 and 4.2.1.2), while
client-go takes them: older managed clusters and home-made authorities have them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from harness.cluster import Cluster
from harness.operatorsite import OperatorSite
from harness.stricttls import STRICT


@pytest.fixture
def site(cluster: Cluster) -> Iterator[OperatorSite]:
    with closing(OperatorSite(cluster)) as mine:
        yield mine


def test_passes_and_watches_work_without_key_identifiers(site: OperatorSite) -> None:
    proxy = site.cluster.proxy(key_identifiers=False)
    site.add("ana")
    site.start(proxy, **STRICT).until_ready()
    # Both the list and the watch that follows it are needed to see all of these in time.
    site.until_people("ana")
    site.add("bob")
    site.until_people("ana", "bob")
    proxy.wait_for(lambda seen: seen.watch and seen.resource == "productiveusers")
    site.remove("ana")
    site.until_people("bob")
