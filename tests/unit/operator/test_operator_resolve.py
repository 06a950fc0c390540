"""Who is in the mapping: each reason, age, and what holds for any set of objects."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.operatorkit import TOKEN, token_secret, user, user_body
from productive_contract.mapping import Mapping, Reason, State, decode, encode
from productive_contract.secret import Secret
from productive_operator.resolve import MAX_TOKEN, Outcome, people, resolve
from productive_operator.users import TokenSecret, User, decode_user


def one(found: User, *secrets: TokenSecret) -> Outcome:
    (outcome,) = resolve([found], secrets)
    return outcome


def test_a_person_with_a_token_is_active() -> None:
    outcome = one(user(), token_secret())
    assert outcome.reason is Reason.SYNCED
    person = outcome.person
    assert person is not None
    assert (person.email, person.user, person.uid) == (
        "ana@example.com",
        "acme-users/ana",
        "uid-of-ana",
    )
    assert (person.state, person.api_token, person.user_id) == (State.ACTIVE, Secret(TOKEN), 9104)


@pytest.mark.parametrize(
    ("found", "secret", "reason", "state"),
    [
        (user(), None, Reason.TOKEN_SECRET_NOT_FOUND, State.NO_TOKEN),
        (user(), token_secret("other"), Reason.TOKEN_SECRET_NOT_FOUND, State.NO_TOKEN),
        (user(), token_secret(key="x"), Reason.TOKEN_KEY_MISSING, State.NO_TOKEN),
        (user(), token_secret(token=""), Reason.TOKEN_EMPTY, State.NO_TOKEN),
        (user(), token_secret(token=" \n"), Reason.TOKEN_EMPTY, State.NO_TOKEN),
        (user(), token_secret(token="two words"), Reason.INVALID, State.NO_TOKEN),
        (user(), token_secret(token="tökén"), Reason.INVALID, State.NO_TOKEN),
        (user(), token_secret(token="a\r\nX-Evil: 1"), Reason.INVALID, State.NO_TOKEN),
        (user(), token_secret(token="x" * (MAX_TOKEN + 1)), Reason.INVALID, State.NO_TOKEN),
        (user(suspend=True), token_secret(), Reason.SUSPENDED, State.SUSPENDED),
        (user(suspend=True), None, Reason.SUSPENDED, State.SUSPENDED),
        (user(email="Ana@example.com"), token_secret(), Reason.INVALID, State.NO_TOKEN),
        (user(organizationId="x"), token_secret(), Reason.INVALID, State.NO_TOKEN),
        (user(organizationId="x", suspend=True), token_secret(), Reason.INVALID, State.SUSPENDED),
    ],
)
def test_people_who_cannot_act_stay_in_the_mapping_without_a_token(
    found: User, secret: TokenSecret | None, reason: Reason, state: State
) -> None:
    outcome = one(found, *([secret] if secret else []))
    assert outcome.reason is reason
    assert outcome.person is not None
    assert (outcome.person.state, outcome.person.reason) == (state, reason)
    assert outcome.person.api_token is None
    assert outcome.person.email == "ana@example.com"


@pytest.mark.parametrize("spec", [{"email": "no address"}, {"userId": 0}, {"email": ...}])
def test_an_object_without_a_usable_address_or_id_is_left_out(spec: dict[str, object]) -> None:
    outcome = one(user(**spec), token_secret())
    assert (outcome.reason, outcome.person) == (Reason.INVALID, None)
    assert outcome.problems


def test_a_line_feed_at_the_end_is_not_part_of_the_token() -> None:
    person = one(user(), token_secret(token="token-of-ana\n")).person
    assert person is not None
    assert person.api_token == Secret("token-of-ana")


def test_another_key_can_hold_the_token() -> None:
    reference = {"name": "ana-productive", "key": "api"}
    found = one(user(apiTokenSecretRef=reference), token_secret(api="t", token="no"))
    assert found.person is not None
    assert found.person.api_token == Secret("t")


def test_a_secret_of_another_namespace_is_not_found() -> None:
    elsewhere = replace(token_secret(), namespace="kube-system")
    assert one(user(), elsewhere).reason is Reason.TOKEN_SECRET_NOT_FOUND


@pytest.mark.parametrize(
    "older",
    [
        {},
        {"suspend": True},
        {"apiTokenSecretRef": {"name": "missing"}},
        {"organizationId": "x"},
        {"userId": 0},
        {"email": "ANA@example.com"},
    ],
)
def test_the_older_holds_the_address_whatever_state_it_is_in(older: dict[str, object]) -> None:
    first = user("first", **{"email": "ana@example.com", **older}, age=0)
    second = user(
        "second", email="ana@example.com", age=1, apiTokenSecretRef={"name": "ana-productive"}
    )
    outcomes = resolve([second, first], [token_secret()])
    assert [o.user.name for o in outcomes] == ["first", "second"]
    assert outcomes[1] == Outcome(second, Reason.EMAIL_CONFLICT, holder="acme-users/first")
    assert outcomes[0].reason is not Reason.EMAIL_CONFLICT
    assert all(p.user == "acme-users/first" for p in people(outcomes).values())


def test_a_younger_one_in_another_spelling_conflicts_too() -> None:
    first = user("first", email="ana@example.com")
    second = user("second", email="Ana@example.com", age=1)
    assert resolve([first, second], [])[1].reason is Reason.EMAIL_CONFLICT


def test_of_two_made_in_the_same_second_the_uid_decides() -> None:
    a = user("a", email="ana@example.com", uid="2")
    b = user("b", email="ana@example.com", uid="1")
    assert [o.user.name for o in resolve([a, b], [])] == ["b", "a"]
    assert resolve([a, b], [])[1].holder == "acme-users/b"


def test_an_object_that_is_being_deleted_is_gone_and_frees_its_address() -> None:
    body = user_body("first", email="ana@example.com")
    body["metadata"]["deletionTimestamp"] = "2026-11-23T10:00:00Z"
    second = user("second", email="ana@example.com", age=5)
    (outcome,) = resolve([decode_user(body), second], [token_secret("second-productive")])
    assert (outcome.user.name, outcome.reason) == ("second", Reason.SYNCED)


def test_a_broken_object_does_not_touch_the_others() -> None:
    bodies = [user("bad", email="", userId=None, apiTokenSecretRef=5), user()]
    assert set(people(resolve(bodies, [token_secret()]))) == {"ana@example.com"}


USERS = st.lists(
    st.builds(
        user,
        st.sampled_from(["a", "b", "c", "d", "e", "f"]),
        email=st.sampled_from(
            ["ana@example.com", "ANA@example.com", "bob@example.com", "", "x y", "ä@example.com"]
        ),
        userId=st.sampled_from([1, 2, 0, "1"]),
        age=st.integers(0, 2),
        suspend=st.booleans(),
        revokedBefore=st.sampled_from([None, "2026-11-23T12:00:00.25Z", "never"]),
        access=st.sampled_from([None, {}, {"readOnly": True}, {"toolsets": ["core"]}]),
        apiTokenSecretRef=st.sampled_from(
            [{"name": "s1"}, {"name": "s2", "key": "k"}, {"name": "s3"}, {}]
        ),
    ),
    unique_by=lambda u: u.name,
)
SECRETS = st.lists(
    st.builds(
        token_secret,
        st.sampled_from(["s1", "s2"]),
        token=st.sampled_from(["", "t1", "two words", 'quo"te\\']),
    ),
    unique_by=lambda s: s.name,
)


@given(USERS, SECRETS, st.randoms())
def test_the_order_of_the_lists_does_not_matter(
    users: list[User], secrets: list[TokenSecret], random: object
) -> None:
    expected = resolve(users, secrets)
    random.shuffle(users)  # type: ignore[attr-defined]
    random.shuffle(secrets)  # type: ignore[attr-defined]
    assert resolve(users, secrets) == expected


@given(USERS, SECRETS)
def test_every_object_has_one_outcome_and_every_address_one_holder(
    users: list[User], secrets: list[TokenSecret]
) -> None:
    outcomes = resolve(users, secrets)
    assert sorted(o.user.name for o in outcomes) == sorted(u.name for u in users)
    for address in {u.holds for u in users if u.holds}:
        contenders = [o for o in outcomes if o.user.holds == address]
        holders = [o for o in contenders if o.reason is not Reason.EMAIL_CONFLICT]
        assert [o.user for o in holders] == [min((o.user for o in contenders), key=lambda u: u.age)]
    for outcome in outcomes:
        active = outcome.person is not None and outcome.person.state is State.ACTIVE
        assert active == (outcome.reason is Reason.SYNCED)
        assert active == (outcome.person is not None and outcome.person.api_token is not None)


@given(USERS, SECRETS, st.integers(0, 10))
def test_a_new_object_changes_no_other_entry(
    users: list[User], secrets: list[TokenSecret], choice: int
) -> None:
    before = people(resolve(users, secrets))
    email = ["ana@example.com", "bob@example.com", "new@example.com"][choice % 3]
    newcomer = user("newcomer", email=email, age=100)
    after = people(resolve([*users, newcomer], secrets))
    assert {e: p for e, p in after.items() if p.user != newcomer.title} == before


@given(USERS, SECRETS)
def test_what_is_published_reads_back_the_same(
    users: list[User], secrets: list[TokenSecret]
) -> None:
    found = people(resolve(users, secrets))
    assert decode(encode(Mapping(1, found))).people == found
