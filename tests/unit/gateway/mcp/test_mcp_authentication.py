from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest
from structlog.testing import capture_logs

from harness.mcpkit import NOW, person
from productive_contract.mapping import Mapping, Person, Reason, State
from productive_gateway.errors import AccessDenied, InvalidToken, Unavailable
from productive_gateway.mcp.authentication import Gatekeeper
from productive_gateway.people.snapshot import Snapshot

SIGNED_IN = datetime.fromtimestamp(NOW, UTC)


@dataclass(frozen=True)
class Grant:
    name: str = "grant-1"
    user_uid: str = "uid-9104"
    client: str = "c0ffee"
    scopes: frozenset[str] = frozenset({"productive:read"})
    auth_time: float = NOW


class Grants:
    def __init__(self, found: Grant | Exception) -> None:
        self._found = found

    async def authenticate(self, _: str, /) -> Grant:
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


class People:
    def __init__(self, *people: Person) -> None:
        self._snapshot: Snapshot | None = Snapshot.of(
            Mapping(1, MappingProxyType({one.email: one for one in people}))
        )

    @classmethod
    def unreadable(cls) -> People:
        people = cls()
        people._snapshot = None
        return people

    def snapshot(self) -> Snapshot:
        if self._snapshot is None:
            raise Unavailable("No list of people yet.", reason="no_mapping")
        return self._snapshot


def gatekeeper(people: People, grant: Grant | Exception | None = None) -> Gatekeeper:
    return Gatekeeper(Grants(grant or Grant()), people, admin_contact="it@example.test")


async def test_a_live_grant_of_an_active_person_is_a_principal() -> None:
    ana = person()
    found = await gatekeeper(People(ana)).authenticate("t")
    assert found.person is ana
    assert (found.grant, found.client) == ("grant-1", "c0ffee")
    assert found.scopes == {"productive:read"}


@pytest.mark.attack("M-09")
async def test_whoever_is_positively_gone_is_turned_away_for_good() -> None:
    with pytest.raises(InvalidToken, match=r"it@example\.test") as caught:
        await gatekeeper(People(person(user_id=1, email="b@example.test"))).authenticate("t")
    assert caught.value.reason == "person_gone"


@pytest.mark.attack("M-09")
async def test_a_suspended_person_is_denied_with_the_reason() -> None:
    ana = person(None, state=State.SUSPENDED, reason=Reason.SUSPENDED)
    with (
        capture_logs() as lines,
        pytest.raises(AccessDenied, match=r"suspended.*it@example\.test") as caught,
    ):
        await gatekeeper(People(ana)).authenticate("t")
    assert caught.value.reason == "suspended"
    [line] = lines
    assert (line["event"], line["reason"], line["email"], line["grant"]) == (
        "token_refused",
        "suspended",
        ana.email,
        "grant-1",
    )


@pytest.mark.attack("M-09")
async def test_a_person_without_a_token_passes() -> None:
    ana = person(None, state=State.NO_TOKEN, reason=Reason.TOKEN_EMPTY)
    assert (await gatekeeper(People(ana)).authenticate("t")).person is ana


@pytest.mark.parametrize(
    ("revoked", "passes"),
    [
        (SIGNED_IN + timedelta(seconds=1), False),
        (SIGNED_IN, True),
        (SIGNED_IN - timedelta(days=1), True),
    ],
)
async def test_only_sign_ins_before_the_revocation_are_dead(
    revoked: datetime, *, passes: bool
) -> None:
    door = gatekeeper(People(replace(person(), revoked_before=revoked)))
    if passes:
        assert await door.authenticate("t")
        return
    with pytest.raises(InvalidToken) as caught:
        await door.authenticate("t")
    assert caught.value.reason == "revoked_before"


async def test_a_revocation_counts_before_a_suspension() -> None:
    later = SIGNED_IN + timedelta(seconds=1)
    ana = person(None, state=State.SUSPENDED, revoked_before=later)
    with pytest.raises(InvalidToken):
        await gatekeeper(People(ana)).authenticate("t")


async def test_a_mapping_that_cannot_be_read_is_our_own_trouble() -> None:
    with pytest.raises(Unavailable):
        await gatekeeper(People.unreadable()).authenticate("t")


@pytest.mark.parametrize(
    "error",
    [InvalidToken("Over.", reason="expired"), Unavailable("Away.", reason="grants")],
)
async def test_what_the_grants_say_is_handed_on(error: Exception) -> None:
    with pytest.raises(type(error)):
        await gatekeeper(People(person()), error).authenticate("t")
