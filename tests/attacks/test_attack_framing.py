"""Attacks with the framing of HTTP/1.1: a second request that is hidden in the first.

A proxy in front that reads the end of a request elsewhere than the gateway does would take the
hidden request for a body, and its answer for that of the next person's request.
"""

from __future__ import annotations

import re
import socket
from contextlib import suppress

import httpx
import pytest

from harness.deployment import Deployment
from harness.evidence import nothing_stored

CHUNKED = "Transfer-Encoding: chunked\r\n"
LENGTH = "Content-Length: 5\r\n"
END = "0\r\n\r\n"
"""The last chunk, or a body of five bytes."""
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
ANSWER_SECONDS = 10.0
PAUSE = 0.2
"""Seconds between two parts, so that the gateway reads the first one by itself."""


def post(headers: str, body: str = END, *, version: str = "1.1") -> str:
    return (
        f"POST /register HTTP/{version}\r\nHost: HOST\r\nContent-Type: application/json\r\n"
        f"{headers}\r\n{body}"
    )


AMBIGUOUS = {
    "length, then chunked": post(LENGTH + CHUNKED),
    "chunked, then length": post(CHUNKED + LENGTH),
    "both, without a body": post(LENGTH + CHUNKED).replace("POST /register", "GET /"),
    "chunked twice": post(CHUNKED + CHUNKED),
    "chunked and identity": post(CHUNKED + "Transfer-Encoding: identity\r\n"),
    "not chunked last": post("Transfer-Encoding: chunked, identity\r\n"),
    "an unknown coding": post("Transfer-Encoding: xchunked\r\n" + LENGTH),
    "a control character in the coding": post("Transfer-Encoding: \x0bchunked\r\n" + LENGTH),
    "a NUL in the coding": post("Transfer-Encoding: chunked\x00\r\n" + LENGTH),
    "the coding on the next line": post("Transfer-Encoding:\r\n chunked\r\n" + LENGTH),
    "a space before the name": post(" " + CHUNKED + LENGTH),
    "a space before the colon of the coding": post("Transfer-Encoding : chunked\r\n" + LENGTH),
    "a space before the colon of the length": post("Content-Length : 5\r\n"),
    "no colon": post("Transfer-Encoding chunked\r\n" + LENGTH),
    "no name": post(": chunked\r\n" + LENGTH),
    "two lengths": post(LENGTH + "Content-Length: 0\r\n"),
    "the same length twice": post(LENGTH + LENGTH),
    "a list of lengths": post("Content-Length: 5, 5\r\n"),
    "a length with a sign": post("Content-Length: +5\r\n"),
    "a negative length": post("Content-Length: -5\r\n"),
    "a hexadecimal length": post("Content-Length: 0x5\r\n"),
    "an empty length": post("Content-Length: \r\n"),
    "a length beyond 64 bits": post("Content-Length: 99999999999999999999999\r\n"),
    "bare LF everywhere": post(LENGTH).replace("\r\n", "\n"),
    "bare LF before the coding": post("X: y\n" + CHUNKED + LENGTH),
    "bare CR before the coding": post("X: y\r" + CHUNKED + LENGTH),
    "bare LF after the size of a chunk": post(CHUNKED, "0\n\n"),
    "bare LF after an extension": post(CHUNKED, "2;\nxx\r\n{}\r\n0\r\n\r\n"),
    "a negative chunk": post(CHUNKED, "-1\r\n\r\n"),
    "a size with a prefix": post(CHUNKED, "0x2\r\n{}\r\n0\r\n\r\n"),
    "a chunk that is too long": post(CHUNKED, "2\r\n{}xx\r\n0\r\n\r\n"),
    "both in HTTP/1.0": post("Connection: keep-alive\r\n" + LENGTH + CHUNKED, version="1.0"),
    "an unknown version": post(LENGTH, version="1.2"),
    "HTTP/2 by prior knowledge": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a tunnel": "CONNECT HOST HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "two hosts": "GET / HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n",
    "no host": "GET / HTTP/1.1\r\n\r\n",
    "a host that is none": "GET / HTTP/1.1\r\nHost: HOST/path\r\n\r\n",
    "a space in the path": "GET /a b HTTP/1.1\r\nHost: HOST\r\n\r\n",
}
HIDDEN = (
    "GET /.well-known/oauth-authorization-server HTTP/1.1\r\nHost: HOST\r\n"
    "Connection: close\r\n\r\n"
)


def statuses(deployment: Deployment, *sent: str) -> list[int]:
    """Send bytes over one connection to a gateway; return each status that comes until its end.

    Args:
        deployment: the gateway.
        sent: what is sent; each part arrives by itself.

    Raises:
        TimeoutError: the gateway does not close the connection.
    """
    host = deployment.url.partition("://")[2]
    received = b""
    with socket.create_connection(("127.0.0.1", deployment.ports[0]), ANSWER_SECONDS) as connection:
        for number, part in enumerate(sent):
            if number:
                connection.settimeout(PAUSE)
                with suppress(TimeoutError):
                    received += connection.recv(65536)
            connection.settimeout(ANSWER_SECONDS)
            connection.sendall(part.replace("HOST", host).encode("latin-1"))
        while some := connection.recv(65536):
            received += some
    return [int(status) for status in STATUS.findall(received)]


@pytest.mark.attack("L-11")
@pytest.mark.parametrize("request_", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_request_with_an_ambiguous_end_is_refused_and_ends_the_connection(
    deployment: Deployment, request_: str
) -> None:
    with nothing_stored(deployment):
        assert statuses(deployment, request_ + HIDDEN) == [httpx.codes.BAD_REQUEST]


@pytest.mark.attack("L-11")
@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
def test_body_of_a_request_that_asks_for_another_protocol_is_no_request(
    deployment: Deployment, protocol: str
) -> None:
    length = len(HIDDEN.replace("HOST", deployment.url.partition("://")[2]))
    upgrade = f"Connection: Upgrade\r\nUpgrade: {protocol}\r\nContent-Length: {length}\r\n"
    with nothing_stored(deployment):
        assert statuses(deployment, post(upgrade, ""), HIDDEN) == [httpx.codes.BAD_REQUEST]


@pytest.mark.attack("L-11")
def test_http_1_0_connection_ends_after_one_request(deployment: Deployment) -> None:
    keep = "Connection: keep-alive\r\n"
    for headers in (LENGTH, CHUNKED):
        assert len(statuses(deployment, post(keep + headers, version="1.0") + HIDDEN)) == 1


@pytest.mark.parametrize("headers", [LENGTH, CHUNKED], ids=["length", "chunked"])
def test_request_after_one_with_a_clear_end_is_answered(
    deployment: Deployment, headers: str
) -> None:
    """Otherwise the tests above would see no hidden request either."""
    first, second = statuses(deployment, post(headers) + HIDDEN)
    assert first == httpx.codes.BAD_REQUEST
    assert second == httpx.codes.OK
