"""A generated walk over all endpoints of the authorization server, with broken input.

Whatever is sent, no answer is a 5xx, none shows a traceback, and the gateways write nothing to
Kubernetes: the recording proxies in front of the API server prove it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from harness.deployment import Deployment, Plan
from harness.evidence import nothing_stored
from harness.grantrequests import proxies
from harness.signin import Registered, Visitor, handle_of, new_person

STEPS = 1_200
Pairs = list[tuple[str, str]]

JUNK = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "\x00",
            "\r\nSet-Cookie: a=b",
            "\ud7ff￿",
            "%00%zz",
            "' OR 1=1 --",
            "<script>alert(1)</script>",
            "{}",
            "[" * 2_000,
            "a" * 9_000,
            "http://169.254.169.254/latest/",
            "https://client.invalid/metadata.json",
            "cursor://x",
            "\N{RIGHT-TO-LEFT OVERRIDE}",
            "-1",
            "1e400",
        ]
    ),
)
"""Values that a parser may stumble over."""
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
MEDIA = ["text/plain", "application/json", "multipart/form-data"]


@pytest.mark.attack("Q-09", "A-10", "A-12", "N-05", "G-07")
def test_broken_requests_are_refused_and_store_nothing(
    deploy: Callable[[Plan], Deployment],
) -> None:
    deployment = deploy(Plan(proxied=True))
    with Visitor(deployment) as visitor:
        client = visitor.register()
        tokens = visitor.tokens(client, new_person(deployment))
        page = visitor.authorize(client)
        bases = list(_bases(visitor, client, handle_of(page), tokens))
        since = [len(proxy.requests) for proxy in proxies(deployment)]

        @settings(
            max_examples=STEPS,
            suppress_health_check=list(HealthCheck),
            database=None,
            derandomize=True,
            phases=[Phase.generate],
        )
        @given(st.data())
        def step(data: st.DataObject) -> None:
            request = _broken(data, data.draw(st.sampled_from(bases)), deployment.url)
            answer = visitor.http.send(request)
            told = f"{request.method} {request.url} {request.content!r}\n{answer.text}"
            assert answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR, told
            assert "Traceback" not in answer.text, told

        with nothing_stored(deployment):
            step()
        for proxy, number in zip(proxies(deployment), since, strict=True):
            written = [seen.target for seen in proxy.requests[number:] if seen.method != "GET"]
            assert written == []


Base = tuple[str, str, Pairs, Pairs, str]
"""Method, path, query, form, and the content type of the form."""


def _bases(
    visitor: Visitor, client: Registered, handle: str, tokens: dict[str, Any]
) -> Iterator[Base]:
    """Yield requests that come near to valid ones; none is, or it would change something."""
    form = "application/x-www-form-urlencoded"
    authorize = [(name, str(value)) for name, value in visitor.request(client).items()]
    spoilt = tokens["refresh_token"][:-2]
    yield "GET", "/authorize", authorize, [], form
    yield "POST", "/authorize", [], [("handle", handle[:-2]), ("decision", "approve")], form
    yield "GET", "/callback", [("code", "c"), ("state", "A" * 22), ("iss", "x")], [], form
    yield "GET", "/callback", [("error", "access_denied"), ("state", "A" * 22)], [], form
    code = [("code", tokens["access_token"]), ("code_verifier", visitor.verifier)]
    own = [("client_id", client.id)]
    yield "POST", "/token", [], [("grant_type", "authorization_code"), *code, *own], form
    refresh = [("grant_type", "refresh_token"), ("refresh_token", spoilt)]
    yield "POST", "/token", [], [*refresh, *own], form
    yield "POST", "/revoke", [], [("token", spoilt), *own], form
    registration = '{"redirect_uris": ["https://a.example/cb"], "client_name": "x"}'
    yield "POST", "/register", [], [(registration, "")], "application/json"
    for path in ("oauth-authorization-server", "openid-configuration", "oauth-protected-resource"):
        yield "GET", f"/.well-known/{path}", [], [], form
    yield "GET", "/connections", [], [], form
    yield "POST", "/connections", [], [("handle", handle[:-2])], form


def _broken(data: st.DataObject, base: Base, url: str) -> httpx.Request:
    method, path, query, form, media = base
    if data.draw(st.integers(0, 9)) == 0:
        method = data.draw(st.sampled_from(METHODS))
    if data.draw(st.integers(0, 9)) == 0:
        media = data.draw(
            st.sampled_from(["text/plain", "application/json", "multipart/form-data"])
        )
    headers = {"Content-Type": media}
    name = data.draw(st.sampled_from([None, None, "Authorization", "Cookie", "Origin", "Accept"]))
    if name is not None:
        value = data.draw(JUNK).encode("ascii", "ignore").decode()
        headers[name] = "".join(one for one in value if one.isprintable())[:2_000].strip()
    content = _body(data, form) if media == "application/json" else _encoded(_changed(data, form))
    return httpx.Request(
        method,
        f"{url}{path}",
        params=_changed(data, query),
        content=content if method != "GET" else b"",
        headers=headers,
    )


def _changed(data: st.DataObject, pairs: Pairs) -> Pairs:
    changed = list(pairs)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(len(changed) - 1, 0)))
        match data.draw(st.sampled_from(["drop", "double", "replace", "add", "cut"])):
            case "drop" if changed:
                del changed[at]
            case "double" if changed:
                changed.insert(at, changed[at])
            case "replace" if changed:
                changed[at] = (changed[at][0], data.draw(JUNK))
            case "cut" if changed:
                changed[at] = (changed[at][0], changed[at][1][: data.draw(st.integers(0, 20))])
            case _:
                changed.append((data.draw(JUNK), data.draw(JUNK)))
    return changed


def _encoded(pairs: Pairs) -> bytes:
    return str(httpx.QueryParams(pairs)).encode()


def _body(data: st.DataObject, form: Pairs) -> bytes:
    """Return JSON that is spoilt somewhere, or something else altogether."""
    text = form[0][0] if form else "{}"
    at = data.draw(st.integers(0, len(text)))
    return (text[:at] + data.draw(JUNK) + text[at:]).encode("utf-8", "surrogatepass")
