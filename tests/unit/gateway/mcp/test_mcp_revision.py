from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.mcpkit import MODERN
from productive_gateway.mcp.message import MalformedMessage
from productive_gateway.mcp.revision import SERVED, check_revision

VERSION = "io.modelcontextprotocol/protocolVersion"
HEADER = b"mcp-protocol-version"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
versions = st.sampled_from([*SERVED, "2099-01-01", ""]) | st.text(max_size=40)
messages = json_values | st.fixed_dictionaries(
    {"id": st.integers()},
    optional={
        "method": st.sampled_from(["initialize", "tools/list"]),
        "params": json_values
        | st.fixed_dictionaries(
            {"_meta": json_values | st.fixed_dictionaries({VERSION: json_values | versions})}
        ),
    },
)


@given(st.lists(st.binary(max_size=40) | versions.map(str.encode), max_size=2), messages)
def test_any_message_under_any_headers_is_accepted_or_refused_shortly(
    named: list[bytes], message: Any
) -> None:
    headers = [(HEADER, value) for value in named]
    try:
        check_revision(headers, message)
    except MalformedMessage as refused:
        error = refused.answer["error"]
        assert error["code"] in {-32020, -32022}
        assert len(json.dumps(error)) < 1_000
        if error["code"] == -32022:
            assert error["data"]["supported"] == [MODERN]
            assert len(error["data"]["requested"]) <= 32
    else:
        assert not named or named[0].decode("latin-1") in SERVED


@pytest.mark.rule("T5")
def test_a_long_unknown_revision_is_not_repeated_whole() -> None:
    with pytest.raises(MalformedMessage) as caught:
        check_revision([(HEADER, b"2" * 5_000)], {"id": 1, "method": "tools/list"})
    assert caught.value.answer["error"]["data"]["requested"] == "2" * 32


@given(st.sampled_from(SERVED))
def test_message_that_names_the_revision_of_its_header_is_accepted(version: str) -> None:
    message = {"method": "tools/list", "params": {"_meta": {VERSION: version}}}
    check_revision([(HEADER, version.encode())], message)


@pytest.mark.rule("T4")
@given(st.sampled_from(SERVED), versions)
def test_message_that_names_another_revision_is_a_mismatch(version: str, meant: str) -> None:
    message = {"method": "tools/list", "params": {"_meta": {VERSION: meant}}}
    if meant == version:
        return
    with pytest.raises(MalformedMessage) as caught:
        check_revision([(HEADER, version.encode())], message)
    assert caught.value.answer["error"]["code"] == -32020
