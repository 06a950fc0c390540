from __future__ import annotations

import pytest

from harness.scripted import ScriptedApi
from productive_gateway.admin.init_key_ring import init_key_ring
from productive_gateway.sealing.errors import KeyRingError
from productive_gateway.sealing.keys import encode_ring, parse_ring
from productive_gateway.watched.key_ring import KeyRingSource

NOW = 1_795_500_000.0


def source(api: ScriptedApi) -> KeyRingSource:
    return KeyRingSource(api, "ns", "keys")  # type: ignore[arg-type]


async def test_the_ring_is_made_once_and_left_alone_afterwards() -> None:
    api = ScriptedApi()
    said = await init_key_ring(api, "ns", "keys", clock=lambda: NOW)
    assert said == "Made the key ring ns/keys."
    assert api.secret is not None
    made = dict(api.secret)
    assert made["type"] == "productive-mcp.dev/key-ring"
    again = await init_key_ring(api, "ns", "keys")
    assert api.secret == made
    assert "left as it is" in again


async def test_two_installations_do_not_share_a_key() -> None:
    rings = []
    for _ in range(2):
        keys = source(api := ScriptedApi())
        await init_key_ring(api, "ns", "keys")
        rings.append(await keys.fresh())
    assert rings[0].current != rings[1].current


async def test_a_made_ring_can_be_read() -> None:
    api = ScriptedApi()
    await init_key_ring(api, "ns", "keys", clock=lambda: NOW)
    keys = source(api)
    made = await keys.fresh()
    assert parse_ring(encode_ring(made)) == made
    assert made.keys[0].created == NOW


@pytest.mark.parametrize("bad", [{}, {"keys.json": b"{"}, {"tls.key": b"x"}])
async def test_a_secret_in_the_way_stops_the_job_with_a_remedy(bad: dict[str, bytes]) -> None:
    api = ScriptedApi(bad)
    with pytest.raises(KeyRingError, match="delete it"):
        await init_key_ring(api, "ns", "keys")
