"""Whose absence from the mapping in use means that they are gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

import pytest

from harness.grantkit import ana
from harness.mount import MappingMount
from harness.scripted import Hands, ScriptedApi, unreachable, until
from productive_contract.mapping import Mapping, encode
from productive_gateway.errors import Unavailable
from productive_gateway.watched.mapping import MappingSource

NOBODY = encode(Mapping(7, MappingProxyType({})))
NOBODY_LATER = encode(Mapping(8, MappingProxyType({})))
ANA = encode(Mapping(9, MappingProxyType({ana().email: ana()})))


class Source:
    """A mapping that is mounted, and watched as long as the block lasts."""

    def __init__(self, api: ScriptedApi, folder: Path) -> None:
        self.api, self.clock, self.mount = api, Hands(), MappingMount(folder)
        self.mount.write(NOBODY)
        self.people = MappingSource(
            api,  # type: ignore[arg-type]
            "ns",
            "mapping",
            mount=folder,
            monotonic=self.clock,
        )

    @property
    def confirmed(self) -> bool:
        return self.people.snapshot().proves_absence

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.people.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.mark.attack("M-09")
async def test_mount_that_a_restarted_container_finds_proves_nobodys_absence(
    tmp_path: Path,
) -> None:
    source = Source(ScriptedApi(ANA), tmp_path)
    with pytest.raises(Unavailable):
        source.people.snapshot().person(ana().uid)
    async with source.watching():
        await until(lambda: source.confirmed)
        assert source.people.snapshot().person(ana().uid) == ana()


async def test_same_mapping_in_the_watch_confirms_that_of_the_mount(tmp_path: Path) -> None:
    source = Source(ScriptedApi(NOBODY), tmp_path)
    assert not source.confirmed
    async with source.watching():
        await until(lambda: source.confirmed)
        assert source.people.snapshot().person(ana().uid) is None


async def test_broken_published_mapping_does_not_confirm_that_of_the_mount(tmp_path: Path) -> None:
    source = Source(ScriptedApi({"users.json": b"{"}), tmp_path)
    async with source.watching():
        await until(lambda: source.people.problem is not None)
        assert not source.confirmed


async def test_newer_mount_while_the_api_server_is_away_proves_nobodys_absence(
    tmp_path: Path,
) -> None:
    source = Source(ScriptedApi(NOBODY), tmp_path)
    async with source.watching():
        await until(lambda: source.confirmed)
        await source.api.window()
        source.api.failure = unreachable()
        source.api.break_window(unreachable())
        source.clock.advance(20)
        assert source.confirmed
        source.mount.write(NOBODY_LATER)
        source.people.poll_mount()
        assert source.people.snapshot().revision == 8
        assert not source.confirmed
