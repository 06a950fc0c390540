"""Whose address counts: only what trusted proxies say is believed."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productive_gateway.web.caller_address import MAX_HOPS, CallerAddresses, parse_proxies

INGRESS = "10.1.2.3"
TRUSTED = CallerAddresses(parse_proxies(["10.0.0.0/8", "fd00:1::/32", "203.0.113.7"]))
ADDRESSES = st.one_of(
    st.ip_addresses(v=4), st.ip_addresses(v=6), st.ip_addresses(network="10.0.0.0/8")
).map(str)
ENTRIES = st.one_of(ADDRESSES, st.text(st.characters(max_codepoint=255, exclude_characters=",")))


def scope(peer: str | None = INGRESS, *forwarded: str, **headers: str) -> dict[str, Any]:
    raw = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    raw += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "client": (peer, 4711) if peer else None, "headers": raw}


def trusted(text: str) -> bool:
    address = ip_address(text)
    return any(address in network for network in TRUSTED.trusted)


def site(text: str) -> str:
    address = ip_address(text)
    if address.version == 4:
        return text
    mapped = address.ipv4_mapped
    return str(mapped) if mapped else str(ip_network((address, 64), strict=False))


@pytest.mark.attack("Q-05", "L-12")
@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (["192.0.2.1"], "192.0.2.1"),
        # What the caller sent comes first; what the proxy saw comes last.
        (["198.51.100.9, 192.0.2.1"], "192.0.2.1"),
        (["198.51.100.9", "192.0.2.1"], "192.0.2.1"),
        (["10.9.9.9, 192.0.2.1"], "192.0.2.1"),
        # Proxies in a row.
        (["192.0.2.1, 203.0.113.7"], "192.0.2.1"),
        (["198.51.100.9, 192.0.2.1,203.0.113.7 , 10.4.4.4"], "192.0.2.1"),
        (["192.0.2.1", "203.0.113.7, 10.4.4.4"], "192.0.2.1"),
        # With a port, as some load balancers append it.
        (["192.0.2.1:51234"], "192.0.2.1"),
        (["[2001:db8:0:7::5]:443"], "2001:db8:0:7::/64"),
        # A site of IPv6 has 2^64 addresses, and one caller can use them all.
        (["2001:db8:0:7:1:2:3:4"], "2001:db8:0:7::/64"),
        (["2001:db8:0:7:ffff::"], "2001:db8:0:7::/64"),
        (["::ffff:192.0.2.1"], "192.0.2.1"),
        # A caller from within the trusted ranges.
        (["10.7.7.7"], "10.7.7.7"),
        ([], INGRESS),
        # Malformed: what cannot be read is not guessed.
        (["192.0.2.1, unknown"], INGRESS),
        (["192.0.2.1, "], INGRESS),
        ([""], INGRESS),
        (["192.0.2.1 198.51.100.1"], INGRESS),
        (["192.0.2.256"], INGRESS),
        (["192.0.2.01"], INGRESS),
        (["fe80::1%eth0"], INGRESS),
        (['for="192.0.2.1"'], INGRESS),
        ([", ".join(["10.1.1.1"] * (MAX_HOPS + 1))], INGRESS),
        (["192.0.2.1", ", ".join(["10.1.1.1"] * MAX_HOPS)], INGRESS),
        (["192.0.2.1", ", ".join(["10.1.1.1"] * (MAX_HOPS - 1))], "192.0.2.1"),
    ],
)
def test_address_is_the_last_one_that_a_trusted_proxy_saw(
    forwarded: list[str], address: str
) -> None:
    assert TRUSTED.of(scope(INGRESS, *forwarded)) == address


@pytest.mark.attack("Q-05", "L-12")
@pytest.mark.parametrize("peer", ["192.0.2.1", "2001:db8:0:7::5", "::ffff:192.0.2.1"])
def test_a_caller_without_a_trusted_proxy_cannot_choose_its_address(peer: str) -> None:
    assert TRUSTED.of(scope(peer, "198.51.100.9")) == site(peer)


@pytest.mark.attack("L-12")
@pytest.mark.parametrize("name", ["forwarded", "x_real_ip", "true_client_ip", "cf_connecting_ip"])
def test_other_headers_say_nothing(name: str) -> None:
    sent = "for=198.51.100.9" if name == "forwarded" else "198.51.100.9"
    assert TRUSTED.of(scope(INGRESS, "192.0.2.1", **{name: sent})) == "192.0.2.1"
    assert TRUSTED.of(scope("192.0.2.1", **{name: sent})) == "192.0.2.1"


@pytest.mark.attack("Q-05")
def test_without_trusted_proxies_no_address_is_known() -> None:
    nobody = CallerAddresses(())
    assert nobody.of(scope(INGRESS, "192.0.2.1")) is None
    assert nobody.of(scope("192.0.2.1")) is None
    assert TRUSTED.of(scope(None, "192.0.2.1")) is None
    assert TRUSTED.of(scope("/run/gateway.sock", "192.0.2.1")) is None


@pytest.mark.attack("Q-05", "L-12", "Q-09")
@given(ADDRESSES, st.lists(st.lists(ENTRIES, max_size=5), max_size=3))
def test_only_entries_with_none_but_trusted_ones_after_them_are_believed(
    peer: str, headers: list[list[str]]
) -> None:
    found = TRUSTED.of(scope(peer, *(",".join(entries) for entries in headers)))
    believed = {site(peer)}
    if trusted(peer):
        for entry in reversed([one.strip(" \t") for entries in headers for one in entries]):
            try:
                ip_address(entry)
            except ValueError:
                break
            believed.add(site(entry))
            if not trusted(entry):
                break
    assert found in believed


@pytest.mark.attack("L-12", "L-17")
@pytest.mark.parametrize(
    ("peer", "said", "in_clear"),
    [
        (INGRESS, ["http"], True),
        (INGRESS, ["HTTP "], True),
        (INGRESS, ["https"], False),
        (INGRESS, [], False),
        # What is not plain is left alone: somebody behind the proxy may have sent one of the two.
        (INGRESS, ["https, http"], False),
        (INGRESS, ["https", "http"], False),
        ("192.0.2.1", ["http"], False),
        (None, ["http"], False),
    ],
)
def test_plain_http_is_what_a_trusted_proxy_says(
    peer: str | None, said: list[str], in_clear: bool
) -> None:
    request = scope(peer)
    request["headers"] += [(b"x-forwarded-proto", value.encode()) for value in said]
    assert TRUSTED.came_in_clear(request) is in_clear
    assert CallerAddresses(()).came_in_clear(request) is False


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0", "10.0.0.1/8", "ingress", "10.0.0.0/33", ""])
def test_ranges_that_are_malformed_or_cover_everybody_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_proxies([text])
