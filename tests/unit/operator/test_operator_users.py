"""Decoding of ProductiveUsers: the CRD's rules once more, and never an exception."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.operatorkit import secret_body, user, user_body
from productive_contract.mapping import Access
from productive_contract.secret import Secret
from productive_operator.users import TOOLSETS, decode_secret, decode_user

ABSENT = ...
TABLE = Path(__file__).resolve().parents[2] / "contract" / "spec_cases.json"
SPECS: list[dict[str, Any]] = json.loads(TABLE.read_text())


def test_the_shortest_object_has_the_defaults() -> None:
    found = user()
    assert not found.problems
    assert found.title == "acme-users/ana"
    assert (found.secret_name, found.secret_key) == ("ana-productive", "token")
    assert (found.access, found.suspend, found.organization_id) == (Access(), False, None)


def test_every_field_is_read() -> None:
    found = user(
        apiTokenSecretRef={"name": "s.1", "key": "api_token"},
        organizationId="1200",
        access={"readOnly": True, "toolsets": ["time", "core"]},
        suspend=True,
        revokedBefore="2026-11-23T13:00:00+01:00",
    )
    assert not found.problems
    assert (found.secret_name, found.secret_key, found.suspend) == ("s.1", "api_token", True)
    assert found.access == Access(read_only=True, toolsets=("time", "core"))
    assert found.revoked_before == datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize("case", SPECS, ids=repr)
def test_a_spec_breaks_no_rule_or_one_and_says_which(case: dict[str, Any]) -> None:
    absent = {case["without"]: ABSENT} if "without" in case else {}
    problems = decode_user(user_body(**case["spec"], **absent), strict=True).problems
    if "problem" not in case:
        assert problems == ()
    else:
        (problem,) = problems
        assert case["problem"] in problem


@pytest.mark.parametrize(
    "written",
    [
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-12:00",
        "9999-12-31T23:59:59.5Z",
        "2026-11-23T12:00:00,5Z",
    ],
)
def test_a_time_beyond_what_can_be_represented_is_a_problem(written: str) -> None:
    (problem,) = user(revokedBefore=written).problems
    assert "spec.revokedBefore must be a time" in problem


def test_all_broken_rules_are_reported_at_once() -> None:
    assert len(user(email="a b", userId=0, suspend=1).problems) == 3


def test_an_object_without_a_spec_is_decoded() -> None:
    body = user_body()
    del body["spec"]
    assert decode_user(body).problems[0] == "spec is missing"


@pytest.mark.parametrize(
    ("written", "second"),
    [
        ("2026-11-23T12:00:00Z", 0),
        ("2026-11-23T12:00:00.000Z", 0),
        ("2026-11-23T12:00:00.001Z", 1),
        ("2026-11-23T12:00:00.999999999Z", 1),
    ],
)
def test_a_fraction_is_rounded_up_to_the_next_second(written: str, second: int) -> None:
    found = user(revokedBefore=written)
    assert found.revoked_before == datetime(2026, 11, 23, 12, 0, second, tzinfo=UTC)


def test_fields_of_a_newer_crd_are_ignored() -> None:
    body = user_body(access={"hours": "9-17"}, holiday=True)
    assert not decode_user(body).problems


def test_a_toolset_of_a_newer_crd_is_ignored() -> None:
    found = user(access={"toolsets": ["holograms", "core"]})
    assert not found.problems
    assert (found.access.toolsets, found.ignored_toolsets) == (("core",), ("holograms",))


def test_only_toolsets_of_a_newer_crd_allow_nothing_rather_than_everything() -> None:
    found = user(access={"toolsets": ["holograms"]})
    assert not found.problems
    assert found.access.toolsets == ()


def test_an_unknown_field_in_a_file_is_a_problem() -> None:
    body = user_body(
        access={"readonly": True},
        suspended=True,
        apiTokenSecretRef={"name": "x", "namespace": "kube-system"},
    )
    assert set(decode_user(body, strict=True).problems) == {
        "spec.access.readonly is not known",
        "spec.suspended is not known",
        "spec.apiTokenSecretRef.namespace is not known",
    }


def test_null_counts_as_absent() -> None:
    found = user(access=None, suspend=None, organizationId=None, revokedBefore=None)
    assert not found.problems


def test_an_object_that_is_being_deleted_is_marked() -> None:
    body = user_body()
    body["metadata"]["deletionTimestamp"] = "2026-11-23T10:00:00Z"
    assert decode_user(body).deleting


def test_secret_values_are_masked_and_decoded() -> None:
    found = decode_secret(secret_body(token="token-of-ana"))
    assert found.values == {"token": Secret("token-of-ana")}
    assert "token-of-ana" not in repr(found)


@pytest.mark.parametrize("value", ["/w==", "not base64"])
def test_bytes_that_are_not_text_become_a_value_that_no_token_has(value: str) -> None:
    body = secret_body()
    body["data"]["token"] = value
    assert decode_secret(body).values["token"] == Secret("\ufffd")


def test_a_secret_without_data_is_decoded() -> None:
    body = secret_body()
    del body["data"]
    assert decode_secret(body).values == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "key", "readOnly", "toolsets", *TOOLSETS[:2]]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
FIELDS = [
    "email",
    "userId",
    "apiTokenSecretRef",
    "organizationId",
    "access",
    "suspend",
    "revokedBefore",
    "other",
]


@given(spec=st.dictionaries(st.sampled_from(FIELDS), JSON) | JSON, strict=st.booleans())
def test_any_spec_is_decoded(spec: Any, strict: bool) -> None:
    body = user_body() | {"spec": spec}
    found = decode_user(body, strict=strict)
    assert found.problems or (found.holds == found.email and found.user_id is not None)
