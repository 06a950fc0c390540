"""`helm upgrade` keeps sign-ins, also when the way in changes from Ingress to HTTPRoute."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from harness.browser import chromium
from harness.caller import Caller, result
from harness.installation import MARKO, MCP, Installation
from harness.processes import eventually
from harness.sdkclient import Assistant
from harness.terminal import Terminal

KEYS = "kubectl get secret productive-keys -n productive -o json"


async def test_changed_values_keep_every_sign_in(
    installation: Installation, assistants: Sequence[Assistant], terminal: Terminal
) -> None:
    ring = terminal.found(KEYS)
    signed_in = [one.sign_ins for one in assistants]
    installation.upgrade({"gateway": {"logLevel": "debug"}, "redirectHosts": ["claude.ai"]})
    await still_signed_in(assistants)
    assert [one.sign_ins for one in assistants] == signed_in
    assert terminal.found(KEYS) == ring


async def test_the_way_in_becomes_an_httproute(
    installation: Installation, assistants: Sequence[Assistant], terminal: Terminal
) -> None:
    parent = {"name": "contour", "namespace": "projectcontour", "sectionName": "https"}
    installation.upgrade(
        {"ingress": {"enabled": False}, "httpRoute": {"enabled": True, "parentRefs": [parent]}}
    )
    assert terminal("kubectl get ingress -n productive -o name") == ""
    accepted = 'jsonpath={.status.parents[0].conditions[?(@.type=="Accepted")].status}=True'
    terminal(
        f"kubectl wait -n productive httproute/productive-gateway '--for={accepted}' --timeout=60s"
    )
    eventually(lambda: answers(installation), seconds=60, what="an answer through the HTTPRoute")

    await still_signed_in(assistants)
    async with chromium(*installation.services.chromium_flags) as browser:
        new = installation.assistant(MARKO, browser)
        me = await new.call("get_me")
    assert me.structured_content["person"]["id"] == "9103"
    assert new.sign_ins == 1


async def still_signed_in(assistants: Sequence[Assistant]) -> None:
    for assistant in assistants:
        async with Caller(assistant) as caller:
            assert not result(await caller.call("get_me")).get("isError")
            assert (await caller.refresh()).status_code == httpx.codes.OK
            assert not result(await caller.call("get_me")).get("isError")


def answers(installation: Installation) -> bool:
    with httpx.Client(verify=installation.services.trusted, trust_env=False) as http:
        try:
            return http.get(f"{MCP}/.well-known/oauth-authorization-server").is_success
        except httpx.TransportError:
            return False
