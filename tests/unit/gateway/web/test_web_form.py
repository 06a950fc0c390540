"""Query strings and bodies are read in one way only."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from productive_gateway.web import body as module
from productive_gateway.web.body import read_body
from productive_gateway.web.errors import BadRequest
from productive_gateway.web.form import MAX_FIELDS, FormError, parse_form

PLAIN = st.text(
    st.characters(min_codepoint=0x20, exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30
)


@pytest.mark.attack("A-10", "A-12")
@pytest.mark.parametrize(
    "raw",
    [
        b"state=%00",
        b"state=%0d%0aSet-Cookie:x",
        b"state=a\r\nb",
        b"state=%7f",
        b"state=%c2%85",
        b"state=%ed%a0%80",
        b"state=%c0%af",
        b"state=%ff",
        b"state=%",
        b"state=%4",
        b"state=%zz",
        b"state=a b",
        "state=ü".encode(),
        b"&".join(b"p%d=1" % number for number in range(MAX_FIELDS + 1)),
    ],
)
def test_ambiguous_forms_are_refused(raw: bytes) -> None:
    with pytest.raises(FormError):
        parse_form(raw)


def test_values_are_kept_apart_and_empty_ones_count_as_absent() -> None:
    form = parse_form(b"a=1&b=&a=2&c&&d=x%20y+z")
    assert form.repeated() == {"a"}
    assert form.all("a") == ("1", "2")
    assert form.one("b") is None
    assert form.one("c") is None
    assert form.one("d") == "x y z"


@pytest.mark.attack("A-10")
@given(st.dictionaries(PLAIN, PLAIN, max_size=10))
def test_what_a_client_encodes_comes_out_unchanged(values: dict[str, str]) -> None:
    for encode in (urlencode(values), urlencode(values, quote_via=quote)):
        form = parse_form(encode.encode())
        assert {name: form.one(name) for name in values} == values
        assert not form.repeated()


@pytest.mark.attack("Q-09")
@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_read_as_the_standard_library_reads_them(raw: bytes) -> None:
    try:
        form = parse_form(raw)
    except FormError:
        return
    usual = parse_qs(raw.decode("ascii"), keep_blank_values=True)
    assert {name: list(values) for name, values in form.values.items()} == usual


@pytest.mark.attack("L-10")
async def test_a_body_that_arrives_too_slowly_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def trickle() -> Message:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"a", "more_body": True}

    monkeypatch.setattr(module, "SECONDS", 0.1)
    with pytest.raises(BadRequest) as caught:
        await asyncio.wait_for(read_body([], trickle, limit=1024), 5)
    assert caught.value.status == 408
