from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from harness.simulation import Simulation, simulation


@pytest.fixture
async def sim() -> AsyncIterator[Simulation]:
    """A fresh simulator; requests are Ana Kovač's until told otherwise."""
    async with simulation() as made:
        yield made
