"""How many requests to the API server a sign-in, a refresh and a call take, by a proxy's count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

import httpx

from harness.deployment import Deployment
from harness.faults import Seen
from harness.signin import Visitor, new_person

Requests = dict[str, Counter[str]]
"""Requests by verb, for each thing that somebody does."""
VERBS: Final = {"GET": "read", "POST": "create", "PUT": "update", "DELETE": "delete"}


def count_requests(deployment: Deployment) -> Requests:
    """Sign in twice, refresh, call and revoke, and count the requests of all gateways."""
    found: Requests = {}

    def counted(name: str, act: Callable[[], httpx.Response]) -> httpx.Response:
        begun = {proxy: len(proxy.requests) for proxy in deployment.proxies.values()}
        answer = act()
        assert answer.is_success or answer.is_redirect, f"{name}: {answer.text}"
        found[name] = of_one_object(
            seen
            for program, proxy in deployment.proxies.items()
            if program.startswith("gateway")
            for seen in proxy.requests[begun[proxy] :]
        )
        return answer

    email = new_person(deployment)
    with Visitor(deployment) as visitor:
        client = visitor.register()
        for which in ("first sign-in", "later sign-in"):
            location = counted(
                f"{which}: consent to code", lambda: visitor.sign_in(client, email)
            ).headers["location"]
            code = httpx.URL(location).params["code"]
            tokens = counted(
                f"{which}: code to tokens", partial(visitor.exchange, client, code)
            ).json()
        tokens = counted("refresh", lambda: visitor.refresh(client, tokens["refresh_token"])).json()
        token = tokens["access_token"]
        counted("call", lambda: visitor.call(token, "tools/call", name="get_me", arguments={}))
        form = {"token": tokens["refresh_token"], "client_id": client.id}
        counted("revocation", lambda: visitor.http.post("/revoke", data=form))
    return found


def of_one_object(requests: Iterable[Seen]) -> Counter[str]:
    """Count what was asked about single grants; lists and watches go on all the time."""
    return Counter(
        VERBS[seen.method]
        for seen in requests
        if not seen.watch and seen.resource == "secrets" and not _selects(seen)
    )


def _selects(seen: Seen) -> bool:
    return "fieldSelector" in seen.query or "limit" in seen.query
