"""How many replicas are ready, as the EndpointSlices of the Service say it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scripted import ScriptedApi, until
from productive_gateway.observability.metrics import REGISTRY
from productive_gateway.watched.replicas import ReadyEndpoints, ReplicaWatch, ready_endpoints
from productive_kube.client import Listed
from productive_kube.collection import Change
from productive_kube.errors import Forbidden


class Watched:
    """A watch whose events a test gives, and the numbers that it reported."""

    def __init__(self) -> None:
        self.counts: list[int] = []
        self.watch = ReplicaWatch(
            ScriptedApi(),  # type: ignore[arg-type]
            "productive",
            "productive-gateway",
            self.counts.append,
        )

    def listed(self, *slices: dict[str, Any]) -> None:
        self.watch.replace(Listed([ready_endpoints(one) for one in slices], "1"), fell=False)

    def changed(self, found: dict[str, Any], *, deleted: bool = False) -> None:
        self.watch.apply(Change("2", ready_endpoints(found), deleted=deleted))


def slice_of(name: str, *endpoints: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "endpoints": list(endpoints)}


def pod(number: int, *, ready: bool | None = True, address: str = "") -> dict[str, Any]:
    return {
        "addresses": [address or f"10.0.0.{number}"],
        "conditions": {} if ready is None else {"ready": ready},
        "targetRef": {"kind": "Pod", "name": f"gateway-{number}", "uid": f"uid-{number}"},
    }


def test_ready_endpoints_are_counted() -> None:
    watched = Watched()
    watched.listed(slice_of("a", pod(1), pod(2), pod(3, ready=False)))
    assert watched.counts == [2]


def test_condition_that_is_not_given_counts_as_ready() -> None:
    watched = Watched()
    watched.listed(slice_of("a", pod(1, ready=None), {"addresses": ["10.0.0.9"]}))
    assert watched.counts == [2]


def test_replica_with_two_address_families_is_one() -> None:
    watched = Watched()
    watched.listed(
        slice_of("v4", pod(1), pod(2)),
        slice_of("v6", pod(1, address="fd00::1"), pod(2, address="fd00::2")),
    )
    assert watched.counts == [2]


def test_events_change_the_number() -> None:
    watched = Watched()
    watched.listed(slice_of("a", pod(1), pod(2)))
    watched.changed(slice_of("b", pod(3)))
    watched.changed(slice_of("a", pod(1), pod(2, ready=False)))
    watched.changed(slice_of("b"), deleted=True)
    watched.watch.apply(Change("9"))
    assert watched.counts == [2, 3, 2, 1]


def test_the_same_number_is_reported_once() -> None:
    watched = Watched()
    for _ in range(2):
        watched.listed(slice_of("a", pod(1), pod(2)))
    watched.changed(slice_of("a", pod(2), pod(3)))
    assert watched.counts == [2]


def test_no_ready_replica_leaves_the_last_number() -> None:
    watched = Watched()
    watched.listed()
    assert watched.counts == []
    watched.listed(slice_of("a", pod(1), pod(2)))
    watched.listed(slice_of("a", pod(1, ready=False), pod(2, ready=False)))
    watched.changed(slice_of("a"), deleted=True)
    assert watched.counts == [2]


def test_list_forgets_slices_that_are_gone() -> None:
    watched = Watched()
    watched.listed(slice_of("a", pod(1)), slice_of("b", pod(2)))
    watched.listed(slice_of("b", pod(2)))
    assert watched.counts == [2, 1]


@pytest.mark.parametrize("endpoints", [None, []])
def test_slice_without_endpoints_has_no_replica(endpoints: object) -> None:
    found = {"metadata": {"name": "a"}, "endpoints": endpoints}
    assert ready_endpoints(found) == ReadyEndpoints("a", frozenset())


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sets(st.integers(1, 5)), st.booleans()), max_size=20
    )
)
def test_number_is_that_of_a_fresh_list_after_any_events(
    events: list[tuple[str, set[int], bool]],
) -> None:
    watched, slices = Watched(), dict[str, set[int]]()
    for name, pods, deleted in events:
        watched.changed(slice_of(name, *map(pod, pods)), deleted=deleted)
        slices[name] = set() if deleted else pods
        ready = len(set[int]().union(*slices.values()))
        assert ready in {0, watched.counts[-1] if watched.counts else 0}


async def test_missing_right_leaves_the_last_number_and_is_tried_again() -> None:
    api = ScriptedApi()
    counts: list[int] = []
    watch = ReplicaWatch(api, "productive", "gateway", counts.append)  # type: ignore[arg-type]
    api.failures["list"] = Forbidden("list endpointslices", status=403, reason="Forbidden")
    running = asyncio.create_task(watch.run())
    await until(lambda: len(api.requests) == 1)
    assert not running.done()
    assert not watch.healthy
    api.failures.clear()
    api.secret = slice_of("a", pod(1), pod(2))
    await until(lambda: counts == [2])
    assert watch.healthy
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_health_is_on_the_metrics() -> None:
    watched = Watched()
    assert not watched.watch.healthy
    labels = {"watch": "replicas"}
    assert REGISTRY.get_sample_value("productive_mcp_watch_healthy", labels) == 0


async def test_only_the_slices_of_the_service_are_asked_for() -> None:
    api = ScriptedApi()
    counts: list[int] = []
    watch = ReplicaWatch(api, "productive", "gateway", counts.append)  # type: ignore[arg-type]
    running = asyncio.create_task(watch.run())
    await api.window()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [one.partition(" ")[0] for one in api.requests] == ["list", "watch"]
    for one in api.requests:
        assert "/namespaces/productive/endpointslices?" in one
        assert "labelSelector=kubernetes.io/service-name=gateway" in one
