"""The listening sockets of the development servers."""

from __future__ import annotations

import socket

import pytest

from productive_dev.sockets import listen, origin_of, port_of


@pytest.mark.parametrize(
    ("host", "connects", "named"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1", "localhost"),
        ("::1", "::1", "[::1]"),
        ("[::1]", "::1", "[::1]"),
    ],
)
def test_a_host_of_either_family_is_listened_on_and_named(
    host: str, connects: str, named: str
) -> None:
    with listen(0, host=host) as listener:
        port = port_of(listener)
        socket.create_connection((connects, port), timeout=5).close()
        assert origin_of(listener, host) == f"http://{named}:{port}"
