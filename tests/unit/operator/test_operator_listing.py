"""What is listed again after a change, and what the view is then."""

from __future__ import annotations

import asyncio

import pytest

from harness.operatorkit import MemoryCluster, secret_body
from productive_kube.errors import Unreachable
from productive_operator.changes import Changes, secret_named, user_named
from productive_operator.listing import View, list_again, list_everything


@pytest.fixture
def world() -> MemoryCluster:
    world = MemoryCluster()
    world.add("ana")
    world.add("bob", apiTokenSecretRef={"name": "shared"}, token=None)
    world.add("cleo", apiTokenSecretRef={"name": "shared"}, token=None)
    world.tokens["shared"] = secret_body("shared")
    return world


async def again(world: MemoryCluster, view: View, changes: Changes) -> View:
    world.listed.clear()
    found = await list_again(world, view, changes)
    assert found is not None
    return found


async def test_everything_is_two_lists(world: MemoryCluster) -> None:
    view = await list_everything(world)
    assert sorted(view.users) == ["ana", "bob", "cleo"]
    assert sorted(view.secrets) == ["ana-productive", "shared"]


async def test_with_somebody_the_secrets_are_listed_that_they_refer_to_before_and_now(
    world: MemoryCluster,
) -> None:
    view = await list_everything(world)
    world.bodies["bob"]["spec"]["apiTokenSecretRef"] = {"name": "bob-productive"}
    world.tokens["bob-productive"] = secret_body("bob-productive")
    del world.tokens["shared"]
    found = await again(world, view, user_named("bob"))
    assert world.listed == ["bob", "bob-productive", "shared"]
    assert found == await list_everything(world)


async def test_with_a_secret_those_are_listed_who_refer_to_it(world: MemoryCluster) -> None:
    view = await list_everything(world)
    world.tokens["shared"] = secret_body("shared", token="another")
    world.remove("cleo")
    found = await again(world, view, secret_named("shared"))
    assert world.listed == ["bob", "cleo", "shared"]
    assert found == await list_everything(world)


async def test_the_last_one_can_go(world: MemoryCluster) -> None:
    world.remove("bob")
    world.remove("cleo")
    view = await list_everything(world)
    world.remove("ana")
    world.tokens.clear()
    found = await again(world, view, user_named("ana") | secret_named("shared"))
    assert found == View({}, {})


@pytest.mark.parametrize(
    "reference", [{}, {"name": ""}, {"name": "x,type=Opaque"}, {"name": "ana-productive\n"}]
)
async def test_a_reference_that_is_no_name_asks_for_nothing(
    world: MemoryCluster, reference: dict[str, str]
) -> None:
    """What comes into a selector must not change its meaning."""
    world.add("dan", token=None, apiTokenSecretRef=reference)
    await again(world, await list_everything(world), user_named("dan"))
    assert world.listed == ["dan"]


async def test_the_last_view_does_not_change(world: MemoryCluster) -> None:
    view = await list_everything(world)
    world.remove("ana")
    assert "ana" not in (await again(world, view, user_named("ana"))).users
    assert "ana" in view.users


@pytest.mark.parametrize("failing", ["user", "secret"])
async def test_the_error_of_one_name_is_that_of_all(world: MemoryCluster, failing: str) -> None:
    view = await list_everything(world)
    world.failing[failing] = Unreachable("list", status=0)
    with pytest.raises(Unreachable):
        await list_again(world, view, user_named("ana") | user_named("bob"))


@pytest.mark.parametrize("failing", ["users", "secrets"])
async def test_the_error_of_one_list_is_that_of_both(world: MemoryCluster, failing: str) -> None:
    world.failing[failing] = Unreachable("list", status=0)
    with pytest.raises(Unreachable):
        await list_everything(world)


async def test_a_few_names_are_listed_at_once() -> None:
    class Waiting(MemoryCluster):
        def __init__(self) -> None:
            super().__init__()
            self.barrier = asyncio.Barrier(3)

        async def user(self, name: str) -> None:
            self.listed.append(name)
            await self.barrier.wait()

    world = Waiting()
    async with asyncio.timeout(5):
        await again(world, View({}, {}), Changes(users=frozenset({"a", "b", "c"})))
    assert sorted(world.listed) == ["a", "b", "c"]
