from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.tools.kit.progress import Progress

Reported = tuple[float, float | None, str | None]


def recording() -> tuple[Progress, list[Reported]]:
    told: list[Reported] = []

    async def report(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))

    return Progress(report), told


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50))))
def test_reports_only_grow(steps: list[tuple[int, int]]) -> None:
    async def run() -> list[Reported]:
        progress, told = recording()
        for done, total in steps:
            await progress(done, total, "x")
        return told

    told = asyncio.run(run())
    done = [one[0] for one in told]
    assert done == sorted(set(done))
    totals = [one[1] or 0 for one in told]
    assert totals == sorted(totals)


async def test_nothing_is_reported_after_the_end() -> None:
    progress, told = recording()
    await progress(1, 3, "first")
    progress.end()
    await progress(2, 3, "second")
    assert told == [(1, 3, "first")]


async def test_without_a_client_that_asked_nothing_happens() -> None:
    await Progress()(1, 2, "x")


async def test_client_that_does_not_read_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("productive_gateway.tools.kit.progress._SECONDS", 0.0)

    async def stuck(*_: object) -> None:
        await asyncio.Event().wait()

    async with asyncio.timeout(10):
        await Progress(stuck)(1, 2, "x")
