"""The mapping's watch, over a store that does what the test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from productive_kube.client import Listed
from productive_kube.collection import Change
from productive_operator.mapping_watch import StoreWentBack, follow_mapping
from productive_operator.view import StoredMapping

OURS = StoredMapping("uid", "1", "t", {"users.json": b"{}"})
FOREIGN = StoredMapping("uid", "2", "t", {"users.json": b"{}", "x": b""})


@dataclass
class Store:
    """A source with one list after the other, each with the changes of the window after it."""

    steps: list[tuple[Listed[StoredMapping], list[Change[StoredMapping]]]]

    async def list(self) -> Listed[StoredMapping]:
        return self.steps[0][0]

    async def watch(
        self,
        version: str,  # noqa: ARG002
        seconds: int,  # noqa: ARG002
    ) -> AsyncGenerator[Change[StoredMapping], None]:
        _, changes = self.steps.pop(0)
        for change in changes:
            yield change
        if not self.steps:
            raise Ended

    async def version(self) -> str:
        # Asked after a window without a word: the next list shows a version that fell.
        return "0"


class Ended(Exception):
    """The script is at its end."""


async def enqueued(store: Store, expect: type[Exception] = Ended) -> list[str]:
    """Play the store to its end and return what a pass was asked for."""
    kinds: list[str] = []
    watch = follow_mapping(store, lambda stored: stored is OURS, kinds.append)
    with pytest.raises(expect):
        async with asyncio.timeout(10):
            await watch.run()
    return kinds


def listed(version: str, *mappings: StoredMapping) -> Listed[StoredMapping]:
    return Listed(list(mappings), version)


async def test_a_mapping_that_is_not_as_expected_asks_for_a_pass() -> None:
    changes: list[Change[StoredMapping]] = [
        Change("6", OURS),
        Change("7"),
        Change("8", FOREIGN),
        Change("9", OURS, deleted=True),
    ]
    assert await enqueued(Store([(listed("5", OURS), changes)])) == ["mapping", "mapping"]


@pytest.mark.parametrize(("found", "asked"), [([OURS], []), ([FOREIGN], ["mapping"])])
async def test_a_list_is_compared_too(found: list[StoredMapping], asked: list[str]) -> None:
    assert await enqueued(Store([(listed("5", *found), [])])) == asked


async def test_a_mapping_that_does_not_exist_at_the_start_asks_for_a_pass() -> None:
    assert await enqueued(Store([(listed("5"), [])])) == ["mapping"]


@pytest.mark.attack("R-12")
async def test_a_store_that_went_back_ends_it() -> None:
    store = Store([(listed("700", OURS), []), (listed("699", FOREIGN), [])])
    assert await enqueued(store, StoreWentBack) == []


async def test_the_same_version_again_is_no_step_back() -> None:
    store = Store([(listed("700", OURS), []), (listed("700", OURS), [])])
    assert await enqueued(store) == []
