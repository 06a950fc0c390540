"""Which addresses are public: the table of ranges, and its agreement with the standard library."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from productive_gateway.outbound.addresses import AddressPolicy

POLICY = AddressPolicy()

REFUSED = {
    "this network": ("0.0.0.0/8", "0.0.0.0"),
    "private 10": ("10.0.0.0/8", "10.96.0.1"),
    "private 172.16": ("172.16.0.0/12", "172.17.0.1"),
    "private 192.168": ("192.168.0.0/16", "192.168.1.1"),
    "carrier-grade NAT": ("100.64.0.0/10", "100.100.100.200"),
    "loopback": ("127.0.0.0/8", "127.0.0.1"),
    "link-local": ("169.254.0.0/16", "169.254.169.254"),
    "protocol assignments": ("192.0.0.0/24", "192.0.0.192"),
    "documentation 1": ("192.0.2.0/24", "192.0.2.1"),
    "documentation 2": ("198.51.100.0/24", "198.51.100.1"),
    "documentation 3": ("203.0.113.0/24", "203.0.113.10"),
    "6to4 relays": ("192.88.99.0/24", "192.88.99.1"),
    "benchmarks": ("198.18.0.0/15", "198.19.255.255"),
    "multicast": ("224.0.0.0/4", "239.255.255.255"),
    "reserved": ("240.0.0.0/4", "255.255.255.255"),
    "Azure's wire server": ("168.63.129.16/32", "168.63.129.16"),
    "IPv6 loopback": ("::1/128", "::1"),
    "IPv6 unspecified": ("::/128", "::"),
    "IPv4-compatible": ("::/96", "::10.0.0.1"),
    "IPv4-compatible, public": ("::/96", "::8.8.8.8"),
    "IPv4-mapped": ("::ffff:0:0/96", "::ffff:10.0.0.1"),
    "IPv4-mapped, public": ("::ffff:0:0/96", "::ffff:8.8.8.8"),
    "IPv4-translated": ("::ffff:0:0:0/96", "::ffff:0:127.0.0.1"),
    "NAT64": ("64:ff9b::/96", "64:ff9b::169.254.169.254"),
    "NAT64, public": ("64:ff9b::/96", "64:ff9b::8.8.8.8"),
    "NAT64 of a network": ("64:ff9b:1::/48", "64:ff9b:1::10.0.0.1"),
    "discard": ("100::/64", "100::1"),
    "segment routing": ("5f00::/16", "5f00::1"),
    "Teredo": ("2001::/32", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
    "protocol assignments, IPv6": ("2001::/23", "2001:1ff::1"),
    "ORCHID": ("2001:20::/28", "2001:2f::1"),
    "documentation, IPv6": ("2001:db8::/32", "2001:db8::1"),
    "documentation, IPv6, new": ("3fff::/20", "3fff::1"),
    "6to4": ("2002::/16", "2002:a00:1::1"),
    "6to4, public": ("2002::/16", "2002:808:808::1"),
    "6bone": ("3ffe::/16", "3ffe::1"),
    "unique local": ("fc00::/7", "fd00:ec2::254"),
    "link-local, IPv6": ("fe80::/10", "fe80::1"),
    "site-local": ("fec0::/10", "fec0::1"),
    "multicast, IPv6": ("ff00::/8", "ff02::1"),
    "unassigned": ("4000::/3", "4000::1"),
}
ISATAP = ("2a00:1450::5efe:10.0.0.1", "2a00:1450::200:5efe:10.0.0.1", "2a00:1450::5efe:8.8.8.8")
PUBLIC = (
    *("1.1.1.1", "8.8.8.8", "93.184.216.34", "9.255.255.255", "11.0.0.0", "100.63.255.255"),
    *("100.128.0.0", "126.255.255.255", "128.0.0.0", "168.63.129.15", "168.63.129.17"),
    *("169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255"),
    *("192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255"),
    *("2606:4700::6810:84e5", "2a00:1450:4001:80b::200e", "2001:200::1", "2001:4860:4860::8888"),
    *("2000::", "2003::1", "3fff:1000::"),
)


@pytest.mark.attack("K-02")
@pytest.mark.parametrize(("network", "address"), REFUSED.values(), ids=REFUSED)
def test_no_address_of_a_special_range_is_allowed(network: str, address: str) -> None:
    inside = ipaddress.ip_network(network)
    member = ipaddress.ip_address(address)
    assert member in inside
    for one in (member, inside[0], inside[-1], inside[inside.num_addresses // 2]):
        assert not POLICY.allows(one), one


@pytest.mark.attack("K-02")
@pytest.mark.parametrize("address", ISATAP)
def test_an_isatap_address_is_refused_under_any_prefix(address: str) -> None:
    assert not POLICY.allows(ipaddress.ip_address(address))


@pytest.mark.attack("K-02")
def test_an_address_with_a_scope_is_refused() -> None:
    assert not POLICY.allows(ipaddress.ip_address("2606:4700::1%eth0"))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_next_to_the_ranges_are_allowed(address: str) -> None:
    assert POLICY.allows(ipaddress.ip_address(address))


@pytest.mark.attack("K-02")
def test_denied_networks_are_refused_beyond_the_table() -> None:
    policy = AddressPolicy(
        (ipaddress.ip_network("93.184.216.0/24"), ipaddress.ip_network("2606:4700::/32"))
    )
    for denied in ("93.184.216.34", "2606:4700::6810:84e5"):
        assert not policy.allows(ipaddress.ip_address(denied))
    for other in ("93.184.217.1", "2606:4701::1"):
        assert policy.allows(ipaddress.ip_address(other))


@given(st.ip_addresses())
@example(ipaddress.ip_address("192.31.196.1"))
@example(ipaddress.ip_address("2620:4f:8000::1"))
def test_what_is_allowed_is_global_to_the_standard_library_too(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if POLICY.allows(address):
        assert address.is_global
        assert not address.is_multicast
        assert not address.is_reserved


@given(st.ip_addresses())
def test_what_is_not_global_to_the_standard_library_is_refused(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if not address.is_global:
        assert not POLICY.allows(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_one_is_never_allowed(
    inner: ipaddress.IPv4Address,
) -> None:
    number = int(inner)
    for prefix in ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::"):
        assert not POLICY.allows(ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | number))
    sixtofour = int(ipaddress.IPv6Address("2002::")) | number << 80
    assert not POLICY.allows(ipaddress.IPv6Address(sixtofour))
    isatap = int(ipaddress.IPv6Address("2a00:1450::5efe:0:0")) | number
    assert not POLICY.allows(ipaddress.IPv6Address(isatap))
